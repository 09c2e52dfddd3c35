"""What image generators write into their files: program, model, sampler, seed, prompt.

Every program has its own form. The forms here were read from the programs' own documentation and public sample files;
the tests build a file of each. A claim of this kind is easily forged and easily removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from aiforensics.evidence import Claim
from aiforensics.provenance import generator_fields, generator_names
from aiforensics.provenance.dossier import Dossier, clean, without_folders
from aiforensics.provenance.generator_texts import Entries, collect, load

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_JOB = re.compile(r"\bJob ID:[ \t]{0,8}[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_FLAG = re.compile(r"(?:^|\s)(?:--|—)[a-z]")
_VERSION = re.compile(r"(?:^|[,\n])[ \t]{0,8}Version:[ \t]{0,8}([^\s,]{1,100})")
_NOVELAI_MODEL = re.compile(r"(?:Stable Diffusion|NovelAI)\b", re.IGNORECASE)
_AUTOMATIC_VERSIONS = (
    (re.compile(r"^f\d+\.\d+(\.\d+)?v\d+-v"), "reForge"),
    (re.compile(r"^f\d+\.\d+(\.\d+)?-v"), "EasyReforge"),
    (re.compile(r"^f\d"), "Stable Diffusion WebUI Forge"),
    (re.compile(r"^classic"), "Forge Classic"),
    (re.compile(r"^neo"), "Forge Neo"),
    (re.compile(r"^Fooocus"), "Fooocus"),
    (re.compile(r"^ComfyUI"), "ComfyUI"),
)


_MARKS = (
    (('"sui_image_params"',), "SwarmUI"),
    (('"swarm_version"',), "SwarmUI"),
    (('"RuinedFooocus"',), "RuinedFooocus"),
    (('"use_stable_diffusion_model"',), "Easy Diffusion"),
    (('"civitai:',), "Civitai"),
    (("urn:air:",), "Civitai"),
    (('"noise_schedule"',), "NovelAI"),
    (('"v4_prompt"',), "NovelAI"),
    (('"uncond_scale"',), "NovelAI"),
    (('\\"noise_schedule\\"',), "NovelAI"),
    (('"Model"', '"resolution"', '"prompt"'), "a Hugging Face Space with Stable Diffusion"),
    (('"base_model', '"prompt"'), "Fooocus"),
    (('"uc"', '"sampler"', '"c"'), "Draw Things"),
)
"""What stands together in a JSON text of one program alone."""
_BYTEDANCE = {"dreamina", "jimeng", "doubao", "seedream"}
_CIVITAI = re.compile(r"(?:negativePrompt|cfgScale|modelVersionId)\\*\"")
_DREAM = re.compile(r"\s-s ?\d+\b.{0,100}\s-[SWHCA] ?[\w.]", re.DOTALL)


def _has(*names: str, prompt: bool = False) -> Callable[[str, Entries], bool]:
    """Whether a text is a JSON object with any of the names, and with a prompt if so asked."""

    def writes(text: str, _entries: Entries) -> bool:
        content = load(text)
        return (
            isinstance(content, dict) and not content.keys().isdisjoint(names) and (not prompt or "prompt" in content)
        )

    return writes


_KEYWORDS: tuple[tuple[str, str, Callable[[str, Entries], bool]], ...] = (
    ("invokeai_metadata", "InvokeAI", _has("positive_prompt", "seed", "model", "generation_mode", "app_version")),
    ("invokeai_graph", "InvokeAI", _has("nodes")),
    ("sd-metadata", "InvokeAI", _has("app_id", "image", "model_hash", "model_weights")),
    ("generation_data", "Tensor.Art", _has("seed", "models", "baseModel", "cfgScale", "samplerName", prompt=True)),
    ("smproj", "Stability Matrix", _has("State", "ProjectType")),
    ("smproj", "Stability Matrix", lambda _, entries: generator_fields.is_parameters(entries.text("parameters"))),
    ("sui_image_params", "SwarmUI", _has("prompt", "model", "seed")),
    ("fooocus_scheme", "Fooocus", lambda text, _: text.lower() in {"fooocus", "a1111"}),
    ("use_stable_diffusion_model", "Easy Diffusion", lambda _, entries: bool(entries.text("prompt"))),
    ("extraMetadata", "Civitai", _has("prompt", "resources")),
    ("Dream", "InvokeAI", lambda text, _: _DREAM.search(text) is not None),
)
"""Keywords, the programs that use them, and what those write there."""


@dataclass(frozen=True, slots=True)
class _Hit:
    program: str
    source: str
    fields: Mapping[str, str]


def read(dossier: Dossier) -> Iterator[Claim]:
    """Claims of the generator, its model, sampler, seed and prompt."""
    entries = collect(dossier)
    if entries.text("stealth"):
        yield Claim("hidden-data", "text is hidden in the lowest bits of the pixels", "pixel bits", "ai")
    hit = _recognise(entries)
    if hit is None:
        return
    words = f"the file claims to be made with {hit.program}"
    if hit.program == "ComfyUI":
        words += " (a screenshot or photograph that went through a workflow carries the same data)"
    yield Claim("generator", words, hit.source, "ai")
    for kind in ("model", "sampler", "seed"):
        if value := clean(_model(hit.fields.get(kind, ""))):
            yield Claim(kind, value, hit.source, "ai")
    if hit.fields.get("prompt"):
        yield Claim("prompt", clean(hit.fields["prompt"], 1000), hit.source, "ai")


def _model(value: str) -> str:
    """Return a model's name without the folders of a path; an owner's name before it is no folder.

    >>> _model("home/someone/x.safetensors"), _model("black-forest-labs/FLUX.1-dev")
    ('x.safetensors', 'black-forest-labs/FLUX.1-dev')
    """
    value = without_folders(value)
    return value.rpartition("/")[2] if value.count("/") > 1 else value


def _recognise(entries: Entries) -> _Hit | None:
    """Return the first form that fits, from the most to the least specific."""
    for rule in (_by_keyword, _by_json, _by_graph, _by_parameters, _by_description, _by_name):
        hit = rule(entries)
        if hit is not None:
            return hit
    return None


def _by_keyword(entries: Entries) -> _Hit | None:
    """Keywords that programs use, over texts of their form: another program may use the word for something else."""
    for keyword, program, writes in _KEYWORDS:
        for entry in entries.of(keyword):
            if not writes(entry.text, entries):
                continue
            fields = generator_fields.from_any(entry.text) or generator_fields.from_any(entries.text("parameters"))
            if keyword == "use_stable_diffusion_model":
                fields = generator_fields.from_mapping({e.keyword: e.text for e in entries.every()})
            return _Hit(program, entry.source, fields)
    return None


def _by_json(entries: Entries) -> _Hit | None:
    """JSON texts with fields that one program alone writes."""
    for entry in entries.every():
        if entry.text.startswith("{") and (program := _program_of(entry.text)):
            return _Hit(program, entry.source, generator_fields.from_any(entry.text))
    return None


def _program_of(text: str) -> str:
    """Return the program that wrote a JSON text, or an empty text."""
    for marks, program in _MARKS:
        if all(mark in text for mark in marks):
            return program
    if '"extraMetadata"' in text and _CIVITAI.search(text):
        return "Civitai"
    service = _of_bytedance(text) if '"aigc_info"' in text else ""
    return f"{service} (ByteDance AIGC record)" if service else ""


def _of_bytedance(text: str) -> str:
    """Return the service that a record of ByteDance's programs names; most records say that no AI was used."""
    content = load(text)
    record = content.get("aigc_info") if isinstance(content, dict) else None
    record = load(record) if isinstance(record, str) else record
    if not isinstance(record, dict):
        return ""
    maker = str(record.get("source_info") or "").strip()
    if maker.lower() in _BYTEDANCE:
        return maker.capitalize()
    return "an AI service" if str(record.get("aigc_label_type")) in {"1", "2"} else ""


