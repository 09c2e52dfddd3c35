"""The command line with fake scanners, as a program of its own."""

import fake_scanners

if __name__ == "__main__":
    from aiforensics import pipeline

    pipeline.Scanner = fake_scanners.SlowScanner
    from aiforensics_cli.app import main

    main()
