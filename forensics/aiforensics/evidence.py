"""The words that every part of the toolkit shares, as frozen dataclasses.

Nothing here computes. A picture becomes measurements and claims, those become a `Finding`, and a `Finding` is what
the command line prints, the report shows and the API returns. `Finding.to_dict` and `Refusal.to_dict` are the JSON of
the command line contract: keys may be added there, none may be renamed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

SCHEMA = "aiforensics.finding/1"

Verdict = Literal["ai", "real", "inconclusive"]
QualityLevel = Literal["good", "limited", "poor"]
ProvenanceLevel = Literal["signed-trusted", "signed", "invalid", "claimed", "watermark", "none"]
ProvenanceOrigin = Literal["ai", "camera", "edited", "unknown"]
ClaimRecord = Literal["none", "own", "other"]
ErrorKind = Literal["unreadable", "unsupported", "too-large", "truncated", "timeout", "not-found"]


class InputError(Exception):
    """An input that cannot be examined, with the one line that tells its owner what to do.

    Parameters
    ----------
    kind
        What is wrong, in the words of the command line contract.
    message
        One plain line without a trailing full stop: what is wrong and what to do about it.
    """

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind: ErrorKind = kind
        self.message = message

    def __reduce__(self) -> tuple[type[InputError], tuple[ErrorKind, str]]:
        """Give both parts: what an exception is made anew of, such as in another process, is its message alone."""
        return type(self), (self.kind, self.message)


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """What a feature is: its full name (`analyzer.feature`), its unit and its meaning in one line.

    `unit` is a short word such as `grey levels`, `dB`, `ratio` or `bits`; a pure number is `1`.
    """

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Feature:
    """One measured number: full name (`analyzer.feature`), finite value, unit."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Card:
    """The plain-language card of a cue, shown wherever the cue is shown.

    Attributes
    ----------
    title
        What a person calls the cue, such as "Error level analysis".
    looks_for
        What it looks for, in one or two sentences.
    fooled_by
        What imitates or hides the trace.
    ignore_when
        When a careful person ignores it.
    source
        The paper, equation or DOI that the measurement follows.
    map_key
        How its map is read, in one line; empty where it draws none.
    """

    title: str
    looks_for: str
    fooled_by: str
    ignore_when: str
    source: str
    map_key: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """All features of one analyzer on one picture, in the order of the analyzer's specs.

    Attributes
    ----------
    analyzer
        Its name.
    features
        What it measured.
    contribution
        Share of all its features together in the log-odds of `ai`; None where none of them is in the score.
    """

    analyzer: str
    features: tuple[Feature, ...]
    contribution: float | None = None

    def values(self) -> dict[str, float]:
        """Short feature names (without the analyzer's prefix) against their values."""
        return {f.name.removeprefix(f"{self.analyzer}."): f.value for f in self.features}


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that the file says of itself. A claim is reported, never believed.

    Attributes
    ----------
    kind
        What is claimed, such as `camera`, `generator`, `prompt`, `date`, `signature`, `contradiction`.
    value
        The claim in plain words, already cut to a bounded length.
    source
        Where it stands, such as `EXIF Make/Model`, `PNG tEXt parameters` or `C2PA manifest`.
    origin
        What the claim says of the origin, or `unknown` when it says nothing of it.
    private
        True for names, places and prompts, which `--redact` removes.
    record
        The signed record that it comes from: `none`, `own` for the file's own one and others whose signers are trusted
        as its signer is, `other` for one that is only carried along.
    """

    kind: str
    value: str
    source: str
    origin: ProvenanceOrigin = "unknown"
    private: bool = False
    record: ClaimRecord = "none"


@dataclass(frozen=True, slots=True)
class Provenance:
    """The ladder of what the file says of itself, apart from the pixel score."""

    level: ProvenanceLevel = "none"
    origin: ProvenanceOrigin = "unknown"
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Quality:
    """How much the pixels allow anyone to say, with the facts that limit it."""

    level: QualityLevel
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """One contribution to the score.

    Attributes
    ----------
    feature
        Full name of the feature, or the name of the part of the model (such as `embedding`) that it comes from.
    value, unit
        The measured value and its unit.
    contribution
        Additive share in the log-odds of `ai`; positive speaks for `ai`, negative for `real`.
    text
        The same in words.
    """

    feature: str
    value: float
    unit: str
    contribution: float
    text: str


@dataclass(frozen=True, slots=True)
class ModelRef:
    """The bundle that gave a score: its name, version and the sha256 of its `bundle.json`."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ToolRef:
    """The program that wrote a finding."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Everything that the toolkit says of one picture.

    Attributes
    ----------
    path
        The input as the user named it (`-` for standard input).
    sha256, bytes, format, width, height
        Facts of the file; width and height in pixels as stored, before any EXIF rotation.
    verdict
        `ai`, `real` or `inconclusive`.
    p_ai
        Calibrated probability in [0, 1] that the pixels were made by an AI model.
    interval
        Low and high end in [0, 1] of the interval in which 90 % of the answers to other deliveries of the same picture
        (re-saved, cropped) are expected. It says nothing of pictures that the model does not know.
    quality, provenance
        The second axis and the ladder of claims; neither ever changes `p_ai`.
    analyzers
        Measurements of every analyzer that ran.
    reasons
        Contributions to the score, strongest first.
    start
        Log-odds from which the model starts; with the contributions of all analyzers it makes the score.
    model, tool
        The bundle that gave the score, and the program that wrote the finding.
    notes
        What was done to decode the picture and what the reader should know, one line each.
    condition
        The name of the calibration condition that the picture was judged under.
    decision
        Why the verdict is what it is, in a sentence or two.
    seconds
        Wall time; the only field that may differ between two runs.
    """

    path: str
    sha256: str
    bytes: int
    format: str
    width: int
    height: int
    verdict: Verdict
    p_ai: float
    interval: tuple[float, float]
    quality: Quality
    provenance: Provenance
    analyzers: tuple[Measurement, ...]
    reasons: tuple[Reason, ...]
    model: ModelRef
    tool: ToolRef
    seconds: float
    notes: tuple[str, ...] = ()
    condition: str = ""
    decision: str = ""
    start: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The finding in the form of the command line contract, ready for `json.dumps`."""
        return {
            "schema": SCHEMA,
            "path": self.path,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "format": self.format,
            "width": self.width,
            "height": self.height,
            "verdict": self.verdict,
            "p_ai": _short(self.p_ai),
            "interval": [_short(v) for v in self.interval],
            "quality": {"level": self.quality.level, "reasons": list(self.quality.reasons)},
            "provenance": {
                "level": self.provenance.level,
                "origin": self.provenance.origin,
                "claims": [
                    {"kind": c.kind, "value": c.value, "source": c.source, "origin": c.origin}
                    for c in self.provenance.claims
                ],
            },
            "analyzers": {m.analyzer: {k: _short(v) for k, v in m.values().items()} for m in self.analyzers},
            "contributions": {m.analyzer: _short(m.contribution) for m in self.analyzers if m.contribution is not None},
            "start": _short(self.start),
            "reasons": [
                {
                    "feature": r.feature,
                    "value": _short(r.value),
                    "unit": r.unit,
                    "contribution": _short(r.contribution),
                    "text": r.text,
                }
                for r in self.reasons
            ],
            "condition": self.condition,
            "decision": self.decision,
            "notes": list(self.notes),
            "model": {"name": self.model.name, "version": self.model.version, "sha256": self.model.sha256},
            "tool": {"name": self.tool.name, "version": self.tool.version},
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """An input that was refused: the error object of the contract."""

    path: str
    kind: ErrorKind
    message: str

    @classmethod
    def of(cls, path: str, error: BaseException) -> Refusal:
        """Say in an input's own refusal what went wrong with it, whatever it was."""
        if isinstance(error, InputError):
            return cls(path, error.kind, error.message)
        if isinstance(error, MemoryError):
            return cls(path, "too-large", "there is not enough memory for this picture")
        return cls(path, "unreadable", f"the scan failed: {type(error).__name__}: {error}")

    def to_dict(self) -> dict[str, Any]:
        """The refusal in the form of the command line contract."""
        return {"schema": SCHEMA, "path": self.path, "error": {"kind": self.kind, "message": self.message}}


def _short(value: float) -> float:
    """Six significant digits: below them, numbers carry the machine's rounding and no evidence."""
    return float(f"{value:.6g}")
