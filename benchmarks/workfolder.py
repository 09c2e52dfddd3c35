"""What a training of the fusion left in its work folder, for benchmarks on sources that it had not seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiforensics.lab.data.dataset import Sample, load_dataset
from aiforensics.lab.data.folds import family_folds
from aiforensics.lab.data.overlap import drawn
from aiforensics.lab.drafts import DRAFT
from aiforensics.lab.fit.assembling import chosen, stack_data
from aiforensics.lab.fit.knobs import FusionConfig
from aiforensics.lab.fit.measure import Table
from aiforensics.lab.fit.stacking import StackData
from aiforensics_models.bundle import MANIFEST


@dataclass(frozen=True)
class WorkFolder:
    """The work folder of `train DATA... --recipe fusion-xgboost`, read with the knobs that its bundle states.

    Attributes
    ----------
    config, mix
        Those knobs, and the weights of the parts in the score.
    seen, folds
        The pictures of `train` and `val`, and (n,) the fold that each was left out of.
    samples, table
        Those that were measured, and their table: each by a network that had not seen its family or real source.
    data
        What the stack was fitted on, with a row for each of the table's.
    """

    config: FusionConfig
    mix: dict[str, float]
    seen: Sequence[Sample]
    folds: NDArray[np.int64]
    samples: Sequence[Sample]
    table: Table
    data: StackData

    @classmethod
    def read(cls, data: Sequence[Path], work: Path) -> WorkFolder:
        """Read it; `data` is what was trained on."""
        folder = next(place for name in (DRAFT, "bundle") if (place := work / name).is_dir())
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        config = FusionConfig.stated(manifest["training"]["config"])
        seed, shares = drawn(manifest, config.seed)
        seen = [sample for sample in load_dataset(data, seed=seed, shares=shares) if sample.split != "test"]
        known = json.loads((work / "folds.json").read_text(encoding="utf-8"))
        folds = family_folds(seen, config.folds, config.seed, known)
        picked = chosen(seen, config)
        samples, table = [seen[i] for i in picked], Table.load(work / "out-of-fold.npz")
        rows = zip(table.origin.tolist(), table.sample.tolist(), strict=True)
        if not all(i < len(samples) and origin.startswith(f"{samples[i].key} ") for origin, i in rows):
            raise SystemExit(f"{work} was made of other pictures than {', '.join(map(str, data))} holds now")
        data = stack_data(table, samples, folds[picked], config)
        return cls(config, manifest["head"]["mix"], seen, folds, samples, table, data)
