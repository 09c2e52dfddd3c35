"""Fitting what tells pictures that are larger than the detail they hold, on pictures that were made so.

The labels `ai` and `real` play no part, and both classes get the same draws.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiforensics.analyzers import SCORED
from aiforensics.features import EDITION
from aiforensics.image import Picture, decode, read
from aiforensics.lab.data.dataset import Sample, digest, thin
from aiforensics.lab.data.folds import origins
from aiforensics.lab.data.progress import Report
from aiforensics.lab.data.views import TRAIN_KERNELS, Codec, Pixels, blur, noise, resize, seeded, window, with_history
from aiforensics.lab.data.workers import side_by_side
from aiforensics.lab.train.checkpoints import keep_json, recall_json
from aiforensics.pipeline import examined
from aiforensics_models.enlargement import MOST
from aiforensics_models.perceptron import CUT

Floats = NDArray[np.float64]
FILE = "enlargement.safetensors"
LEAST = 1.7
"""Factor from which a picture is examined as enlarged: the least at which pictures as they are lose nothing."""
PICTURES, DRAWS = 3000, 4
"""Pictures at most, evenly over classes and sources, and draws of each."""
LEAST_DRAWN = 1.15
"""Smallest factor that is drawn; below it nothing is to be seen."""
LEVELS = 5.0
"""Noise, in grey levels, that hides as much as one pixel of blur does."""
HIDDEN = 48
_FOLDS, _LEAST_STEPS = 5, 600
_TOLD = 0.3
"""Octaves from which a draw is told as enlarged."""
_CHUNK = 16


def fit_enlargement(
    samples: Sequence[Sample], folder: Path, *, workers: int, seed: int, report: Report
) -> dict[str, Any]:
    """Enlarge, measure, fit a perceptron by least squares and write it down.

    Parameters
    ----------
    samples
        Pictures of both classes, none of the split `test`.
    folder
        Where the file goes. What was fitted there on the same pictures is not fitted again.
    workers
        Processes that measure.
    seed
        Of the pictures that are taken, of the perceptron's first weights and its batches.
    report
        Takes a line of progress.

    Returns
    -------
    The manifest's entry: `file`, `from`, and on draws of sources that were left out `false` (share of those that count
    as none and are taken for enlarged), `found` (share of those of 1.75 to 2.25 times that are taken so) and `error`
    (root mean square of the estimate, in octaves).
    """
    few = thin(samples, PICTURES, seed=seed)
    kept, key = folder / "enlargement.json", f"{EDITION} {LEAST} {DRAWS} {seed} {digest(few)}"
    known = recall_json(kept, report) or {}
    if known.get("key") == key and (folder / FILE).is_file():
        return dict(known["entry"])
    report(f"fitting what tells enlarged pictures, on {DRAWS} draws of each of {len(few)} pictures")
    chunks = [few[at : at + _CHUNK] for at in range(0, len(few), _CHUNK)]
    found = side_by_side(_measured, chunks, workers)
    rows, octaves = (np.concatenate(parts) for parts in zip(*found, strict=True))
    owner = np.repeat(np.unique(origins(few), return_inverse=True)[1], DRAWS)
    estimate = np.zeros(len(octaves))
    for fold in range(_FOLDS):
        away = owner % _FOLDS == fold
        if away.any() and not away.all():
            estimate[away] = _fitted(rows[~away], octaves[~away], seed).predict(rows[away])
    # Most draws count as none, and draw the estimate of the others down: a line sets it right for those told as such.
    told = (octaves > 0.0) & (estimate > _TOLD)
    slope, offset = np.polyfit(estimate[told], octaves[told], 1) if told.sum() > 1 else (1.0, 0.0)
    estimate = slope * estimate + offset
    _save(_fitted(rows, octaves, seed), folder / FILE, slope, offset)
    counted, twice = estimate >= np.log2(LEAST), np.abs(octaves - 1.0) < np.log2(2.25 / 2.0)
    figures = {
        "false": float(counted[octaves == 0.0].mean()),
        "found": float(counted[twice].mean()) if twice.any() else None,
        "error": float(np.sqrt(np.mean(np.square(estimate - octaves)))),
    }
    entry = {"file": FILE, "from": LEAST, "pictures": len(few), **figures}
    keep_json(kept, {"key": key, "entry": entry}, indent=1)
    return entry


def drawn(picture: Picture, rng: np.random.Generator) -> tuple[bytes, float]:
    """One draw: the bytes of a file, and the binary logarithm of the factor that it counts as enlarged by.

    A random window; in 26 % of the draws enlarged by 1.15 to 4, evenly over octaves; in 20 % reduced by up to 2, which
    counts as none; in 8 % blurred by 0.4 to 2.5 px, which counts as many times; in 8 % under noise of 2 to 15 levels,
    of which each five count as one time; then JPEG (75 %) or WebP (10 %) of quality 60 to 98, else without loss.
    """
    pixels = np.asarray(picture.image, np.uint8)
    seen: Pixels = window(with_history(pixels, rng) if picture.jpeg is None else pixels, rng)
    times, kind = 1.0, rng.random()
    kernel = TRAIN_KERNELS[rng.integers(len(TRAIN_KERNELS))]
    if kind < 0.26:
        times = float(2.0 ** rng.uniform(np.log2(LEAST_DRAWN), np.log2(MOST)))
        seen = resize(seen, times, "linear" if kernel == "area" else kernel)
    elif kind < 0.46:
        seen = resize(seen, 2.0 ** -rng.uniform(0.0, 1.0), kernel)
    elif kind < 0.54:
        times = float(rng.uniform(0.4, 2.5))
        seen = blur(seen, times)
    elif kind < 0.62:
        times = float(rng.uniform(0.4, 3.0))
        seen = noise(seen, LEVELS * times, rng)
    octaves = max(0.0, float(np.log2(times)))
    quality, kind = int(rng.integers(60, 99)), rng.random()
    if kind < 0.75:
        return Codec("JPEG", quality, full_chroma=bool(rng.random() < 0.5)).encode(seen), octaves
    return (Codec("WEBP", quality) if kind < 0.85 else Codec("PNG")).encode(seen), octaves


def _measured(samples: Sequence[Sample]) -> tuple[Floats, Floats]:
    """(draws, features) measurements of the draws of some pictures, and (draws,) octaves."""
    rows, octaves = [], []
    for sample in samples:
        picture = read(sample.path)
        for draw in range(DRAWS):
            data, by = drawn(picture, seeded(f"{sample.key}/enlarged/{draw}"))
            _, values = examined(decode(data, sample.path.name))
            rows.append([values[name] for name in SCORED])
            octaves.append(by)
    return np.array(rows), np.array(octaves)


def _fitted(rows: Floats, octaves: Floats, seed: int) -> Any:  # noqa: ANN401 - scikit-learn has no types
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - only who trains has it
    from sklearn.neural_network import MLPRegressor  # noqa: PLC0415 - as above
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415 - as above
    from sklearn.preprocessing import FunctionTransformer, StandardScaler  # noqa: PLC0415 - as above

    batch = min(128, len(rows))
    epochs = max(30, math.ceil(_LEAST_STEPS * batch / len(rows)))
    knobs: dict[str, Any] = {"alpha": 1.0, "learning_rate_init": 2e-3, "batch_size": batch, "max_iter": epochs}
    network = MLPRegressor(hidden_layer_sizes=(HIDDEN,), random_state=seed, **knobs)
    cut = FunctionTransformer(np.clip, kw_args={"a_min": -CUT, "a_max": CUT})
    model = make_pipeline(StandardScaler(), cut, network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs are meant, and no more
        return model.fit(rows, octaves)


def _save(model: Any, path: Path, slope: float, offset: float) -> None:  # noqa: ANN401 - as above
    """Write what `aiforensics_models.perceptron` reads, its answer under a line."""
    from safetensors.numpy import save  # noqa: PLC0415 - beside scikit-learn

    scaler, network = model[0], model[-1]
    (*weights, last), (*biases, end) = network.coefs_, network.intercepts_
    layers = zip((*weights, slope * last), (*biases, slope * end + offset), strict=True)
    tensors = {"centre": scaler.mean_.astype(np.float32), "scale": scaler.scale_.astype(np.float32)}
    for index, (weight, bias) in enumerate(layers):
        tensors[f"layer{index}.weight"] = np.ascontiguousarray(weight.T.astype(np.float16))
        tensors[f"layer{index}.bias"] = bias.astype(np.float32)
    path.write_bytes(save(tensors))
