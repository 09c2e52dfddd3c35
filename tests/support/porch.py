"""The command line with fake scanners, as a program of its own."""

import sys
from types import ModuleType

import fake_scanners

if __name__ == "__main__":
    module = sys.modules["aiforensics.pipeline"] = ModuleType("aiforensics.pipeline")
    module.Scanner = fake_scanners.SlowScanner
    from aiforensics_cli.app import main

    main()
