"""From single claims to one rung and one origin.

The ladder, strongest first: signed and trusted > signed, signer unknown; a broken signature is `invalid` whatever else
the file says; then an unsigned claim > an open watermark > nothing. No rung proves anything of an unsigned file: claims
are written by whoever had the file last, and their absence proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiforensics.evidence import Claim, Provenance, ProvenanceLevel, ProvenanceOrigin

SIGNATURE_KINDS: dict[str, ProvenanceLevel] = {
    "signature-trusted": "signed-trusted",
    "signature-unknown": "signed",
    "signature-expired": "invalid",
    "signature-unaccepted": "invalid",
    "signature-invalid": "invalid",
}
"""Kinds of claims that only a validated manifest gives, against the rung that they give."""

_CLAIMING_KINDS = {
    "camera",
    "generator",
    "source-type",
    "aigc-label",
    "credit",
    "signature",
    "software",
    "hidden-data",
    "ai-edit",
    "history",
}
_ORIGIN_ORDER: tuple[ProvenanceOrigin, ...] = ("ai", "edited", "camera")


def combine(claims: Iterable[Claim]) -> Provenance:
    """Rung and origin of a set of claims.

    Signed claims alone decide the origin where a trusted signer vouches for them. Where such a signer says nothing of
    the origin, what else the file says decides it, and nobody vouches for that. Anybody can make any other signature,
    so there they stand beside the unsigned claims and marks: `ai` outweighs `edited`, and that outweighs `camera`. A
    generator's own mark on a camera's EXIF block is the rarer and the more telling claim.
    """
    claims = tuple(claims)
    levels = [SIGNATURE_KINDS[c.kind] for c in claims if c.kind in SIGNATURE_KINDS]
    signed = tuple(c for c in claims if c.record != "none")
    unsigned = tuple(c for c in claims if c.kind in _CLAIMING_KINDS and c.record == "none")
    marks = tuple(c for c in claims if c.kind == "watermark")
    if "invalid" in levels:
        # Over changed bytes the signed claims have no origin left; over unchanged ones they are claims like others.
        return Provenance("invalid", strongest((*signed, *unsigned, *marks)), claims)
    if "signed-trusted" in levels:
        vouched = strongest(c for c in signed if is_vouched(c))
        origin = strongest((*signed, *unsigned, *marks)) if vouched == "unknown" else vouched
        return Provenance("signed-trusted", origin, claims)
    if "signed" in levels:
        return Provenance("signed", strongest((*signed, *unsigned, *marks)), claims)
    if signed or any(c.origin != "unknown" or c.kind == "generator" for c in unsigned):
        return Provenance("claimed", strongest((*signed, *unsigned, *marks)), claims)
    if marks:
        return Provenance("watermark", "ai", claims)
    return Provenance("none", "unknown", claims)


def is_vouched(claim: Claim) -> bool:
    """Whether a claim, in a file that a trusted signer signed, is that signer's or another trusted one's."""
    return claim.record == "own"


def weight(claim: Claim) -> int:
    """How much a claim tells, for when there are too many to show them all.

    Returns
    -------
    int
        3 for an AI origin, a signature, a contradiction and what could not be read; 2 for another origin; 1 for a kind
        that makes a rung; else 0.
    """
    if claim.origin == "ai" or claim.kind in {*SIGNATURE_KINDS, "signature", "contradiction", "unreadable"}:
        return 3
    if claim.origin != "unknown":
        return 2
    return int(claim.kind in _CLAIMING_KINDS)


def strongest(claims: Iterable[Claim]) -> ProvenanceOrigin:
    """Return the origin that outweighs the others of the claims."""
    found = {c.origin for c in claims}
    for origin in _ORIGIN_ORDER:
        if origin in found:
            return origin
    return "unknown"
