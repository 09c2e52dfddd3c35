"""Readers of what the file says of itself: one file each, never mixed into the pixel score."""
