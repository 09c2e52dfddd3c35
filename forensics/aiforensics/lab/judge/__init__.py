"""What a detector is worth: figures, curves, evaluation, leave-one-source-out."""
