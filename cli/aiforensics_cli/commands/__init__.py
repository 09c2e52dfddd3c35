"""The commands, one module each. A module has `app`, a `typer.Typer`, and imports what is heavy inside its functions.

A new command is one file here and one row of `aiforensics_cli.app.COMMANDS`.
"""
