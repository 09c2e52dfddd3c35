"""The workshop: data sets, audits, training, evaluation. The rest of the house never imports it.

The modules here are what a command calls: `adapting`, `compare` and `evaluating` stand above `retraining`, `systems`,
`amending` and `growing`, these above `making`, and that above `drafts`, where bundles are built. The packages below
them are `fit`, `train`, `audit`, `judge`, `pages` and `data`; each imports only from those that stand after it.
"""
