"""What a C2PA manifest store says of the picture's making, in words: tools, actions, source types, names.

The chain of parent manifests is followed, because a service often signs again what a model made before.
Source: C2PA technical specification 2.1, section 18 (standard assertions).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from aiforensics.evidence import Claim, ClaimRecord, ProvenanceOrigin
from aiforensics.provenance import generator_names, source_types
from aiforensics.provenance.dossier import clean

_OUTCOMES = {"success": "signingCredential.trusted", "failure": "signingCredential.untrusted"}
_LABEL = re.compile(r"/c2pa/([^/]+)/c2pa\.signature")
_MAX_ACTIONS = 24
_ACTIONS = {
    "c2pa.created": "created",
    "c2pa.opened": "opened",
    "c2pa.placed": "placed another picture in it",
    "c2pa.cropped": "cropped",
    "c2pa.resized": "resized",
    "c2pa.color_adjustments": "adjusted colours",
    "c2pa.adjustedColor": "adjusted colours",
    "c2pa.drawing": "drew on it",
    "c2pa.edited": "edited",
    "c2pa.edited.metadata": "edited metadata",
    "c2pa.filtered": "applied a filter",
    "c2pa.orientation": "turned it",
    "c2pa.converted": "converted its format",
    "c2pa.transcoded": "coded it again",
    "c2pa.repackaged": "packed it again",
    "c2pa.published": "published",
    "c2pa.redacted": "removed a part of the record",
    "c2pa.removed": "removed something",
    "c2pa.deleted": "deleted something",
    "c2pa.translated": "translated",
    "c2pa.enhanced": "enhanced",
    "c2pa.unknown": "did something that it does not name",
}
_EDITING = {
    "placed",
    "cropped",
    "color_adjustments",
    "adjustedColor",
    "drawing",
    "edited",
    "filtered",
    "removed",
    "deleted",
}
_PASSING_ON = {"created", "opened", "published", "converted", "transcoded", "repackaged"}
"""Actions that change no part of a picture, so that their source type is that of the whole."""
_EDIT = "an edit was made by a trained AI model"
_GENERATED = re.compile(r"AI[- ]generated(?: (?:image|picture|photo|art|artwork|illustration|content|media))?\.?", re.I)


UNCHECKED = "of a signer whom nobody vouches for)"
"""Ends the source of a claim that a trusted signer's record only carries along: who made it is not trusted."""


def tell(store: Mapping[str, Any], source: str, *, intact: bool, trusted: bool = False) -> Iterator[Claim]:
    """Claims of a manifest store; the origins count only while the signature is intact.

    Parameters
    ----------
    store
        The library's JSON of the manifest store.
    source
        Where the claims stand.
    intact
        Whether the signed bytes are unchanged.
    trusted
        Whether the signer of the active manifest is trusted. The claims of every other signer then say where they stand
        whether the library trusts that one too: who signs a file again vouches for its bytes, not for its story.
    """
    trusted_ones = _trusted_ones(store) if trusted else None
    for depth, (label, manifest) in enumerate(_chain(store)):
        place = source if depth == 0 else f"{source} ({_earlier(label, trusted_ones)}"
        record: ClaimRecord = "own" if trusted_ones is None or label in trusted_ones else "other"
        told = (_tools(manifest, place), _actions(manifest, place, intact=intact), _names(manifest, place))
        for claim in itertools.chain(*told):
            yield replace(claim, record=record)
    yield from _components(store, source, intact=intact, trusted_ones=trusted_ones)


def _earlier(label: str, trusted_ones: frozenset[str] | None) -> str:
    """Words, with a closing bracket, for a manifest that is not the active one."""
    return "an earlier one)" if trusted_ones is None or label in trusted_ones else f"an earlier one, {UNCHECKED}"


def _trusted_ones(store: Mapping[str, Any]) -> frozenset[str]:
    """Labels of the earlier manifests whose signers the library trusts.

    It tells of them where they differ from what the record of the picture says of them, which counts where that
    record's own signer is trusted.
    """
    deltas = [
        _object(delta, "validationDeltas") for delta in _list(_object(store, "validation_results"), "ingredientDeltas")
    ]
    now = {outcome: {label for delta in deltas for label in _credentials(delta, outcome)} for outcome in _OUTCOMES}
    found: set[str] = set()
    for depth, (label, manifest) in enumerate(_chain(store)):
        if depth == 0 or label in found | now["success"]:
            found.add(label)
            for ingredient in _list(manifest, "ingredients"):
                recorded = _object(_object(ingredient, "validation_results"), "activeManifest")
                found |= set(_credentials(recorded, "success")) - now["failure"]
    return frozenset(found | now["success"])


def _credentials(results: Mapping[str, Any], outcome: str) -> Iterator[str]:
    """Labels of the manifests of whose signers the results say so."""
    for item in _list(results, outcome):
        named = _LABEL.search(str(item.get("url")))
        if item.get("code") == _OUTCOMES[outcome] and named:
            yield named[1]


