"""All readers over one picture: claims, ladder, redaction."""

from __future__ import annotations

import itertools
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

_MAX_CLAIMS = 200


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
        Claims in the order of `READERS`, at most 200, each value at most about 1,000 characters of printable text.

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
    return ladder.combine(list(dict.fromkeys(claims))[:_MAX_CLAIMS])


def redact(provenance: Provenance) -> Provenance:
    """Return the same provenance with the values of private claims (places, names, prompts) removed.

    >>> redact(Provenance(claims=(Claim("place", "48.2, 16.3", "EXIF GPS", private=True),))).claims[0].value
    '(removed)'
    """
    claims = tuple(replace(c, value="(removed)") if c.private else c for c in provenance.claims)
    return replace(provenance, claims=claims)


def _guarded(reader: Reader, dossier: Dossier) -> list[Claim]:
    """Claims of one reader; what it gave before a hostile file broke it is kept."""
    claims: list[Claim] = []
    try:
        for claim in itertools.islice(reader.read(dossier), _MAX_CLAIMS):
            claims.append(claim)  # noqa: PERF402 - one by one, so that a failure keeps the earlier ones
    except BROKEN as error:
        claims.append(Claim("unreadable", clean(f"{reader.reads}: {error or type(error).__name__}"), reader.name))
    return claims
