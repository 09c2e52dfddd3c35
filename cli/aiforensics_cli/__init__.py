"""The porch: the `aiforensics` command. Parse, call, show."""
