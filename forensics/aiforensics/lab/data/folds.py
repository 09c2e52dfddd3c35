"""Folds by source: a model is judged on generators and cameras that it has not seen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aiforensics.lab.data.dataset import Sample

LINEAGES: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern)
    for name, pattern in {
        "stable-diffusion": r"stable|\bsd(?=[\dx_-])|comfyui|simulacra|instruct-pix2pix|instaflow|perflow|paint-with",
        "dalle": r"dall-?e|bing|designer",
        "google": r"imagen|imagefx|gemini|nano-banana|whisk",
        "stylegan": r"stylegan|thispersondoesnotexist",
        "translation": r"cyclegan|(?<!instruct-)pix2pix",
        "latent-diffusion": r"latent-diffusion|glid-3|\bldm",
        "clip-guided": r"vqgan|\+clip|clip-guided|disco|majesty",
        **{name: name for name in ("midjourney", "flux", "gpt")},
    }.items()
}
"""Generators that share weights, a maker or a method under names of their own: what the names contain."""


def family(sample: Sample) -> str:
    """The generator family of an AI picture, the source of a real one: what a fold leaves out as a whole.

    Generators of one lineage are one family, whatever they call themselves (`LINEAGES`: of a name that mentions two
    the first counts); any other family is the first word of the generator's name, so `flux.1-dev` and `flux.2` are one.
    A picture of an unknown generator belongs to its source.

    Examples
    --------
    >>> from pathlib import Path
    >>> family(Sample(Path("a"), "ai", "gallery", "midjourney-v7", "g", "train"))
    'ai:midjourney'
    >>> family(Sample(Path("a"), "ai", "gallery", "bing-image-creator", "g", "train"))
    'ai:dalle'
    >>> family(Sample(Path("a"), "real", "kodak", "", "g", "train"))
    'real:kodak'
    """
    if sample.label != "ai":
        return f"real:{sample.source}"
    generator = sample.generator.lower()
    named = {found.start(): name for name, names in LINEAGES.items() if (found := names.search(generator))}
    if named:
        return f"ai:{named[min(named)]}"
    word = re.match(r"[a-z]+", generator)
    return f"ai:{word.group() if word and word.group() not in {'unknown', 'mixed'} else sample.source}"


def family_folds(
    samples: Sequence[Sample], count: int, seed: int = 0, known: Mapping[str, int] | None = None
) -> NDArray[np.int64]:
    """(n,) fold of every sample; a family is never split, and each class is spread as evenly as its families allow.

    Parameters
    ----------
    samples
        The data set.
    count
        Folds.
    seed
        Of the order among families of one size.
    known
        Folds of families that have one already: data that is added later moves none of them.
    """
    sizes = Counter(family(sample) for sample in samples)
    rng = np.random.default_rng(seed)
    fold_of = {name: fold for name, fold in (known or {}).items() if name in sizes}
    for label in ("ai", "real"):
        loads = np.zeros(count)
        names = sorted(name for name in sizes if name.startswith(f"{label}:"))
        for name in names:
            if name in fold_of:
                loads[fold_of[name]] += sizes[name]
        for name in sorted(map(str, rng.permutation(names)), key=lambda name: -sizes[name]):
            if name not in fold_of:
                fold_of[name] = int(loads.argmin())
                loads[fold_of[name]] += sizes[name]
    return np.array([fold_of[family(sample)] for sample in samples], np.int64)


def fold_slices(samples: Sequence[Sample], folds: NDArray[np.int64], count: int, seed: int = 0) -> NDArray[np.int64]:
    """(n,) slice of every sample: each fold is cut into so many, numbered through all folds; -1 where the fold is -1.

    A source is never split, nor is a family that its fold holds all of: what folds leave out as a whole, slices do.

    Parameters
    ----------
    samples, folds
        The data set, and the fold of each sample.
    count
        Slices of a fold; fewer where a fold has fewer sources.
    seed
        Of who comes into which slice.
    """
    families = [family(sample) for sample in samples]
    spans = Counter(name for name, _ in set(zip(families, folds.tolist(), strict=True)))
    names = [one if spans[one] == 1 else origin for one, origin in zip(families, origins(samples), strict=True)]
    rng, slices = np.random.default_rng([seed, 5]), np.full(len(samples), -1)
    for fold in sorted(set(folds.tolist()) - {-1}):
        mine = np.flatnonzero(folds == fold)
        known, owner = np.unique([names[i] for i in mine], return_inverse=True)
        slices[mine] = fold * count + (rng.permutation(len(known)) % count)[owner]
    return slices


def origins(samples: Sequence[Sample]) -> list[str]:
    """Name each picture's source with its class, because sources of both classes may share a name.

    Examples
    --------
    >>> from pathlib import Path
    >>> origins([Sample(Path("a"), "ai", "web", "", "g", "train"), Sample(Path("b"), "real", "web", "", "h", "train")])
    ['web (ai)', 'web (real)']
    """
    return [f"{sample.source} ({sample.label})" for sample in samples]


def labels_of(samples: Sequence[Sample]) -> NDArray[np.float64]:
    """(n,) 1 for `ai`, 0 for `real`."""
    return np.array([sample.label == "ai" for sample in samples], np.float64)


def balance(samples: Sequence[Sample], emphasis: Mapping[str, float] | None = None) -> NDArray[np.float64]:
    """(n,) weights that give both classes the same total, and a source the square root of its number of groups.

    Within a source every group weighs the same, so that a burst of one scene counts once.

    Parameters
    ----------
    samples
        The data set.
    emphasis
        How many times a source counts, by `label/source`; once where it is not named. For fitting alone: what is
        judged, calibrated or given a threshold is weighed without.
    """
    groups = Counter((sample.label, sample.source, sample.group) for sample in samples)
    per_source = Counter((label, source) for label, source, _ in groups)
    weights = np.array(
        [
            per_source[sample.label, sample.source] ** -0.5
            / groups[sample.label, sample.source, sample.group]
            * (emphasis or {}).get(f"{sample.label}/{sample.source}", 1.0)
            for sample in samples
        ]
    )
    ai = labels_of(samples) > 0.5
    for members in (ai, ~ai):
        weights[members] *= 0.5 * len(samples) / weights[members].sum()
    return weights
