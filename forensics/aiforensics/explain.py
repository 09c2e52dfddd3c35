"""A finding in words: the sentences that the report and the command line share.

The wording is careful on purpose. A probability is not proof, a claim in a file is a lead and not a fact, and calling a
real photograph AI-made harms whoever took it, so nothing here says more than the measurement does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aiforensics.evidence import (
    Card,
    Finding,
    Provenance,
    ProvenanceLevel,
    ProvenanceOrigin,
    QualityLevel,
    Verdict,
)
from aiforensics.provenance.ladder import is_vouched
from aiforensics.quality import COARSE, LARGE, SMALL

HEADLINES: Final[dict[Verdict, str]] = {
    "ai": "Likely AI-generated",
    "real": "Likely a real photograph or human-made picture",
    "inconclusive": "Inconclusive",
}
"""The verdict in words, as a headline."""

SHORT_VERDICTS: Final[dict[Verdict, str]] = {"ai": "Likely AI", "real": "Likely real", "inconclusive": "Inconclusive"}
"""The verdict in two words, for a table."""

QUALITY_WORDS: Final[dict[QualityLevel, str]] = {
    "good": "The pixels carry enough traces to measure.",
    "limited": "The pixels tell less than usual, so trust the verdict less.",
    "poor": "The pixels cannot settle the question.",
}
"""What a level of evidence quality means for the reader."""

_SMALLER, _LARGER = f"shorter side up to {LARGE} pixels", f"shorter side of more than {LARGE} pixels"
_COMPRESSED = f"compressed on the file's own grid (like JPEG quality {COARSE - 1} or lower)"
CONDITION_WORDS: Final[dict[str, str]] = {
    "good": f"no strong compression on the file's own grid, {_SMALLER}",
    "compressed": f"{_COMPRESSED}, {_SMALLER}",
    "large-good": f"no strong compression on the file's own grid, {_LARGER}",
    "large-compressed": f"{_COMPRESSED}, {_LARGER}",
    "small": f"a shorter side of less than {SMALL} pixels",
    "grey": "a picture without colour",
}
"""The calibration conditions of the shipped bundle in words; each has a line of its own from score to probability."""

ORIGIN_WORDS: Final[dict[ProvenanceOrigin, str]] = {
    "ai": "made by AI",
    "camera": "taken by a camera",
    "edited": "edited with software",
    "unknown": "says nothing of the origin",
}
"""What a claim says of the origin."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One level of the provenance ladder: its name in words and what it is worth."""

    level: ProvenanceLevel
    name: str
    worth: str


LADDER: Final[tuple[Rung, ...]] = (
    Rung("signed-trusted", "Signed, signer trusted", "A known signer vouches for the file as it is now."),
    Rung("signed", "Signed, signer unknown", "Unchanged since it was signed, but anyone can make such a signature."),
    Rung("invalid", "Signature does not hold", "Changed after signing, expired or not accepted; the claim says which."),
    Rung("claimed", "Unsigned claim", "Metadata says something. Anyone can write or copy metadata."),
    Rung("watermark", "Open watermark", "A publicly readable mark was found. It can be copied onto any picture."),
    Rung(
        "none",
        "Nothing",
        "No claim of the origin was recognised. Absence proves nothing: most websites strip metadata.",
    ),
)
"""The levels of provenance, the strongest first."""

NETWORK_CARD: Final = Card(
    title="Embedding network",
    looks_for="Patterns in the pixels of each window that a neural network learned from pictures of known origin. "
    "The model card says which network, and on what it was trained.",
    fooled_by="Generators unlike those it was trained on, strong re-compression, added noise, "
    "and photographs processed heavily by a phone.",
    ignore_when="The evidence quality is poor, or the picture is a drawing, a scan or a screenshot.",
    source="The bundle's model card (aiforensics models show)",
    map_key="Orange: what speaks for AI to the network; blue: for a real picture. Of a fusion, as the default model "
    "is, it is only the part that goes through the mean of the last layer: it can disagree with the whole. The "
    "strongest place of the picture has full colour, however weak it is. Places are rough: off by up to a fifth of a "
    "window, at times by more.",
)
"""The card of the embedding network, which is part of the model and no analyzer."""