def _by_graph(entries: Entries) -> _Hit | None:
    """ComfyUI's `prompt` (nodes with a class_type) and `workflow` (nodes and links)."""
    for entry in entries.of("prompt", "workflow", "UserComment", "Comment", "ImageDescription", "Make", "parameters"):
        if not entry.text.startswith("{"):
            continue
        if '"class_type"' in entry.text or generator_fields.is_workflow(entry.text):
            fields = generator_fields.from_graph(entry.text)
            text = entries.text("parameters")
            if text and not fields.get("prompt"):
                fields = {**fields, **generator_fields.from_parameters(text)}
            return _Hit("Civitai" if _has_civitai_tags(entries) else "ComfyUI", entry.source, fields)
    return None


def _by_parameters(entries: Entries) -> _Hit | None:
    """Return the text form of the AUTOMATIC1111 family: prompt, negative prompt, one line of settings."""
    for entry in entries.of("parameters", "UserComment", "Comment", "ImageDescription", "XPComment", "Description"):
        if generator_fields.is_parameters(entry.text):
            fields = generator_fields.from_parameters(entry.text)
            return _Hit(_automatic_program(entry.text, entries), entry.source, fields)
    return None


def _has_civitai_tags(entries: Entries) -> bool:
    """Whether the EXIF block is filled in as Civitai does."""
    artists, programs = entries.of("Artist"), entries.of("Software")
    return any(e.text == "ai" for e in artists) and any(_UUID.fullmatch(e.text) for e in programs)


