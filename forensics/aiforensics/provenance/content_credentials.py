"""C2PA Content Credentials, validated with the official library (extra `c2pa`), offline unless the user allows more.

Five states are kept apart: signed by a trusted signer; signed by an unknown one; signed over unchanged bytes with a
certificate that had expired or does not fit its purpose, or with a record that breaks the rules; broken or tampered;
announced at a remote address and not fetched.
Source: C2PA technical specification 2.1, sections 14 and 15; states as `c2patool` gives them.
"""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from aiforensics.evidence import Claim
from aiforensics.provenance import c2pa_story
from aiforensics.provenance.dossier import Dossier, clean
from aiforensics.provenance.trust import Anchors

_QUOTES = re.compile("[\"'`´‘’‚‛“”„‟‹›«»]")
SOURCE = "C2PA manifest"
_UNTRUSTED = "signingCredential.untrusted"
_CREDENTIAL = "signingCredential."
_NOT_BROKEN = ("signingCredential.", "cawg.", "timeStamp.")
# An identity statement whose issuer has to be asked over the network: without --online that was never tried.
_UNASKED = "cawg.ica.did_unavailable"
_UNBOUND, _BOUND = "assertion.dataHash.mismatch", "assertion.dataHash.match"
_SIGNED = "claimSignature.validated"
_BINDINGS = {_BOUND, "assertion.boxesHash.match", "assertion.bmffHash.match"}
# Rules on what a list of actions must say: newer editions of the library reject what older programs signed.
_STORY = "assertion.action."
_SPLIT = "other segments stand between its parts"
_MISSING = "a Content Credentials manifest is present but was not validated: pip install '.[c2pa]' in the checkout"


def read(dossier: Dossier) -> Iterator[Claim]:
    """Claims from an embedded manifest, or word of a remote one."""
    for claim in _read(dossier):
        yield claim if claim.record == "other" else replace(claim, record="own")


def _read(dossier: Dossier) -> Iterator[Claim]:
    remote = dossier.xmp.first("dcterms:provenance")
    if not dossier.contents.manifest and not remote.startswith(("http://", "https://")):
        return
    try:
        # An extra; a version without these names cannot be held offline and counts as missing.
        from c2pa import C2paError, Context, Settings  # noqa: F401, PLC0415
    except ImportError:
        yield Claim("signature", _MISSING, SOURCE)
        return
    try:
        state, store = _validated(dossier)
        if not dossier.online and _only_unasked(store):
            # The library counts a look-up that it was not allowed to make as failed: its verdict on all the rest.
            state, _ = _validated(dossier, identities=False)
            words = "the record names the person behind it; the issuer of that statement was not asked (use --online)"
            yield Claim("identity-unchecked", words, SOURCE)
    except C2paError as error:
        yield from _refused(str(error), remote, online=dossier.online)
        return
    yield from _claims(state, store, trust=dossier.trust, whole=_is_whole(dossier))


def _validated(dossier: Dossier, *, identities: bool = True) -> tuple[str, dict[str, Any]]:
    """Ask the library for its state and report, with or without the statements on who is behind the record."""
    from c2pa import Context, Reader, Settings  # noqa: PLC0415 - not light

    context = Context(Settings.from_dict(_settings(dossier, identities=identities)))
    with Reader(None, io.BytesIO(dossier.picture.data), context=context) as reader:
        return str(reader.get_validation_state()), json.loads(reader.json())


def _settings(dossier: Dossier, *, identities: bool) -> dict[str, Any]:
    """Nothing is fetched unless the user said so, and trust comes from the user's list alone."""
    settings: dict[str, Any] = {
        "verify": {
            "verify_after_reading": True,
            "verify_trust": True,
            "remote_manifest_fetch": dossier.online,
            "ocsp_fetch": dossier.online,
        },
        "core": {"decode_identity_assertions": identities},
    }
    if dossier.trust is not None:
        settings["trust"] = {"trust_anchors": dossier.trust.pem}
    if not dossier.online:
        # Identity assertions would look up addresses that the file names: no host is allowed.
        settings["core"] |= {"allowed_network_hosts": [], "allow_redirects": False}
    return settings


def _refused(error: str, remote: str, *, online: bool) -> Iterator[Claim]:
    """Say why the library gave no manifest: there is none, it is remote, or it cannot be read."""
    kind = error.partition(":")[0]
    if kind == "ManifestNotFound":
        return
    if kind == "Remote" or (remote and "fetch" in error):
        done = "could not be fetched" if online else "was not fetched (use --online)"
        host = remote.split("/")[2] if remote.count("/") >= 2 else "a remote address"
        yield Claim("signature", clean(f"a Content Credentials manifest at {host} {done}"), SOURCE)
    elif "prerelease" in error or kind == "NotSupported":
        yield Claim("signature", clean(f"a Content Credentials manifest of an unsupported version: {error}"), SOURCE)
    else:
        words = f"the Content Credentials manifest is broken and cannot be validated ({error})"
        yield Claim("signature-invalid", clean(words), SOURCE)


def _only_unasked(store: Mapping[str, Any]) -> bool:
    """Whether nothing but the look-up of an identity's issuer failed."""
    results = store.get("validation_results")
    failed = {code for code in _codes(results, "failure") if code != _UNTRUSTED}
    return failed == {_UNASKED} and not _failures_of_ingredients(results)


def _is_whole(dossier: Dossier) -> bool:
    """Whether the parts of the record touch: the library takes all bytes from the first to the last out of its hash."""
    spans = dossier.contents.manifest_spans
    return all(before[1] == after[0] for before, after in itertools.pairwise(spans))


