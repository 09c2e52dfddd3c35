"""Shortcuts and duplicates of a data set, found before anyone trains on it."""