GRADCAM: Final = "Grad-CAM"
"""The title of the network's maps that `--gradcam` draws."""

GRADCAM_CARD: Final = replace(
    NETWORK_CARD,
    map_key="Orange: where Grad-CAM finds what speaks for AI to the network; blue: for a real picture. Each side is "
    "stretched to its own strongest place in every window: the colours tell roughly where, not how much, and are no "
    "part of the share.",
)
"""The card of the network where its maps are Grad-CAM's."""

CAUTION: Final = (
    "This is a probability, not proof. Calling a real photograph AI-made harms the person who took it: "
    "look for the original, its first publication and its author before you decide."
)
"""The one warning that stands beside each verdict."""

SHARES: Final = (
    "A share is how the model divides its score, and proves nothing alone: cues overlap, so that without one the score "
    "would move by another amount, now and then the other way. A share that does not double the odds (0.69) speaks "
    "slightly, one that makes them tenfold (2.30) strongly, any between clearly."
)
"""What the shares of a score are, and what their words stand for."""

LIMITS: Final[tuple[str, ...]] = (
    "The probability supposes that one picture in two is made by AI. Where one in twenty is, 91 % at even odds means "
    "35 %; an interval covers re-saves and crops of this picture, not generators that the model has never seen.",
    "The thresholds are set so that few real photographs are called AI. Some AI pictures are therefore missed: "
    "“likely real” is not a certificate of authenticity.",
    "It judges how the pixels were made, not whether the scene, the caption or the date is true. "
    "A real photograph can mislead, and an AI picture can be honest about what it is.",
    "A photograph edited with AI in one small region can score as real: of a large one only some windows are examined.",
    "Screenshots, scans, drawings, strong filters and repeated re-saving remove or imitate the traces.",
    "Invisible watermarks such as SynthID can be checked only with their makers' own tools (Google's is open to "
    "everybody in its Gemini app); this tool cannot read them.",
)
"""What no verdict of this tool can promise."""


def percent(p: float) -> str:
    """Write a probability in whole per cent that never rounds to certainty.

    Parameters
    ----------
    p
        Probability in [0, 1].

    Examples
    --------
    >>> percent(0.724), percent(0.999), percent(0.001)
    ('72%', '>99%', '<1%')
    """
    if p < 0.01:
        return "<1%"
    return ">99%" if p > 0.99 else f"{round(100 * p)}%"


def percent_range(low: float, high: float) -> str:
    """Write an interval of probabilities in words.

    Examples
    --------
    >>> percent_range(0.58, 0.83), percent_range(0.002, 0.05)
    ('58% to 83%', '<1% to 5%')
    """
    return f"{percent(low)} to {percent(high)}"


def size_words(count: int) -> str:
    """Write a number of bytes with a unit a person reads.

    Examples
    --------
    >>> size_words(812), size_words(48_213), size_words(999_960), size_words(4_821_300)
    ('812 bytes', '48.2 kB', '1.0 MB', '4.8 MB')
    """
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1e3:.1f} kB" if count < 999_950 else f"{count / 1e6:.1f} MB"


def score_words(finding: Finding) -> str:
    """Say what the shares of a finding add up to, before calibration.

    Parameters
    ----------
    finding
        A finding; only its shares and its probability are read.

    Returns
    -------
    str
        One sentence; empty where the model gave no shares.
    """
    shares = [one.contribution for one in finding.analyzers if one.contribution is not None]
    if not shares:
        return ""
    whole = sum(shares)
    score = whole + finding.start
    start = f"the {finding.start:+.2f} that the model starts from"
    return f"All shares make {whole:+.2f}; with {start}, the score is {score:+.2f}."


def overall(finding: Finding) -> str:
    """Say what the file says of itself, what that is worth, and whether the pixels agree.

    Parameters
    ----------
    finding
        A finding; only its provenance and its verdict are read.

    Returns
    -------
    str
        One to three plain sentences.
    """
    said = _said(finding.provenance)
    agree = {("ai", "ai"): True, ("camera", "real"): True, ("ai", "real"): False, ("camera", "ai"): False}
    same = agree.get((finding.provenance.origin, finding.verdict))
    if same is None or said in (_BROKEN, _NOTHING, _UNRECOGNISED):
        return said
    if same:
        return f"{said} The pixels point the same way."
    return f"{said} The pixels point the other way{'.' if said.endswith(_OUTWEIGHS) else _DISPUTED}"


