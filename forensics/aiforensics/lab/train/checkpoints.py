"""Files that a stopped run goes on from: written whole or not at all, and missing where they cannot be read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from aiforensics.lab.data.progress import Report


def keep(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint; whoever stops this finds the old one."""
    _replace(path, lambda partial: torch.save(state, partial))


def keep_json(path: Path, content: Any, **layout: Any) -> None:  # noqa: ANN401 - data for JSON
    """Write data as JSON, with the `layout` of `json.dumps`; whoever stops this finds the old file."""
    _replace(path, lambda partial: partial.write_text(json.dumps(content, **layout), encoding="utf-8"))


def recall(path: Path, report: Report = lambda _line: None) -> dict[str, Any] | None:
    """Read a checkpoint into the main memory; None, with a word, for one that is damaged, and for none."""
    if not path.exists():
        return None
    content = io.BytesIO(path.read_bytes())  # what may not be read is an error, and not damage
    try:
        state = torch.load(content, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception:  # PyTorch's reader raises whatever a damaged byte leads it to: IndexError, KeyError, struct.error
        state = None
    if not isinstance(state, dict):
        report(f"the checkpoint {path} is damaged: starting anew")
        return None
    return state


def recall_json(path: Path, report: Report = lambda _line: None) -> Any:  # noqa: ANN401 - data for JSON
    """Read what `keep_json` wrote; None, with a word, for a damaged file, and for none."""
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        report(f"{path} is damaged and is made anew")
        return None


def generators() -> dict[str, Any]:
    """Where PyTorch's random numbers stand, which dropout draws from: the processor's and every GPU's."""
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"generator": torch.get_rng_state(), "gpus": gpus}


def restore_generators(state: Mapping[str, Any]) -> None:
    """Go on with the random numbers of a checkpoint."""
    torch.set_rng_state(state["generator"])
    if len(state["gpus"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["gpus"])


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    partial = path.with_name(f"{path.name}.partial")
    write(partial)
    partial.replace(path)
