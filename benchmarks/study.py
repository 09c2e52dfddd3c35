"""The first system's study as one command: three classifiers on CIFAKE, three new generators, two ways to adapt.

    python benchmarks/study.py cifake.zip --work study --table study.md

Trains `cnn`, `resnet` and `cbam-resnet` on CIFAKE; trains a GAN, a VAE and a diffusion model on CIFAKE's real
pictures; tests the classifiers on their pictures (the drop); adapts each classifier to each generator by its head and
in full (the recovery) and tests again on both domains (forgetting). What is done is kept, so a stopped study goes on.

Real pictures of the new domains are CIFAKE's own, kept out of the classifiers' training and of CIFAKE's test here, and
generated pictures are saved as JPEG of the same quality: neither subject, size nor codec tells the domains apart.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from aiforensics.image import read
from aiforensics.lab.adapting import Adaptation, adapt
from aiforensics.lab.data.dataset import Label, Sample, Split
from aiforensics.lab.data.views import Codec
from aiforensics.lab.judge.domains import as_found
from aiforensics.lab.judge.quick import open_detector
from aiforensics.lab.making import Job
from aiforensics.lab.systems import System
from aiforensics.lab.train.recipes import recipe, settings
from aiforensics.lab.train.synthesis import SynthConfig, sample_to, train_generator
from aiforensics_models.bundle import MANIFEST
from aiforensics_models.generators import KINDS

RECIPES = ("cnn", "resnet", "cbam-resnet")
LABELS: dict[str, Label] = {"REAL": "real", "FAKE": "ai"}
STRATEGIES = ("head", "full")


def main() -> None:
    """Run the study."""
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    pictures = unpack(options.cifake, options.work / "cifake")
    old, spare = cifake_samples(pictures, options.per_class, options.samples, options.test_pictures)
    say(f"CIFAKE here: {_counts(old)}; {len(spare)} real pictures for the new domains")
    domains = {kind: new_domain(kind, old, spare, options) for kind in KINDS}
    rows: list[dict[str, Any]] = []
    for name in RECIPES:
        bundle = trained(name, old, options)
        home = as_found([s for s in old if s.split == "test"], open_detector(bundle))
        say(f"{name} on CIFAKE: accuracy {home['accuracy']:.3f}")
        for kind, new in domains.items():
            rows.append(
                {"recipe": name, "generator": kind, "cifake": _brief(home), **adapted(bundle, new, old, kind, options)}
            )
            _write(options, rows)
    sys.stdout.write(table(rows))


def unpack(source: Path, folder: Path) -> dict[tuple[str, Label], list[Path]]:
    """Give the pictures of CIFAKE, in a zip or a folder with `train/REAL` and so on, by part and label, by name."""
    if source.is_file():
        if not folder.is_dir():
            with zipfile.ZipFile(source) as archive:
                for member in archive.namelist():
                    parts = PurePosixPath(member).parts
                    if len(parts) == 3 and parts[0] in ("train", "test") and parts[1] in LABELS:
                        path = folder / parts[0] / parts[1] / parts[2]
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.write_bytes(archive.read(member))
        source = folder
    found = {
        (part, label): sorted((source / part / name).glob("*.jpg"))
        for part in ("train", "test")
        for name, label in LABELS.items()
    }
    if not all(found.values()):
        sys.exit(f"{source}: no CIFAKE (train/REAL, train/FAKE, test/REAL, test/FAKE)")
    return found


def cifake_samples(
    pictures: Mapping[tuple[str, Label], Sequence[Path]], per_class: int, new: int, test: int
) -> tuple[list[Sample], list[Sample]]:
    """Samples of the old domain, and real samples that are kept for the new ones, so that no picture is in both."""
    rng = np.random.default_rng(0)
    old: list[Sample] = []
    spare: list[Sample] = []
    for (part, label), paths in pictures.items():
        order = [paths[int(i)] for i in rng.permutation(len(paths))]
        if label == "real":
            kept = max(new // 4, 20) if part == "test" else new - new // 4
            kept = min(kept, len(order) // 2)
            taken, order = order[:kept], order[kept:]
            for i, path in enumerate(taken):
                split: Split = "test" if part == "test" else "val" if i % 5 == 0 else "train"
                spare.append(_sample(path, "real", "", split))
        for i, path in enumerate(order[: test if part == "test" else per_class]):
            split = "test" if part == "test" else "val" if i % 7 == 0 else "train"
            old.append(_sample(path, label, "sd-1.4" if label == "ai" else "", split))
    return old, spare


def new_domain(kind: str, old: Sequence[Sample], spare: Sequence[Sample], options: argparse.Namespace) -> list[Sample]:
    """Train a generator on the old domain's real training pictures and put its pictures beside the spare real ones."""
    folder = options.work / f"generator-{kind}"
    real = [s.path for s in old if s.label == "real" and s.split == "train"]
    if not (folder / "generator.json").is_file():
        limits = {"minutes": options.generator_minutes, "steps": options.generator_steps}
        config = SynthConfig(kind, **limits, precision=options.precision)
        train_generator(real, folder, config, lambda line: say(f"{kind}: {line}"))
    made = options.work / f"made-{kind}"
    if len(list(made.rglob("*.jpg"))) < len(spare):
        facts = [read(path).jpeg for path in real[:50]]
        quality = int(np.median([fact.quality for fact in facts if fact is not None] or [95]))
        sample_to(folder, made, len(spare), codec=Codec("JPEG", quality), report=lambda _line: None)
    files = sorted(made.rglob("*.jpg"))
    return [*spare, *(_sample(path, "ai", kind, mate.split) for path, mate in zip(files, spare, strict=True))]


