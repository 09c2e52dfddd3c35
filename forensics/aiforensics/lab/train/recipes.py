"""The recipes: every system that `train` and `compare` know, in one visible tuple.

A recipe is a name, what it is, what its authors reported and the hyper-parameters that they reported it with. Nothing
here imports a training library, so that listing recipes costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from aiforensics.lab.data.sums import sum_of

Augmentation = Literal["flip", "flips", "shift", "delivery"]
Precision = Literal["float32", "bfloat16"]
NAMED_WEIGHTS = ("none", "imagenet")
"""First weights that are no file."""
AUGMENTATIONS: tuple[Augmentation, ...] = ("flip", "flips", "shift", "delivery")
"""Mirror left to right; mirror both ways; shift by up to a tenth; a random delivery (window, rescale, re-compress)."""


class RecipeError(Exception):
    """A recipe or a setting that does not exist, with the one line that says which do."""


class DivergedError(RecipeError):
    """A training that ended in what is no number, with the one line that says what to change."""


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """Knobs of a classifier recipe.

    Attributes
    ----------
    network
        Name of the architecture in `aiforensics_models.networks`.
    side
        Side in pixels that each window is squeezed to.
    input
        `resize`: the window; `ela`: its error level picture.
    rate, batch, weight_decay
        Learning rate and weight decay of Adam, pictures per step.
    schedule
        `constant`, or `one-cycle`: a short warm-up, then a cosine down to nearly nothing after the last pass.
    epochs, patience
        Passes over the training pictures at most, and passes without a lower loss on `val` before training stops.
    minutes
        Wall time at most; 0 for no limit.
    augment
        Names out of `AUGMENTATIONS`.
    weights
        `none` (random), `imagenet` (torchvision's official weights), or a file of weights.
    precision
        Numbers that a step in PyTorch calculates with; `bfloat16` halves the time where the processor has it.
    filters
        Filters of the convolution, for `scratch-cnn-numpy` alone.
    seed
        Of the weights, the batches and the augmentation.
    """

    network: str
    side: int = 32
    input: Literal["resize", "ela"] = "resize"
    rate: float = 1e-3
    batch: int = 32
    weight_decay: float = 0.0
    schedule: Literal["constant", "one-cycle"] = "constant"
    epochs: int = 30
    patience: int = 3
    minutes: float = 0.0
    augment: tuple[Augmentation, ...] = ()
    weights: str = "none"
    precision: Precision = "float32"
    filters: int = 8
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Recipe:
    """A named system.

    Attributes
    ----------
    name
        What the user types.
    what
        What it is, in one line.
    reported
        The figure that its authors reported, on their own data and split, or what this project aims at.
    source
        Where it comes from.
    defaults
        Hyper-parameters of a classifier; None for the fusion recipes, whose knobs are in `aiforensics.lab.fit.knobs`.
    head
        Head of a fusion recipe.
    """

    name: str
    what: str
    reported: str
    source: str
    defaults: ClassifierConfig | None = None
    head: Literal["xgboost", "deep"] | None = None


_STUDY = "first study: real against generated pictures, three classifiers, then new generators"
_CIFAKE = "CIFAKE (Bird and Lotfi, arXiv 2303.14126), student system"

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "fusion-xgboost",
        "handcrafted measurements under boosted trees, mixed with TraceNet's log-odds",
        "this project's own; its figures stand on the bundle's card",
        "aiforensics",
        head="xgboost",
    ),
    Recipe(
        "fusion-deep",
        "handcrafted measurements under a small perceptron, mixed with TraceNet's log-odds",
        "this project's own; its figures stand on the bundle's card",
        "aiforensics",
        head="deep",
    ),
    Recipe(
        "cnn",
        "a plain convolutional network: three blocks, a dense layer",
        "baseline, then a large drop on new generators",
        _STUDY,
        ClassifierConfig("cnn", side=32, rate=1e-3, batch=32, augment=("flip",)),
    ),
    Recipe(
        "resnet",
        "a small residual network (He et al., arXiv 1512.03385)",
        "baseline, then a large drop on new generators",
        _STUDY,
        ClassifierConfig("resnet", side=32, rate=1e-3, batch=32, augment=("flip",)),
    ),
    Recipe(
        "cbam-resnet",
        "the same with channel and spatial attention (CBAM, Woo et al., arXiv 1807.06521)",
        "baseline, then a large drop on new generators",
        _STUDY,
        ClassifierConfig("cbam-resnet", side=32, rate=1e-3, batch=32, augment=("flip",)),
    ),
    Recipe(
        "resnet18-scratch",
        "ResNet-18 from scratch with a 3×3 stem for small pictures",
        "accuracy 0.95, precision 0.94, recall 0.96, F1 0.95 on CIFAKE, split 80/20",
        _CIFAKE,
        ClassifierConfig("resnet18", side=32, rate=5e-4, batch=16, patience=3, augment=("flip",)),
    ),
    Recipe(
        "resnet50-transfer",
        "ImageNet ResNet-50, flatten → 256 → batch norm → dropout 0.5 → 128 → 1",
        "accuracy 0.922, precision 0.949, recall 0.892, split 70/20/10",
        "student system on real and generated pictures",
        ClassifierConfig(
            "resnet50-transfer", side=224, rate=1e-4, batch=32, patience=3, augment=("flips",), weights="imagenet"
        ),
    ),
    Recipe(
        "ela-cnn",
        "error level analysis as the input picture, two convolutions with pooling, dropout, dense",
        "accuracy, loss and confusion matrix on CASIA (no figure kept)",
        "student system on CASIA (Dong et al., doi:10.1109/ChinaSIP.2013.6625374)",
        ClassifierConfig("ela-cnn", side=128, input="ela", rate=1e-4, batch=32, augment=("flip", "shift")),
    ),
    Recipe(
        "ela-resnet50",
        "error level analysis as the input picture of an ImageNet ResNet-50",
        "transfer option of ela-cnn (no figure kept)",
        "student system on CASIA (Dong et al., doi:10.1109/ChinaSIP.2013.6625374)",
        ClassifierConfig(
            "ela-resnet50", side=224, input="ela", rate=1e-4, batch=32, augment=("flip", "shift"), weights="imagenet"
        ),
    ),
    Recipe(
        "scratch-cnn-numpy",
        "the educational one: one 3×3 convolution, ReLU, max pool, dense, sigmoid on grey, written out in NumPy",
        "accuracy about 0.63 on CIFAKE",
        _CIFAKE,
        ClassifierConfig("scratch-cnn-numpy", side=32, rate=1e-2, batch=32, epochs=10, filters=8),
    ),
    Recipe(
        "resnet18-frozen",
        "ImageNet ResNet-18 with all but its last layer frozen",
        "accuracy about 0.69 on CIFAKE",
        _CIFAKE,
        ClassifierConfig("resnet18-frozen", side=32, rate=1e-3, batch=32, augment=("flip",), weights="imagenet"),
    ),
    Recipe(
        "resnet18-finetuned",
        "ImageNet ResNet-18 with layer4 and the last layer trained",
        "accuracy about 0.81 on CIFAKE",
        _CIFAKE,
        ClassifierConfig("resnet18-finetuned", side=32, rate=1e-4, batch=32, augment=("flip",), weights="imagenet"),
    ),
)


def recipe(name: str) -> Recipe:
    """Find a recipe by name.

    Raises
    ------
    RecipeError
        If there is none of that name.

    Examples
    --------
    >>> recipe("resnet18-scratch").defaults.rate
    0.0005
    """
    for one in RECIPES:
        if one.name == name:
            return one
    raise RecipeError(f"there is no recipe {name!r}: choose from {', '.join(one.name for one in RECIPES)}")


def choose(name: str | None, head: str | None) -> Recipe:
    """Find a recipe by its name, or the fusion with a head by that of the head; `fusion-xgboost` without either.

    Raises
    ------
    RecipeError
        If there is no such recipe, or it has another head.
    """
    chosen = recipe(name or f"fusion-{head or 'xgboost'}")
    if head is not None and chosen.head != head:
        raise RecipeError(f"--head {head} does not go with --recipe {chosen.name}: leave one out")
    return chosen


def check_knobs(
    of: Recipe, classifier: Mapping[str, object], fusion: Mapping[str, object], weights: str | None = None
) -> None:
    """Refuse knobs of the other kind of recipe, and those that go against each other: they would be ignored.

    Parameters
    ----------
    of
        The recipe.
    classifier, fusion
        Knobs of each kind by name; what is None, 0 or False was not given.
    weights
        The first weights, where they were given.

    Raises
    ------
    RecipeError
        With the first knob that is too much.
    """
    if fusion.get("extend") and weights:
        raise RecipeError("--extend goes on from the bundle's own weights: leave --weights out")
    if fusion.get("refit") and not fusion.get("extend"):
        raise RecipeError("--refit says how --extend goes on: name a bundle with that")
    own, foreign = (classifier, fusion) if of.head is None else (fusion, classifier)
    given = [name for name, value in foreign.items() if value]
    if given:
        names = [f"--{name.replace('_', '-')}" for name in (given[0], *own)]
        raise RecipeError(f"{names[0]} is not for {of.name}: it has {', '.join(names[1:])} and --weights")


def settings(of: Recipe, **changes: Any) -> ClassifierConfig:  # noqa: ANN401 - values of ClassifierConfig's fields
    """Take a classifier's defaults with some changed; a change of None keeps the default.

    Raises
    ------
    RecipeError
        If the recipe is no classifier, or a change is unknown or out of range.
    """
    if of.defaults is None:
        raise RecipeError(f"{of.name} is not a classifier: its knobs are --head, --network, --weights and --steps")
    wanted = {name: value for name, value in changes.items() if value is not None}
    unknown = sorted(wanted.keys() - {field.name for field in fields(ClassifierConfig)})
    if unknown:
        raise RecipeError(f"unknown setting {unknown[0]!r} for {of.name}")
    numpy = of.defaults.network == "scratch-cnn-numpy"
    for name in ("precision", "weight_decay") if numpy else ("filters",):
        if name in wanted:
            raise RecipeError(f"--{name.replace('_', '-')} is not for {of.name}: leave it out")
    config = replace(of.defaults, **wanted)
    for name in config.augment:
        if name not in AUGMENTATIONS:
            raise RecipeError(f"there is no augmentation {name!r}: choose from {', '.join(AUGMENTATIONS)}")
    if config.rate <= 0 or config.epochs < 1 or config.batch < 2 or config.side < 16:  # batch norm needs two
        raise RecipeError("rate and epochs must be positive, batch at least 2, and side at least 16 px")
    return config


def first_weights(weights: str) -> dict[str, str]:
    """What a manifest says of first weights: `weights`, and of a file its name alone and `weights_sha256`.

    Parameters
    ----------
    weights
        `none`, `imagenet` or a file.
    """
    if weights in NAMED_WEIGHTS:
        return {"weights": weights}
    return {"weights": Path(weights).name, "weights_sha256": sum_of(Path(weights))}


def weights_sum(weights: str) -> str:
    """Sum of a file of first weights, or their name: what tells them from others."""
    return weights if weights in NAMED_WEIGHTS else sum_of(Path(weights))


def stated(config: Mapping[str, Any]) -> ClassifierConfig:
    """Read the knobs that a bundle states of its training; what it does not know keeps its default."""
    names = {field.name for field in fields(ClassifierConfig)}
    known: dict[str, Any] = {name: value for name, value in config.items() if name in names}
    return ClassifierConfig(**{**known, "augment": tuple(known.get("augment", ()))})
