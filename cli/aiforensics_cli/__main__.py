"""`python -m aiforensics_cli`."""

from aiforensics_cli.app import main

main()
