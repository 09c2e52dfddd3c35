"""Refresh the command outputs that the README shows.

Run it with `python benchmarks/readme_output.py` in the repository, with `aiforensics` installed. It runs the command
of every `<!-- output: COMMAND -->` mark and writes what it prints up to the next `<!-- end of output -->`.
With `--check` it writes nothing and ends with status 1 if a block is out of date.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- output: (.+?) -->\n)(.*?)(<!-- end of output -->)", re.DOTALL)


def refreshed(text: str) -> str:
    """Give the text with every block's output as its command prints it now."""
    return BLOCK.sub(lambda match: match[1] + _block(match[2]) + match[4], text)


def main() -> None:
    """Refresh or check the README."""
    readme = ROOT / "README.md"
    before = readme.read_text("utf-8")
    after = refreshed(before)
    if "--check" in sys.argv:
        sys.exit(0 if before == after else "README.md: an output is out of date; run benchmarks/readme_output.py")
    readme.write_text(after, "utf-8")


def _block(command: str) -> str:
    program, *args = shlex.split(command)
    if program != "aiforensics":
        sys.exit(f"README.md: an output block may only run aiforensics, not {program}")
    code = "from aiforensics_cli.app import main; main()"
    environment = {**os.environ, "PYTHONUTF8": "1", "COLUMNS": "110"}
    done = subprocess.run(
        [sys.executable, "-c", code, *args], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return f"```console\n$ {command}\n{done.stdout.rstrip()}\n```\n"


if __name__ == "__main__":
    main()
