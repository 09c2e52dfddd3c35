"""Training of the in-house generators, and sampling from them to a folder with a manifest."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from aiforensics.evidence import InputError
from aiforensics.image import SUFFIXES, read
from aiforensics.lab.data.progress import Report
from aiforensics.lab.data.views import Codec, Pixels
from aiforensics.lab.train.checkpoints import generators, keep, recall, restore_generators
from aiforensics.lab.train.descent import save_weights
from aiforensics.lab.train.devices import keep_memory, training_device
from aiforensics.lab.train.recipes import Precision
from aiforensics_models.generators import PictureModel, build_generator, check_weights, settings_of

MANIFEST, WEIGHTS = "generator.json", "generator.safetensors"
SCHEMA = "aiforensics.generator/1"
GRID = 6
"""Sample grids have so many pictures by side."""
LEAST = 16
"""Real pictures that a generator needs, and pictures of either kind that a distance needs."""
SAMPLES = "manifest.csv"
_COLUMNS = ["file", "label", "source", "generator", "group"]
_SAMPLE = re.compile(r"ai/([a-z]+)/\1-\d+-\d{6,}\.(png|jpg|webp)")
"""A file that `sample_to` made, as its manifest names it."""
_CHECKPOINT = "checkpoint.pt"


class SynthesisError(Exception):
    """A generator that cannot be trained or used, with the one line that tells what to do."""


@dataclass(frozen=True, slots=True)
class SynthConfig:
    """Knobs of a generator's training.

    Attributes
    ----------
    kind
        `gan`, `vae` or `diffusion`.
    side
        Side of a picture in pixels: 32 or 64.
    steps, batch
        Optimiser steps at most, and pictures in each.
    minutes
        Wall time at most; 0 for no limit.
    look_every
        Steps between two sample grids and checkpoints.
    precision
        Numbers that a step calculates with; `bfloat16` halves the time where the processor has it.
    seed
        Of the weights, the batches and the grids.
    """

    kind: str
    side: int = 32
    steps: int = 5000
    batch: int = 64
    minutes: float = 0.0
    look_every: int = 500
    precision: Precision = "float32"
    seed: int = 0


def train_generator(
    pictures: Sequence[Path], out: Path, config: SynthConfig, report: Report = lambda _line: None
) -> list[dict[str, float]]:
    """Train a generator on real pictures and write it to a folder.

    Each picture is cut to its middle square and shrunk to `side`; half of the draws are mirrored. The folder gets
    `generator.safetensors`, `generator.json`, `history.csv`, sample grids `grid-STEP.png` and a checkpoint, from which
    a stopped run goes on.

    Parameters
    ----------
    pictures
        Files of real pictures.
    out
        The folder.
    config
        Knobs.
    report
        Takes a line of progress.

    Returns
    -------
    The history: `step`, the generator's own figures (mean since the last look) and `seconds`.

    Raises
    ------
    SynthesisError
        Too few pictures can be read, the kind or side is unknown, the folder holds another generator, or the training
        ends in what is no number.
    """
    device = training_device("auto").type
    keep_memory()
    torch.manual_seed(config.seed)
    model = _build(config.kind, {"side": config.side}, device)
    real = load_squares(pictures, config.side, report)
    out.mkdir(parents=True, exist_ok=True)
    history: list[dict[str, float]] = []
    key = _key(config, real)
    if state := recall(out / _CHECKPOINT, report):
        history = _resume(model, state, out, key, report)
    elif (out / MANIFEST).is_file():
        raise SynthesisError(f"{out} holds a generator without its checkpoint: name a new folder")
    step, spent = (int(history[-1]["step"]), history[-1]["seconds"]) if history else (0, 0.0)
    started = time.monotonic() - spent
    figures: list[dict[str, float]] = []

    def look() -> None:
        means = {name: float(np.mean([row[name] for row in figures])) for name in figures[0]}
        if not all(map(math.isfinite, means.values())):
            raise SynthesisError(f"the {config.kind} diverged by step {step}: give another --seed and a new folder")
        history.append({"step": float(step), **means, "seconds": time.monotonic() - started})
        figures.clear()
        _look(model, out, config, key, history)
        told = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
        report(f"step {step}/{config.steps}  {told}  {history[-1]['seconds']:.0f} s")

    over = False
    try:
        while step < config.steps and not over:
            with torch.autocast(device, torch.bfloat16, enabled=config.precision == "bfloat16"):
                figures.append(model.step(_draw(real, config, step).to(device)))
            step += 1
            over = config.minutes > 0 and time.monotonic() - started >= 60 * config.minutes
            if step % config.look_every == 0 or step == config.steps or over:
                look()
    except KeyboardInterrupt:
        if figures:  # so that the next run goes on here
            look()
        raise
    manifest = {
        "schema": SCHEMA,
        "kind": config.kind,
        "settings": settings_of(model),
        "steps": step,
        "pictures": len(real),
        "seed": config.seed,
        "parameters": sum(weight.numel() for weight in model.sampler.parameters()),
    }
    save_weights(model.sampler, out / WEIGHTS)
    (out / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return history


def load_generator(folder: Path) -> tuple[PictureModel, dict[str, Any]]:
    """Open a trained generator and its manifest.

    Raises
    ------
    SynthesisError
        If the folder holds none, or one whose weights do not fit or are no numbers.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        kind, settings, state = manifest["kind"], dict(manifest["settings"]), load_file(folder / WEIGHTS)
        with torch.device("meta"):  # takes no memory, whatever widths a manifest names
            wanted = _build(kind, settings, "meta").sampler.state_dict()
        check_weights(state, wanted)
        model = _build(kind, settings, "cpu")
        model.sampler.load_state_dict(state)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise SynthesisError(
            f"{folder} holds no trained generator: train one with synth train --out ({error})"
        ) from error
    return model, manifest


