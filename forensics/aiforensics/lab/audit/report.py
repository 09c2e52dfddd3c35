"""What an audit of a data set says: shortcuts, duplicates, balance, and remarks in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from aiforensics.lab.judge.evaluate import plain
from aiforensics.lab.judge.metrics import Figure

Level = Literal["leak", "warning", "note"]
MAX_AUC = 0.55
"""A cue that tells the classes apart better than this is a shortcut."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One finding of the audit, in words, with what to do."""

    level: Level
    text: str
    advice: str


@dataclass(frozen=True, slots=True)
class SourceRow:
    """How many pictures a source gives, by split."""

    source: str
    label: str
    pictures: int
    train: int
    val: int
    test: int


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Families of pictures with equal bytes, or that look the same; blank pictures are left out.

    Attributes
    ----------
    exact, near
        Numbers of families with equal bytes, and of families that look the same, the exact ones included.
    across_splits, across_classes
        Numbers of families (exact or near) that stand in several splits, and in both classes.
    exact_across_classes
        Numbers of families with equal bytes in both classes.
    alike_across_classes
        Numbers of families in both classes that look the same there without equal bytes.
    examples
        Some families across splits or classes, as paths.
    """

    exact: int = 0
    near: int = 0
    across_splits: int = 0
    across_classes: int = 0
    exact_across_classes: int = 0
    alike_across_classes: int = 0
    examples: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found.

    Attributes
    ----------
    pictures
        Pictures by class.
    cues
        ROC AUC of each cue alone, and of `all` together, out of fold by group; the intervals hold for all of them at
        once in 95 % of the cases. NaN for a cue that was not tested, as one that no picture has.
    sources, duplicates
        Balance, and pictures that stand there twice.
    split_groups
        Number of groups whose pictures were given several splits.
    formats, sizes
        By class: pictures of each container, and 5, 50 and 95 % quantiles of the longer side in pixels.
    broken
        Files that cannot be read, and why.
    remarks
        Everything worth saying, the gravest first.
    """

    pictures: dict[str, int]
    cues: dict[str, Figure]
    sources: tuple[SourceRow, ...] = ()
    duplicates: Duplicates = Duplicates()
    split_groups: int = 0
    formats: dict[str, dict[str, int]] | None = None
    sizes: dict[str, tuple[float, float, float]] | None = None
    broken: tuple[tuple[str, str], ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def leaks(self) -> bool:
        """Whether something other than the pictures tells the classes or the answers."""
        return any(remark.level == "leak" for remark in self.remarks)

    @property
    def contaminated(self) -> bool:
        """Whether pictures or groups stand in several splits, or one picture in both classes: no view can mend that."""
        return self.duplicates.across_splits + self.duplicates.exact_across_classes + self.split_groups > 0

    def to_dict(self) -> dict[str, Any]:
        """Turn the report into plain data for JSON; what cannot be told is None."""
        facts = plain(asdict(self))
        for name, cue in self.cues.items():
            facts["cues"][name]["leaks"] = leaks(cue)
        return {"schema": "aiforensics.audit/1", "leaks": self.leaks, "contaminated": self.contaminated, **facts}


def leaks(cue: Figure) -> bool:
    """Whether a cue tells the classes apart, beyond what chance can explain in as many cues."""
    return cue.value > MAX_AUC and cue.low > 0.5
