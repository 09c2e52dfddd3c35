"""Containers taken apart without decoding them: one file a format, for the gate and for provenance alike.

Nothing here raises on damaged data, and nothing judges: a walk ends where its format does, and gives what it met.
"""