def check_kind(folder: Path, kind: str | None) -> None:
    """Refuse a trained generator of another kind than the one that was asked for, if one was.

    Raises
    ------
    SynthesisError
        It is another, or the folder holds none.
    """
    if kind is not None and (found := load_generator(folder)[1]["kind"]) != kind:
        raise SynthesisError(f"{folder} holds a generator of kind {found}, not {kind}")


def sample_to(
    folder: Path,
    out: Path,
    count: int,
    *,
    seed: int = 0,
    codec: Codec = Codec("PNG"),  # noqa: B008 - frozen
    batch: int = 64,
    report: Report = lambda _line: None,
) -> list[Path]:
    """Make pictures and write them with a `manifest.csv` in the form of a data set.

    Picture `i` depends on the seed and `i` alone, so a larger sample begins with the smaller one.

    Parameters
    ----------
    folder
        A trained generator.
    out
        Folder for `ai/KIND/…` and the manifest: new, empty, or of an earlier sample, whose pictures are then replaced.
    count
        Number of pictures.
    seed
        Of the noise.
    codec
        What the files are saved with: match it to the real pictures that they will stand beside.
    batch
        Pictures that are made at once.
    report
        Takes a line of progress.

    Returns
    -------
    The files.

    Raises
    ------
    SynthesisError
        If the folder holds no trained generator, or `out` holds something else than an earlier sample.
    """
    model, manifest = load_generator(folder)
    _make_room(out)
    kind = manifest["kind"]
    suffix = codec.format.lower().replace("jpeg", "jpg")
    place = out / "ai" / kind
    place.mkdir(parents=True, exist_ok=True)
    paths = [place / f"{kind}-{seed}-{index:06d}.{suffix}" for index in range(count)]
    with (out / SAMPLES).open("w", encoding="utf-8", newline="") as file:  # first: it owns what a stopped run leaves
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for path in paths:
            writer.writerow([path.relative_to(out).as_posix(), "ai", f"synth-{kind}", f"synth-{kind}", path.stem])
    for first in range(0, count, batch):
        indices = range(first, min(first + batch, count))
        made = model.sample(noise_of(model, indices, seed))
        for index, pixels in zip(indices, to_pixels(made), strict=True):
            paths[index].write_bytes(codec.encode(pixels))
        report(f"made {indices[-1] + 1}/{count}")
    return paths


def draw(pictures: Sequence[Path], count: int | None, seed: int) -> list[Path]:
    """Choose at most so many pictures by a seeded permutation, so that the order of their names decides nothing."""
    if count is None:
        return list(pictures)
    return [pictures[i] for i in np.random.default_rng([seed, 2]).permutation(len(pictures))[:count].tolist()]


def load_squares(pictures: Sequence[Path], side: int, report: Report = lambda _line: None) -> Pixels:
    """Read pictures as (n, side, side, 3) uint8: the middle square of each, shrunk by area.

    Raises
    ------
    SynthesisError
        If fewer than 16 can be read.
    """
    squares, refused = [], 0
    for path in pictures:
        try:
            image = read(path).image
        except InputError:
            refused += 1
            continue
        length = min(image.size)
        x, y = (image.width - length) // 2, (image.height - length) // 2
        square = np.asarray(image.crop((x, y, x + length, y + length)), np.uint8)
        if length != side:
            kernel = cv2.INTER_AREA if length > side else cv2.INTER_CUBIC
            square = np.asarray(cv2.resize(square, (side, side), interpolation=kernel), np.uint8)
        squares.append(square)
    if refused:
        report(f"{refused} of {len(pictures)} pictures cannot be read and are left out")
    if len(squares) < LEAST:
        raise SynthesisError(f"this takes at least {LEAST} real pictures, and {len(squares)} can be read")
    return np.stack(squares)


