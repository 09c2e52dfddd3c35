"""The remarks of an audit: each finding in words, with what to do about it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from aiforensics.lab.audit.report import MAX_AUC, Duplicates, Remark, SourceRow, leaks
from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.data.duplicates import Fingerprint
from aiforensics.lab.judge.metrics import Figure
from aiforensics.lab.pages.words import reach

_CUE_WORDS = {
    "size": ("The picture size", "cut windows of one size from both classes, before anything else"),
    "format": ("The file format", "re-encode both classes alike, with the same mixture of formats"),
    "quality": (
        "The JPEG quality",
        "re-compress both classes with one distribution of qualities and chroma subsampling",
    ),
    "bytes": ("The file size", "train on decoded windows that went through the same codec, never on files"),
    "metadata": ("The metadata", "train on decoded pixels; metadata belongs to provenance, not to the score"),
    "name": ("The file name", "train on decoded pixels, and shuffle before any split by name"),
    "all": ("All of them together", "train with --augment delivery, as every fusion does: one view for both classes"),
}
_AFTER_A_VIEW = {
    "size": "bring both classes to one size, larger than the view, or leave the small pictures out",
    "quality": "gather both classes in the same formats and qualities, or re-compress their files first, with one "
    "distribution of qualities: older compression shows through the view",
    "all": "bring both classes to one size, larger than the view, and to the same formats and qualities first: older "
    "compression shows through the view",
}
"""What is left to do where a view has been applied: it hides neither what it cannot cut away nor older compression."""


def cue_remarks(cues: Mapping[str, Figure], *, prepared: bool) -> Iterable[Remark]:
    """Say which cues tell the classes apart, and which were not tested; `prepared` when a view has been applied."""
    untested = [name for name, auc in cues.items() if math.isnan(auc.value)]
    if len(untested) == len(cues):
        yield Remark("note", "No cue was tested: a class has too few groups of pictures", "audit more pictures")
        return
    for name in untested:
        what = "JPEG compression in the pixels" if prepared and name == "quality" else _CUE_WORDS[name][0]
        yield Remark(
            "note", f"{what} was not tested: no picture has any", "audit again where pictures with it join the set"
        )
    for name, auc in cues.items():
        what, advice = _CUE_WORDS[name]
        few = math.isnan(auc.low)
        interval = "" if few else f" ({reach((auc.low, auc.high), between=' to ')})"
        words = f"{what} alone tells the classes apart: AUC {auc.value:.3f}{interval}"
        words = words.replace("together alone tells", "together tell")
        if leaks(auc):
            yield Remark("leak", words, _AFTER_A_VIEW[name] if prepared else advice)
        elif auc.value > MAX_AUC:
            words = words.replace("tells the", "may tell the").replace("together tell", "together may tell")
            why = "a class has too few pictures to say how surely" if few else "chance can explain it"
            yield Remark("note", f"{words}; {why}", "audit more pictures to be sure")


def duplicate_remarks(found: Duplicates) -> Iterable[Remark]:
    """Say what stands in the set more than once."""
    if found.exact_across_classes:
        yield Remark(
            "leak",
            f"{_some(found.exact_across_classes, 'picture stands', 'pictures stand')} in both classes, byte for byte",
            "one of the labels is wrong: find out which and remove the other",
        )
    if found.across_splits:
        yield Remark(
            "leak",
            f"{_some(found.across_splits, 'family', 'families')} of duplicates across the splits",
            "give each family one group, so that it falls into one split, or remove all but one picture",
        )
    alike = found.alike_across_classes
    if alike:
        yield Remark(
            "warning",
            f"{_some(alike, 'family looks', 'families look')} the same in both classes",
            "right for aligned pairs (a picture and its own re-generation) of one split; else check the labels",
        )
    if found.near:
        yield Remark(
            "note",
            f"{_some(found.near, 'family', 'families')} of duplicates, {found.exact} with equal bytes",
            "keep one picture of each family, or weight the family as one",
        )


def misplaced(found: Duplicates) -> str:
    """Say which duplicates stand in several splits, or byte for byte in both classes; empty where none do."""
    words = " and ".join(
        f"{_some(count, 'family of duplicates stands', 'families of duplicates stand')} in {where}"
        for count, where in ((found.across_splits, "several splits"), (found.exact_across_classes, "both classes"))
        if count
    )
    return f"{words} (such as {', '.join(found.examples[0][:3])})" if words and found.examples else words


def balance_remarks(rows: Sequence[SourceRow]) -> Iterable[Remark]:
    """Say how even classes and sources are."""
    total = {label: sum(row.pictures for row in rows if row.label == label) for label in ("ai", "real")}
    few, many = sorted(total, key=lambda label: total[label])
    if total[many] > 3 * total[few]:
        yield Remark(
            "warning",
            f"{total[many]} {many} pictures against {total[few]} {few}",
            "weight the classes equally in the loss and read balanced accuracy",
        )
    sources_of = Counter(row.label for row in rows)
    for row in rows:
        much = max(0.4, 1.2 / sources_of[row.label])  # of two sources even ones give half each
        if row.pictures > much * total[row.label]:
            share = row.pictures / total[row.label]
            yield Remark(
                "warning",
                f"{row.source} gives {share:.0%} of the {row.label} pictures",
                "cap it, or weight sources equally, so that the class is not that one source",
            )
    for label in ("ai", "real"):
        sources = [row for row in rows if row.label == label]
        if len(sources) < 3:
            yield Remark(
                "warning",
                f"the class {label} has {_some(len(sources), 'source', 'sources')}: source and class go together",
                "add sources; test with whole sources left out",
            )
        small = [row.source for row in sources if row.pictures < 20]
        if small:
            yield Remark(
                "note",
                f"{_some(len(small), f'{label} source has', f'{label} sources have')} fewer than 20 pictures: "
                f"{', '.join(small[:4])}{' …' if len(small) > 4 else ''}",
                "too few for a figure of their own: read them pooled",
            )
    mixed = {row.source for row in rows if row.label == "ai"} & {row.source for row in rows if row.label == "real"}
    if not mixed:
        yield Remark(
            "note",
            "every source belongs to one class only, so that cameras, scrapers and subjects go with the label",
            "report figures with whole sources of both classes left out (evaluate --leave-one-source-out)",
        )


def broken_remarks(count: int) -> Iterable[Remark]:
    """Say how many files cannot be read."""
    if count:
        yield Remark(
            "warning",
            f"{_some(count, 'picture', 'pictures')} cannot be read",
            "remove or replace them: training stops there",
        )


def blank_remarks(samples: Sequence[Sample], prints: Sequence[Fingerprint]) -> Iterable[Remark]:
    """Say which pictures show nothing."""
    blank = [sample.path for sample, one in zip(samples, prints, strict=True) if one.flat]
    if blank:
        named = Counter(f"{path.parent.name}/{path.name}" for path in blank)
        listed = ", ".join(name + (f" ({times} times)" if times > 1 else "") for name, times in named.most_common(3))
        more = " …" if len(named) > 3 else ""
        yield Remark(
            "note",
            f"{_some(len(blank), 'picture is', 'pictures are')} blank or nearly so: {listed}{more}",
            "remove them: they hold no trace of any origin",
        )


def _some(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