def _claims(state: str, store: Mapping[str, Any], *, trust: Anchors | None, whole: bool) -> Iterator[Claim]:
    results = store.get("validation_results")
    codes = _codes(results, "failure")
    by, when, name = _signer(store)
    broken = [code for code in codes if not code.startswith(_NOT_BROKEN)]
    weak = [code for code in codes if code.startswith(_NOT_BROKEN) and code != _UNTRUSTED]
    earlier = _failures_of_ingredients(results)
    passed = set(_codes(results, "success"))
    intact = state in {"Trusted", "Valid"}
    unbound = broken == [_UNBOUND] and _BOUND in passed
    held = whole and _SIGNED in passed and not passed.isdisjoint(_BINDINGS)
    if unbound or (not whole and not broken):
        intact = False
        words = (
            f"the signature of {by} holds for the bytes that it covers, but it leaves out bytes beside its own record: "
            f"anybody could have changed those unnoticed ({_UNBOUND if unbound else _SPLIT})"
        )
        yield Claim("signature-invalid", clean(words, 500), SOURCE)
    elif state == "Trusted":
        yield Claim("signature-trusted", f"signed by {by}{when}; the signer is on {_list_of(trust)}", SOURCE)
    elif intact:
        why = f"is not on {_list_of(trust)}" if trust else "was not checked: no trust list given (--trust)"
        yield Claim("signature-unknown", f"signed by {by}{when}; unchanged since; the signer {why}", SOURCE)
    elif not broken and (any(code.startswith(_CREDENTIAL) for code in weak) or (weak and not earlier)):
        yield _weak_claim(weak, by, when)
        intact = True
    elif not broken:
        words = f"the signature of {by} stands, but the record of an earlier picture that it relies on is broken"
        yield Claim("signature-invalid", words, SOURCE)
    elif held and not earlier and all(code.startswith(_STORY) for code in broken):
        rules = ", ".join((*broken, *weak)[:4])
        words = f"signed by {by}{when}, unchanged since, but its record breaks the rules ({rules})"
        yield Claim("signature-unaccepted", clean(words, 500), SOURCE)
        intact = True
    else:
        changed = not held or any(code.endswith(".mismatch") for code in broken)
        what = "the file or its manifest was changed after signing" if changed else "its record breaks the rules"
        words = f"the signature of {by} is broken: {what} ({', '.join(broken[:4])})"
        yield Claim("signature-invalid", clean(words, 500), SOURCE)
    if name:
        yield Claim("person", f"the certificate is made out to {name}", SOURCE)
    if earlier:
        yield Claim(
            "ingredient-invalid", "the credentials of an ingredient are broken; its claims count for less", SOURCE
        )
    yield from c2pa_story.tell(store, SOURCE, intact=intact, trusted=intact and state == "Trusted")


def _list_of(trust: Anchors | None) -> str:
    """Name a trust list so that another reader can tell whether it is theirs: anyone can write one."""
    return f"the given trust list (sha256 {trust.sha256[:12]})" if trust else "a trust list"


def _signer(store: Mapping[str, Any]) -> tuple[str, str, str]:
    """Who signed the active manifest, when as far as a time stamp says so, and the certificate's own name.

    The organisation is evidence and public. The name can be a product's or a person's, and nothing tells which.
    """
    active = (store.get("manifests") or {}).get(store.get("active_manifest")) or {}
    info = active.get("signature_info") or {}
    name = clean(info.get("common_name") or "", 120)
    issuer = clean(info.get("issuer") or "", 120)
    by = _quoted(issuer) if issuer else "a signer without an organisation" if name else "an unnamed signer"
    when = f", {clean(info['time'], 40)}" if info.get("time") else ""
    return by, when, _quoted(name) if name and name != issuer else ""


def _quoted(name: str) -> str:
    """Return a name that the certificate gives, so that none can go on in this program's own words."""
    return f"“{re.sub(_QUOTES, '', name).replace(';', ',')}”"


def _weak_claim(weak: list[str], by: str, when: str) -> Claim:
    """Unchanged bytes under a certificate, time stamp or identity statement that the library does not accept."""
    if f"{_CREDENTIAL}expired" in weak:
        words = (
            f"signed by {by}{when}, unchanged since, but the certificate has expired and no trusted time was recorded"
        )
        return Claim("signature-expired", words, SOURCE)
    wrong = [code for code in weak if code.startswith(_CREDENTIAL)]
    what = "the certificate" if wrong else "a statement in the record on its author or time"
    words = f"signed by {by}{when}, unchanged since, but {what} is not accepted ({', '.join((wrong or weak)[:4])})"
    return Claim("signature-unaccepted", clean(words, 500), SOURCE)


def _codes(results: Any, outcome: str) -> list[str]:  # noqa: ANN401 - parsed JSON
    """Codes of the active manifest's checks with one outcome."""
    return [str(item.get("code")) for item in ((results or {}).get("activeManifest") or {}).get(outcome, [])]


def _failures_of_ingredients(results: Any) -> list[str]:  # noqa: ANN401 - parsed JSON
    """Codes by which the record of an earlier picture is broken, beyond those that no trust list gives."""
    return [
        code
        for delta in (results or {}).get("ingredientDeltas") or []
        for code in (str(item.get("code")) for item in (delta.get("validationDeltas") or {}).get("failure", []))
        if not code.startswith(_NOT_BROKEN)
    ]
