"""All readers over one picture: claims, ladder, redaction."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from aiforensics.evidence import Claim, Provenance
from aiforensics.image.picture import Picture
from aiforensics.provenance import (
    aigc_label,
    content_credentials,
    contradictions,
    exif,
    generators,
    icc,
    iptc,
    jpeg_structure,
    ladder,
    text_chunks,
    watermark,
    xmp,
)
from aiforensics.provenance.dossier import BROKEN, Dossier, Reader, clean
from aiforensics.provenance.privacy import REMOVED, is_private
from aiforensics.provenance.trust import Anchors, read_anchors

READERS: tuple[Reader, ...] = (
    Reader("content-credentials", "C2PA Content Credentials", content_credentials.read),
    Reader("generators", "program, model, sampler, seed and prompt of an image generator", generators.read),
    Reader("iptc", "digital source type and IPTC records", iptc.read),
    Reader("aigc-label", "China's label for synthetic content", aigc_label.read),
    Reader("exif", "camera, lens, software, dates, place, names", exif.read),
    Reader("xmp", "credits, history and names in XMP", xmp.read),
    Reader("text-chunks", "comments and text chunks", text_chunks.read),
    Reader("jpeg", "quantisation tables and markers", jpeg_structure.read),
    Reader("icc", "the colour profile's name", icc.read),
    Reader("watermark", "open watermarks of diffusion programs", watermark.read),
)
"""Every reader; each costs only its own claims when a hostile file breaks it."""

_KEYWORD = re.compile(r"(?<=^PNG .{4}) .*", re.DOTALL)
_MAX_CLAIMS = 200
_FIRST_ONES = 12
"""Claims of one kind that stay before further ones of any kind do, where there are too many."""
_MAX_PRIVATE = 40
"""Private claims (names, texts, captions) kept of one reader; none of them tells the origin."""


def read_provenance(picture: Picture, *, online: bool = False, trust: Anchors | Path | None = None) -> Provenance:
    """Everything that a file says of itself, as claims, with its rung on the ladder.

    The pixel score never sees any of it. A file that breaks a reader yields a claim of kind `unreadable`.

    Parameters
    ----------
    picture
        The decoded picture with its bytes; a picture without bytes makes no claims but may carry a watermark.
    online
        Whether remote manifests and certificate status may be fetched. Nothing else ever uses the network.
    trust
        Trust anchors for Content Credentials, or the PEM file with them; without any no signer is trusted.

    Returns
    -------
    Provenance
        Claims in the order of `READERS`, each value at most about 1,000 characters of printable text. Of more than 200
        those stay that tell most of the origin, of each kind the first ones; the level and the origin come from all.

    Raises
    ------
    TrustError
        If `trust` names a file that is no list of certificates.
    """
    # Outside of every guard: a wrong list must not pass for a picture without a signature.
    dossier = Dossier(picture, online, read_anchors(trust) if isinstance(trust, Path) else trust)
    claims: list[Claim] = []
    for reader in READERS:
        claims.extend(_guarded(reader, dossier))
    claims.extend(
        _guarded(Reader("contradictions", "contradictions", lambda d: contradictions.find(d, claims)), dossier)
    )
    claims.extend(Claim("unreadable", clean(problem), "file structure") for problem in dossier.contents.problems)
    provenance = ladder.combine(dict.fromkeys(claims))
    return replace(provenance, claims=_most_telling(provenance.claims))


def redact(provenance: Provenance) -> Provenance:
    """Return the same provenance with the values of private claims (places, names, prompts) removed.

    The keyword of a PNG text is its writer's words as well, so that of such a source only the kind of place stays.

    >>> redact(Provenance(claims=(Claim("place", "48.2, 16.3", "EXIF GPS", private=True),))).claims[0].value
    '(removed)'
    """
    claims = (replace(c, value=REMOVED) if c.private else c for c in provenance.claims)
    return replace(provenance, claims=tuple(replace(c, source=_KEYWORD.sub("", c.source)) for c in claims))


def _most_telling(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """The claims in their order, without those that tell least where there are too many.

    The first ones of each kind come before the further ones of any, so that no number of one kind pushes out another.
    """
    if len(claims) <= _MAX_CLAIMS:
        return claims
    before: Counter[str] = Counter()
    further: dict[Claim, bool] = {}
    by_weight = sorted(claims, key=ladder.weight, reverse=True)
    for claim in by_weight:
        further[claim] = before[claim.kind] >= _FIRST_ONES
        before[claim.kind] += 1
    kept = set(sorted(by_weight, key=further.__getitem__)[: _MAX_CLAIMS - 1])
    left_out = Claim("unreadable", f"{len(claims) - len(kept)} further claims were left out", "all claims")
    return (*(c for c in claims if c in kept), left_out)


def _guarded(reader: Reader, dossier: Dossier) -> list[Claim]:
    """Claims of one reader, each once, the private ones marked; what it gave before a hostile file broke it is kept."""
    claims: dict[Claim, None] = {}
    private = 0
    try:
        for told in reader.read(dossier):
            claim = replace(told, private=is_private(told.kind, told.value))
            private += claim.private and claim not in claims
            if not claim.private or private <= _MAX_PRIVATE:
                claims[claim] = None
    except BROKEN as error:
        claims[Claim("unreadable", clean(f"{reader.reads}: {error or type(error).__name__}"), reader.name)] = None
    if private > _MAX_PRIVATE:
        left_out = f"{private - _MAX_PRIVATE} further names and texts of this reader were left out"
        claims[Claim("unreadable", left_out, reader.name)] = None
    return list(claims)
