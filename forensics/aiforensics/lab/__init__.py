"""The workshop: data sets, audits, training, evaluation. The rest of the house never imports it."""
