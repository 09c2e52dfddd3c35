"""Model, sampler, seed and prompt out of the forms in which generators write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aiforensics.provenance.generator_texts import load

# Texts come from strangers: every run in a pattern is bounded or cannot start anew inside itself.
_SETTING = re.compile(r"(?:^|[,\n])[ \t]{0,8}([A-Z][\w +]{1,30}):[ \t]{0,8}([^,\n]{1,200})")
_END_OF_PROMPT = re.compile(r"Negative prompt:|^[^\S\n]*Steps: \d", re.MULTILINE)
_STEPS = re.compile(r"\bSteps: \d")
_BESIDE = re.compile(r"\b(?:Sampler: \S|Seed: -?\d|CFG scale: \d)", re.IGNORECASE)
_KEYS = {
    "model": (
        "Model",
        "model",
        "base_model_name",
        "base_model",
        "sd_model_name",
        "use_stable_diffusion_model",
        "Model name",
    ),
    "sampler": ("Sampler", "sampler", "sampler_name", "scheduler", "ksamplerName"),
    "seed": ("Seed", "seed"),
    "prompt": ("prompt", "Prompt", "positive_prompt", "PositivePrompt", "c", "raw_prompt"),
}
_MAX_NODES = 4000


def is_parameters(text: str) -> bool:
    r"""Whether a text has the AUTOMATIC1111 form: a step count and a sampler, a seed or a guidance scale in one line.

    >>> is_parameters("a cat\nSteps: 20, Sampler: Euler a, Seed: 7")
    True
    >>> is_parameters("How to sow. Steps: 3. Water first. Seed: chia")
    False
    """
    return any(_STEPS.search(line) and _BESIDE.search(line) for line in text.split("\n"))


def is_workflow(text: str) -> bool:
    """Whether a JSON text is ComfyUI's workflow, and no other graph of nodes and links.

    >>> is_workflow('{"nodes": [{"id": "Alice"}], "links": []}')
    False
    """
    if '"nodes"' not in text or '"links"' not in text:
        return False
    if '"last_node_id"' in text:
        return True
    content = load(text)
    nodes = content.get("nodes") if isinstance(content, dict) else None
    return isinstance(nodes, list) and any(
        isinstance(node, dict) and "type" in node and ("widgets_values" in node or "inputs" in node) for node in nodes
    )


def from_parameters(text: str) -> dict[str, str]:
    """Fields of the AUTOMATIC1111 form."""
    cut = _END_OF_PROMPT.search(text)
    settings = text[text.rfind("Steps:") :][:20_000]
    found = {m[1].strip(): m[2].strip() for m in _SETTING.finditer(f"\n{settings}")}
    fields = {kind: _first(found, _KEYS[kind]) for kind in ("model", "sampler", "seed")}
    return _filled({**fields, "prompt": text[: cut.start()].strip() if cut else ""})


def from_mapping(content: Mapping[str, Any]) -> dict[str, str]:
    """Fields of a JSON object with any of the known names."""
    fields = {kind: _first(content, names) for kind, names in _KEYS.items()}
    for nested in ("sui_image_params", "extraMetadata", "Comment"):
        inner = content.get(nested)
        inner = load(inner) if isinstance(inner, str) else inner
        if isinstance(inner, dict):
            deeper = {kind: _first(inner, names) for kind, names in _KEYS.items()}
            fields = {kind: value or deeper[kind] for kind, value in fields.items()}
    return _filled(fields)


def from_graph(text: str) -> dict[str, str]:
    """Fields of a ComfyUI graph: the loader's model, the sampler's seed, the longest prompt text."""
    content = load(text)
    if isinstance(content, dict) and isinstance(content.get("prompt"), dict):
        content = content["prompt"]
    nodes = list(content.values())[:_MAX_NODES] if isinstance(content, dict) else []
    fields: dict[str, str] = {}
    other = ""
    for node in nodes:
        inputs = node.get("inputs") if isinstance(node, dict) else None
        if not isinstance(inputs, dict):
            continue
        # Loaders of enlargers and the like have a model_name too, and may come first.
        other = other or _first(inputs, ("model_name", "model"))
        for kind, names in (
            ("model", ("ckpt_name", "unet_name")),
            ("sampler", ("sampler_name", "sampler")),
            ("seed", ("seed", "noise_seed")),
        ):
            value = _first(inputs, names)
            if value and kind not in fields:
                fields[kind] = value
        prompt = _first(inputs, ("text", "prompt", "text_g", "clip_l", "t5xxl"))
        if "encode" in str(node.get("class_type", "")).lower() and len(prompt) > len(fields.get("prompt", "")):
            fields["prompt"] = prompt
    return _filled({"model": other, **fields})


def from_any(text: str) -> dict[str, str]:
    """Fields of a text in any of the forms."""
    if is_parameters(text) and not text.lstrip().startswith("{"):
        return from_parameters(text)
    content = load(text)
    return from_mapping(content) if isinstance(content, dict) else {}


def _first(content: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return the first value that is a text or a number (or an object with a `name`)."""
    for name in names:
        value = content.get(name)
        if isinstance(value, dict):
            value = value.get("name", value.get("model_name"))
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            return str(value)
    return ""


def _filled(fields: Mapping[str, str]) -> dict[str, str]:
    return {kind: value for kind, value in fields.items() if value}
