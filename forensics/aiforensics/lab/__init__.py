"""The workshop: data sets, audits, training, evaluation. The rest of the house never imports it.

The modules here are what a command calls (`training`, `adapting`, `compare`, `systems`, `refit`); the packages below them
are `fit`, `train`, `audit`, `judge`, `pages` and `data`, each of which imports only from those that stand after it.
"""
