"""The command of the label-free pretraining; needs the extra `train`.

`python -m aiforensics.lab.train.pretrain PICTURES --teacher FILE --out FILE`: TraceNet learns to see as a teacher sees,
on any pictures (see `distil`).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from aiforensics.evidence import InputError
from aiforensics.image import SUFFIXES
from aiforensics.lab.train.recipes import DivergedError, RecipeError


def main() -> None:
    """Parse the command line and pretrain; what is wrong with it is told in one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+", help="folders of pictures, searched through")
    parser.add_argument("--teacher", type=Path, required=True, help="safetensors of a folded MobileNetV2")
    parser.add_argument("--out", type=Path, required=True, help="safetensors to write; a stopped run goes on there")
    parser.add_argument("--steps", type=int, help="optimiser steps; default: as the shipped network")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.steps is not None and arguments.steps < 1:
        parser.exit(2, f"aiforensics: --steps {arguments.steps} teaches nothing: give 1 or more\n")
    files = sorted(p for folder in arguments.pictures for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not files:
        parser.exit(2, f"aiforensics: there is no picture in {', '.join(map(str, arguments.pictures))}\n")
    try:
        from aiforensics.lab.train.devices import training_device  # noqa: PLC0415 - PyTorch, which may be missing
        from aiforensics.lab.train.distil import PretrainConfig, pretrain  # noqa: PLC0415
        from aiforensics.lab.train.teacher import Teacher  # noqa: PLC0415

        teacher = Teacher(arguments.teacher, training_device(arguments.device))
    except ModuleNotFoundError as error:
        parser.exit(2, f"aiforensics: this needs the package {error.name}: pip install '.[train]' in the checkout\n")
    except (RecipeError, ValueError) as error:
        parser.exit(2, f"aiforensics: {error}\n")
    config = PretrainConfig(steps=arguments.steps or PretrainConfig().steps, seed=arguments.seed)
    try:
        unexplained = pretrain(files, teacher, arguments.out, config, _tell)
    except InputError as error:
        parser.exit(2, f"aiforensics: {error}: remove or replace it\n")
    except DivergedError as error:
        parser.exit(2, f"aiforensics: {error}\n")
    sys.stdout.write(json.dumps({"pictures": len(files), "steps": config.steps, "unexplained": unexplained}) + "\n")


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