def _chain(store: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return label and content of the active manifest and of those of its parents; loops end."""
    manifests = store.get("manifests") or {}
    label = store.get("active_manifest")
    seen: set[str] = set()
    while isinstance(label, str) and label in manifests and label not in seen:
        seen.add(label)
        manifest = manifests[label]
        yield label, manifest
        parents = [i for i in _list(manifest, "ingredients") if i.get("relationship") == "parentOf"]
        label = parents[0].get("active_manifest") if parents else None


def _tools(manifest: Mapping[str, Any], place: str) -> Iterator[Claim]:
    tools = [
        " ".join(str(t.get(k) or "") for k in ("name", "version")) for t in _list(manifest, "claim_generator_info")
    ]
    name = tools[0].strip() if tools else str(manifest.get("claim_generator") or "")
    if name:
        yield Claim("software", clean(f"recorded by {name}", 160), place)


def _actions(manifest: Mapping[str, Any], place: str, *, intact: bool) -> Iterator[Claim]:
    steps = [
        action
        for assertion in _list(manifest, "assertions")
        if str(assertion.get("label", "")).startswith("c2pa.actions")
        for action in _list(_object(assertion, "data"), "actions")
    ]
    births = [_type(step) for step in steps if step.get("action") == "c2pa.created"]
    born_of_ai = any(birth is not None and birth[0] == "ai" for birth in births)
    told: list[str] = []
    for step in steps:
        name = str(step.get("action", ""))
        agent = step.get("softwareAgent")
        agent = agent.get("name") if isinstance(agent, dict) else agent
        words = _ACTIONS.get(name, clean(name, 60))
        told.append(f"{words} with {clean(agent, 60)}" if agent else words)
        known = _type(step)
        # Records of 2023 and 2024 name no source type.
        untyped = name == "c2pa.created" and not step.get("digitalSourceType")
        if untyped and (maker := _generator(agent, step.get("description"))):
            yield Claim("generator", f"the signed record says: {maker}", place, "ai" if intact else "unknown")
        if known is not None:
            if known[0] == "ai" and not born_of_ai and name.removeprefix("c2pa.") not in _PASSING_ON:
                known = ("edited", _EDIT)
            origin: ProvenanceOrigin = known[0] if intact else "unknown"
            yield Claim("source-type", f"the signed record says: {known[1]}", place, origin)
        if name.startswith("c2pa.watermarked"):
            yield Claim("watermark-named", "the record names an invisible watermark; it cannot be read locally", place)
    if told:
        if len(told) > _MAX_ACTIONS:
            told[_MAX_ACTIONS:] = [f"and {len(told) - _MAX_ACTIONS} more"]
        names = {str(step.get("action", "")).removeprefix("c2pa.") for step in steps}
        # Drawing on a canvas that the same record created makes a picture; changing one that was there edits it.
        edited = intact and bool(names & {"opened", "placed"}) and bool(names & _EDITING)
        yield Claim("actions", clean("; ".join(told), 800), place, "edited" if edited else "unknown")


def _generator(agent: object, description: object) -> str:
    """Words for the generator that a step of creation names, or that describes itself as one; else an empty text."""
    if name := generator_names.by_program(clean(agent or "")):
        return f"made with {name}"
    return "described as generated by AI" if _GENERATED.fullmatch(clean(description or "")) else ""


def _type(step: Mapping[str, Any]) -> tuple[ProvenanceOrigin, str] | None:
    """Origin and words of the source type of an action."""
    return source_types.meaning(str(step.get("digitalSourceType") or ""))


def _components(
    store: Mapping[str, Any], source: str, *, intact: bool, trusted_ones: frozenset[str] | None
) -> Iterator[Claim]:
    """Parts that a model made and that were placed in the picture, in one that it comes from, or in another part."""
    manifests = store.get("manifests") or {}
    waiting = [
        str(ingredient.get("active_manifest"))
        for _, manifest in _chain(store)
        for ingredient in _list(manifest, "ingredients")
        if ingredient.get("relationship") not in {"parentOf", "inputTo"}
    ]
    seen: set[str] = set()
    while waiting:
        label = waiting.pop()
        inner = manifests.get(label)
        if label in seen or not isinstance(inner, dict):
            continue
        seen.add(label)
        if any(c.origin == "ai" for c in _actions(inner, source, intact=intact)):
            words = "the signed record says: a part made by a trained AI model was placed in it"
            vouched = trusted_ones is None or label in trusted_ones
            place = source if vouched else f"{source} (a part, {UNCHECKED}"
            yield Claim("source-type", words, place, "edited", record="own" if vouched else "other")
        # What a part comes from is in it as well, unless it was only shown to a model.
        inside = (i for i in _list(inner, "ingredients") if i.get("relationship") != "inputTo")
        waiting.extend(str(ingredient.get("active_manifest")) for ingredient in inside)


def _names(manifest: Mapping[str, Any], place: str) -> Iterator[Claim]:
    people = [str(_object(c, "credentialSubject").get("name") or "") for c in _list(manifest, "credentials")]
    for assertion in _list(manifest, "assertions"):
        if assertion.get("label") == "stds.schema-org.CreativeWork":
            people.extend(str(a.get("name") or "") for a in _list(_object(assertion, "data"), "author"))
    for person in dict.fromkeys(p for p in people if p):
        yield Claim("person", clean(f"author: {person}", 120), place)


def _object(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a JSON object, or an empty one where something else stands."""
    value = content.get(key)
    return value if isinstance(value, dict) else {}


def _list(content: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the objects of a JSON list, or nothing."""
    value = content.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
