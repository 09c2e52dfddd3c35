"""Labelled pictures: data sets, duplicates, folds, what a bundle saw, and the views under which they are delivered."""