def top_reason(finding: Mapping[str, Any]) -> str:
    """Text of the strongest reason for the probability of a finding in the form of the command line contract.

    A stronger one that speaks against it is not told beside it. Of evidence too poor to judge it is what makes it so,
    because no cue counts there; empty where nothing is told.
    """
    if finding["quality"]["level"] == "poor" and finding["quality"]["reasons"]:
        return f"not judged: {'; '.join(finding['quality']['reasons'])}"
    side = finding["p_ai"] - 0.5
    return next((str(one["text"]) for one in finding["reasons"] if one.get("contribution", side) * side >= 0), "")


def _said(provenance: Provenance) -> str:
    """What the file says of its making, and what that is worth."""
    level, origin = provenance.level, provenance.origin
    kinds = {claim.kind for claim in provenance.claims}
    broken = level == "invalid" and ("signature-invalid" in kinds or not kinds & _LAPSED)
    if level == "none" or broken:
        return _BROKEN if broken else _UNRECOGNISED if "text" in kinds else _NOTHING
    unread = level == "claimed" and "signature" in kinds
    if origin == "unknown":
        return _UNREAD if unread else f"{_CARRIERS[level]} but says nothing of how the picture was made."
    if level == "signed-trusted":
        return _trusted_says(provenance)
    carrier = f"{_UNREAD} Its other metadata say" if unread else f"{_CARRIERS[level]} and says"
    return f"{carrier} {_CLAIMED[origin]}. {_WORTH[level]}"


def _trusted_says(provenance: Provenance) -> str:
    """The same of a file that a trusted signer signed, who need not be the one that tells the origin."""
    carrier, said = _CARRIERS["signed-trusted"], _CLAIMED[provenance.origin]
    tellers = [claim for claim in provenance.claims if claim.origin == provenance.origin]
    if tellers and not any(map(is_vouched, tellers)):
        return f"{carrier}, who does not tell its making. What else it carries says {said}. {_WORTH['claimed']}"
    # How a picture was edited does not tell how it came to be, so that it outweighs nothing.
    return f"{carrier} and says {said}.{'' if provenance.origin == 'edited' else f' {_OUTWEIGHS}'}"


_CLAIMED: Final[dict[ProvenanceOrigin, str]] = {
    "ai": "that it was made by AI",
    "camera": "that a camera took it",
    "edited": "that it was edited, which does not tell how it was first made",
}
_OUTWEIGHS: Final = "This outweighs the pixel score."
_DISPUTED: Final = ": treat the origin as disputed."
_LAPSED = {"signature-expired", "signature-unaccepted"}
_CARRIERS: Final[dict[ProvenanceLevel, str]] = {
    "signed-trusted": "The file is signed by a trusted signer",
    "signed": "The file carries a signature by an unknown signer",
    "invalid": "The file is unchanged since it was signed, under a certificate or with a record that is not accepted,",
    "claimed": "The file carries unsigned metadata",
    "watermark": "The picture carries an open watermark",
}
_WORTH: Final[dict[ProvenanceLevel, str]] = {
    "signed": "Anyone can sign so: a lead, not proof.",
    "invalid": "Nobody vouches for it now: a lead, not proof.",
    "claimed": "Anyone can write metadata: a lead, not proof.",
    "watermark": "Such a mark can be copied: a lead, not proof.",
}
_UNREAD: Final = "The file announces Content Credentials that were not checked; the claim below says why."
_BROKEN: Final = (
    "The file carries a signature that does not hold; the claim below says why. Trust nothing that its record says."
)
_NOTHING: Final = (
    "The file says nothing of its origin. Absence proves nothing: most websites and messengers strip metadata."
)
_UNRECOGNISED: Final = (
    "No claim of the origin was recognised; what the file's texts say is not judged. Absence proves nothing: most "
    "websites and messengers strip metadata."
)