def trained(name: str, old: Sequence[Sample], options: argparse.Namespace) -> Path:
    """Train a recipe on the old domain, unless that is done."""
    work = options.work / name
    bundle: Path = work / "bundle"
    if not (bundle / MANIFEST).is_file():
        limits = {"epochs": options.epochs, "minutes": options.minutes}
        config = settings(recipe(name), **limits, precision=options.precision)
        report = _reporter(name)
        System(recipe(name), config).trainer(old, name, report)(bundle, work)
    return bundle


def adapted(
    bundle: Path, new: Sequence[Sample], old: Sequence[Sample], kind: str, options: argparse.Namespace
) -> dict[str, Any]:
    """Figures on a new domain before, and on both domains after each way to adapt."""
    row: dict[str, Any] = {}
    for strategy in STRATEGIES:
        work = bundle.parent / f"{kind}-{strategy}"
        kept = work / "adaptation.json"
        if not kept.is_file():
            how = Adaptation(strategy, epochs=options.adapt_epochs, minutes=options.minutes)  # type: ignore[arg-type]
            job = Job(work / "bundle", work, ["CIFAKE", kind], " ".join(sys.argv))
            report = _reporter(f"{bundle.parent.name} {kind} {strategy}")
            adapt(bundle, new, old, how, job, report, audited=True)  # one codec for all: eighteen audits say the same
        domains = json.loads(kept.read_text(encoding="utf-8"))["domains"]
        row["before"] = _brief(domains["new"]["before"])
        row[strategy] = {"new": _brief(domains["new"]["after"]), "old": _brief(domains["old"]["after"])}
    return row


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Write the drop and recovery table as Markdown: accuracy with its 95 % interval, answer forced at 50 %."""
    heads = [
        "classifier",
        "CIFAKE",
        "new generator",
        "before",
        "head: new",
        "head: CIFAKE",
        "full: new",
        "full: CIFAKE",
    ]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        cells = [row["cifake"], row["before"], *(row[s][d] for s in STRATEGIES for d in ("new", "old"))]
        text = [f"{c['accuracy']:.3f} ({c['low']:.3f}–{c['high']:.3f})" for c in cells]
        lines.append("| " + " | ".join([row["recipe"], text[0], row["generator"], *text[1:]]) + " |")
    return "\n".join(lines) + "\n"


def say(line: str) -> None:
    """Tell how far it is, on standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _reporter(name: str) -> Any:  # noqa: ANN401 - a callable that takes a line
    return lambda line: say(f"{name}: {line}")


def _sample(path: Path, label: Label, generator: str, split: Split) -> Sample:
    source = f"cifake-{label}" if generator in ("", "sd-1.4") else f"synth-{generator}"
    return Sample(path, label, source, generator, f"{source}/{path.stem}/{path.parent.name}", split)


def _brief(panel: Mapping[str, Any]) -> dict[str, float]:
    low, high = panel["intervals"]["accuracy"]
    names = ("accuracy", "precision", "recall", "f1", "roc_auc", "ece")
    return {name: panel[name] for name in names} | {"low": low, "high": high, "pictures": panel["judgements"]}


def _counts(samples: Sequence[Sample]) -> str:
    return ", ".join(f"{split} {sum(s.split == split for s in samples)}" for split in ("train", "val", "test"))


def _write(options: argparse.Namespace, rows: Sequence[Mapping[str, Any]]) -> None:
    content = {"options": {k: str(v) for k, v in vars(options).items()}, "rows": rows}
    (options.work / "study.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    if options.table is not None:
        options.table.write_text(table(rows), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cifake", type=Path, help="CIFAKE as a zip or a folder")
    parser.add_argument("--work", type=Path, default=Path("study"), help="folder for everything that is made")
    parser.add_argument("--table", type=Path, help="Markdown file for the table")
    parser.add_argument("--per-class", type=int, default=50_000, help="training pictures of each class at most")
    parser.add_argument("--test-pictures", type=int, default=10_000, help="CIFAKE test pictures of each class at most")
    parser.add_argument("--samples", type=int, default=4000, help="pictures of each class in a new domain")
    parser.add_argument("--epochs", type=int, default=30, help="passes of a classifier at most")
    parser.add_argument("--adapt-epochs", type=int, default=10, help="passes of an adaptation at most")
    parser.add_argument("--minutes", type=float, default=0.0, help="minutes of each training at most; 0: no limit")
    parser.add_argument("--generator-steps", type=int, default=20_000, help="steps of a generator at most")
    parser.add_argument("--generator-minutes", type=float, default=0.0, help="minutes of a generator at most")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="numbers of a step")
    return parser.parse_args()


if __name__ == "__main__":
    main()
