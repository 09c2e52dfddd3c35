"""What a person reads of an audit, a training, an evaluation: HTML pages, plots and the model card."""