def find_pictures(folder: Path) -> list[Path]:
    """List the pictures under a folder by name.

    Raises
    ------
    SynthesisError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise SynthesisError(f"{folder}: not a folder of pictures")
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def noise_of(model: PictureModel, indices: Sequence[int], seed: int) -> Tensor:
    """(n, *noise_shape) standard normal noise; each row depends on the seed and its index alone."""
    rows = [np.random.default_rng([seed, i]).standard_normal(model.noise_shape, np.float32) for i in indices]
    return torch.from_numpy(np.stack(rows))


def to_pixels(made: Tensor) -> Pixels:
    """(n, 3, h, w) in [-1, 1] → (n, h, w, 3) uint8."""
    scaled = ((made.float() + 1) * 127.5).round().clamp(0, 255)
    return np.ascontiguousarray(scaled.permute(0, 2, 3, 1).to(torch.uint8).numpy())


def grid_of(pixels: Pixels) -> Pixels:
    """(n, h, w, 3) → one picture of rows and columns with a gap of 2 px."""
    count, height, width = pixels.shape[:3]
    rows = -(-count // GRID)
    grid = np.full((rows * (height + 2) + 2, GRID * (width + 2) + 2, 3), 255, np.uint8)
    for i, one in enumerate(pixels):
        y, x = 2 + i // GRID * (height + 2), 2 + i % GRID * (width + 2)
        grid[y : y + height, x : x + width] = one
    return grid


def _make_room(out: Path) -> None:
    """Remove the earlier sample that a folder holds; refuse a folder with anything else in it."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    columns: list[str] = []
    rows: list[list[str]] = []
    with suppress(OSError, ValueError, csv.Error):  # no manifest, one without a line, or none of text
        columns, *rows = csv.reader((out / SAMPLES).read_text(encoding="utf-8").splitlines())
    if columns != _COLUMNS or not all(_made_here(row) for row in rows):
        raise SynthesisError(f"{out} holds something else than samples of synth sample: name a new folder")
    for row in rows:
        (out / row[0]).unlink(missing_ok=True)


def _made_here(row: Sequence[str]) -> bool:
    """Whether a row of a manifest is one that `sample_to` wrote."""
    named = _SAMPLE.fullmatch(row[0]) if len(row) == len(_COLUMNS) else None
    return named is not None and row[2] == f"synth-{named[1]}"


def _build(kind: str, settings: dict[str, Any], device: str) -> PictureModel:
    try:
        return build_generator(kind, settings, device)
    except ValueError as error:
        raise SynthesisError(str(error)) from error


def _draw(real: Pixels, config: SynthConfig, step: int) -> Tensor:
    """(batch, 3, side, side) in [-1, 1]; what a step sees depends on the seed and the step alone."""
    rng = np.random.default_rng([config.seed, 1, step])
    chosen = real[rng.integers(len(real), size=config.batch)]
    mirrored = rng.random(config.batch) < 0.5
    chosen[mirrored] = chosen[mirrored, :, ::-1]
    return torch.from_numpy(chosen).permute(0, 3, 1, 2).float() / 127.5 - 1


def _look(model: PictureModel, out: Path, config: SynthConfig, key: str, history: list[dict[str, float]]) -> None:
    """Write a sample grid, the history and a checkpoint."""
    made = model.sample(noise_of(model, range(GRID * GRID), config.seed))
    Image.fromarray(grid_of(to_pixels(made))).save(out / f"grid-{int(history[-1]['step']):06d}.png")
    with (out / "history.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)
    keep(out / _CHECKPOINT, {"key": key, "model": model.state(), "history": history, **generators()})


def _key(config: SynthConfig, real: Pixels) -> str:
    """Of everything that a checkpoint rests on; more steps and more minutes may be asked for."""
    seen = hashlib.sha256(real.tobytes()).hexdigest()
    return f"{config.kind} {config.side} {config.batch} {config.seed} {config.precision} {seen}"


def _resume(model: PictureModel, state: dict[str, Any], out: Path, key: str, report: Report) -> list[dict[str, float]]:
    if state["key"] != key:
        raise SynthesisError(f"{out} holds a generator of other settings or pictures: name a new folder")
    model.restore(state["model"])
    restore_generators(state)
    history: list[dict[str, float]] = state["history"]
    report(f"going on after step {history[-1]['step']:.0f}")
    return history