def _automatic_program(text: str, entries: Entries) -> str:
    if "App: SD.Next" in text or "App:SD.Next" in text:
        return "SD.Next"
    if "Civitai resources:" in text or _has_civitai_tags(entries):
        return "Civitai"
    tool = entries.text("CreatorTool") or entries.text("Software")
    if tool.startswith("Draw Things"):
        return "Draw Things"
    version = _VERSION.search(text)
    if version:
        for pattern, program in _AUTOMATIC_VERSIONS:
            if pattern.search(version[1]):
                return program
    return "Stable Diffusion web UI (AUTOMATIC1111 form)"


def _by_description(entries: Entries) -> _Hit | None:
    """Descriptions of hosted services: Midjourney's Job ID, Grok's signature, the early DALL·E tags."""
    for entry in entries.of("Description", "ImageDescription", "description", "Comment"):
        job = _JOB.search(entry.text)
        if job and (_FLAG.search(entry.text) or any(e.source.startswith("PNG") for e in entries.of("Author"))):
            prompt = entry.text[: job.start()].strip()
            version = re.search(r"--(?:v|version|niji)\s+(\S{1,12})", prompt)
            fields = {"prompt": prompt, "model": f"Midjourney {version[1]}" if version else ""}
            return _Hit("Midjourney", entry.source, fields)
        signature = re.match(r"Signature: [A-Za-z0-9+/=]{40,}", entry.text)
        if signature and any(_UUID.fullmatch(artist.text) for artist in entries.of("Artist")):
            return _Hit("xAI Grok", entry.source, {})
    if entries.text("MakerNote@IFD0") and entries.text("UserComment@IFD0") and not entries.text("Make"):
        source = next(entries.of("UserComment@IFD0")).source
        return _Hit("OpenAI DALL·E 2 (its way of placing EXIF tags)", source, {})
    return None


def _by_name(entries: Entries) -> _Hit | None:
    """Look for a generator's name in a field that names the program, the source or the author."""
    for keywords, patterns in generator_names.FIELDS:
        for entry in entries.of(*keywords):
            if name := generator_names.named(entry.text, patterns):
                return _Hit(name, entry.source, _named_fields(name, entries))
    return None


def _named_fields(name: str, entries: Entries) -> dict[str, str]:
    fields = generator_fields.from_any(entries.text("Comment"))
    if name.lower() == "black forest labs":
        return {"model": entries.text("Model"), **fields}
    if name.lower() != "novelai":
        return fields
    # It names its model in Source, where others have a person's or an archive's name.
    models = (e.text for e in entries.of("Source") if e.source.startswith("PNG") and _NOVELAI_MODEL.match(e.text))
    return {"model": next(models, ""), **fields}
