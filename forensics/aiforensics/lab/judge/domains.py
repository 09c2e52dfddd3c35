"""How a bundle does on two domains before and after it learned one: on pictures that it learned from at no time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiforensics.evidence import InputError
from aiforensics.image import read
from aiforensics.lab.data import overlap
from aiforensics.lab.data.dataset import DatasetError, Sample
from aiforensics.lab.data.progress import Report
from aiforensics.lab.data.sums import sum_of
from aiforensics.lab.judge.detector import Detector
from aiforensics.lab.judge.evaluate import Judged, check_judged, panel
from aiforensics.lab.pages.words import left_out
from aiforensics_models.bundle import Bundle


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Test pictures of a domain that a bundle has not learned from, and of how many."""

    pictures: tuple[Sample, ...]
    of: int


def held_out(
    bundle: Bundle, domains: Mapping[str, Sequence[Sample]], train: Sequence[Sample], report: Report
) -> dict[str, HeldOut]:
    """Take what each domain can be judged on: its split `test`, without what the bundle had learned from or will.

    Two data sets are split apart, so that a picture of both may be `test` in one and not in the other.

    Parameters
    ----------
    bundle
        As it is before.
    domains
        The data sets of `new` and, where there is one, `old`.
    train
        What it learns from now; `test` is left out.
    report
        Takes a line for what is left out, and for what both domains are judged on.

    Raises
    ------
    DatasetError
        No picture of a class is left.
    """
    now = {sum_of(one.path)[: overlap.DIGITS] for one in train if one.split != "test"}
    before = overlap.seen(bundle)
    if before is None:
        report(f"mind: {bundle.name} does not state what it had learned from: test pictures may be among it")
    learned = now | (before or frozenset())
    found, sums = {}, {}
    for domain, samples in domains.items():
        test = {one: sum_of(one.path) for one in samples if one.split == "test"}
        sums[domain] = {one: name for one, name in test.items() if name[: overlap.DIGITS] not in learned}
        found[domain] = HeldOut(tuple(sums[domain]), len(test))
        if gone := len(test) - len(sums[domain]):
            report(
                f"mind: {gone} of the {len(test)} test pictures of the {domain} data are left out: {bundle.name} had "
                "learned from them, or learns from them now"
            )
        for label in ("real", "ai"):
            if gone and all(one.label != label for one in sums[domain]):
                raise DatasetError(
                    f"{bundle.name} had learned from every {label} test picture of the {domain} data, or learns from "
                    "it now: give others the split test"
                )
    mine = set(sums["new"].values())
    if met := sum(name in mine for name in sums.get("old", {}).values()):
        what = (
            f"{met} of the {len(sums['old'])} test pictures of the old data are test pictures of the new data as well"
        )
        report(f"mind: {what}: on them no forgetting can be measured")
    return found


def judged(
    domains: Mapping[str, HeldOut], judge: Detector, report: Report, kept: dict[str, Judged] | None = None
) -> dict[str, dict[str, Any]]:
    """Figures of a detector on each domain, as of `as_found`.

    Parameters
    ----------
    domains
        The pictures.
    judge
        The detector.
    report
        Takes lines of progress.
    kept
        Takes every judgement by domain.
    """
    found = {}
    for domain, held in domains.items():
        pairs: Judged = [] if kept is None else kept.setdefault(domain, [])
        found[domain] = as_found(held.pictures, judge, pairs)
        if line := left_out(found[domain]["refused"], found[domain]["pictures"]["of"]):
            report(f"{domain} domain: {line}")
        count = found[domain]["pictures"]["judged"]
        said = f"accuracy {found[domain]['accuracy']:.3f}, AUC {found[domain]['roc_auc']:.3f}"
        report(f"{domain} domain: {said} on {count} test pictures that it does not learn from")
    return found


def as_found(samples: Sequence[Sample], judge: Detector, kept: Judged | None = None) -> dict[str, Any]:
    """Figures of a detector on the files as they are, as `Panel.to_dict` gives them, without curves.

    Beside them `pictures` (`judged` and `of`) and `refused`, path and reason of each picture that was left out. `kept`
    takes every judgement.
    """
    pairs: Judged = [] if kept is None else kept
    refused: list[tuple[str, str]] = []
    for sample in samples:
        try:
            pairs.append((sample, judge.score(read(sample.path))))
        except InputError as error:
            refused.append((str(sample.path), error.message))  # no evidence for or against a detector
    check_judged(samples, (pairs,), refused)
    content = panel("as found", "files as found", pairs).to_dict()
    content.pop("curves")
    return content | {"pictures": {"judged": len(pairs), "of": len(samples)}, "refused": list(map(list, refused))}
