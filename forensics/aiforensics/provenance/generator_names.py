"""Generators' names in fields that name a program, a source or an author.

Photographers are called Kling, an observatory Gemini, and exhibitions show pictures of Stable Diffusion: what a field
must say beside the name depends on the name and on the field.
"""

from __future__ import annotations

import re

from aiforensics.provenance.denial import denied

_PRODUCTS = (
    r"NovelAI|Midjourney|DALL[·\-. ]E|ChatGPT|gpt-image|Stable[ -]?Diffusion|DreamStudio|Adobe Firefly"
    r"|Google (?:Gemini|Imagen)|Bing Image Creator|Microsoft Designer|Leonardo\.? ?AI|Ideogram\.? ?AI"
    r"|Recraft ?(?:AI|V\d)|Playground AI|Krea\.? ?AI|Kling AI|FLUX\.\d|FLUX\d?-(?:dev|schnell|pro)|NightCafe|Dreamina"
    r"|Jimeng AI|Seedream|Craiyon"
    r"|Draw ?Things|Fooocus|InvokeAI|ComfyUI|SwarmUI|SD\.Next|Easy Diffusion|DiffusionBee|Mochi Diffusion"
    r"|Nano ?Banana|Qwen-Image|Imagined with AI|Tensor\.?Art|Apple Image Playground|Image Creator from Designer"
)
"""Names that mean a generator of pictures and nothing else."""
_MAKERS = r"OpenAI|Stability\.? ?AI|Black Forest Labs|Meta AI|Civitai|Hunyuan"
"""Names of makers, who hand out photographs too."""
_WORDS = r"Firefly|Imagen|Gemini|Grok|Ideogram|Recraft|Krea|Kling|DALLE|Jimeng"
"""Names that are words or surnames as well."""
_SURNAMES = r"Kling|Krea|DALLE|Jimeng"
_FULL_WORDS = rf"(?:Google|Adobe|xAI|OpenAI|Kuaishou)\s(?:{_WORDS})"
_EDITION = (
    r"(?:AI|Images?|Pro|Ultra|Fast|Flash|Turbo|XL|Diffusion|Studio|Online|Web|web ?UI|REST|API|Generator|Bot|Beta|Alpha"
    r"|Version|v?\d[\w.]*+|[0-9A-F]{8})\b"
)
"""What follows a product's name and still means the product."""
_FREE = r"(?:by|for|from|in|on|at|and|or|with|via|using|of|as|to|the|a)\b"
_SAME_NAME = (
    rf"(?!\s+(?!{_FREE}|{_EDITION}|(?:{_PRODUCTS}|{_WORDS})\b)(?-i:[A-ZÀ-ÖØ-Þ]))"
    r"(?!\s+(?:observatory|telescope|foundation|exhibition|press|office|team|institute|museum|gallery|conference)\b)"
)
"""No word follows that makes it the name of something else, such as Gemini Observatory."""
_SURE = rf"{_PRODUCTS}|{_MAKERS}|{_FULL_WORDS}"
_HOW = r"\s(?:with|by|using|in)\s(?:the\s)?"

_PROGRAM = re.compile(
    rf"(?<!\bby\s)(?<!\bwith\s)\b(?:{_PRODUCTS})\b"
    rf"|^(?:{_MAKERS})(?:[\s/.-]*+(?:{_EDITION}|{_PRODUCTS}))*+$"
    rf"|^(?:(?:Google|Adobe|xAI|OpenAI|Kuaishou)\s)?(?:{_WORDS})(?:[\s/.-]*+(?:AI|Image|Pro|Ultra|Fast|Flash|v?\d[\w.]*+))*+$"
    r"|^(?P<ai>AI)[- ]generated\b"
    r"|^(?:generated|created|made) (?:by|with|using) (?P<by_ai>AI)$",
    re.IGNORECASE,
)
_DEVICE = re.compile(rf"^\s*(?P<product>{_PRODUCTS}|{_FULL_WORDS}|Black Forest Labs)(?!\w)", re.IGNORECASE)
"""What stands where a camera has its maker and model: no generator's name begins a camera's."""
_CREDITED = re.compile(
    r"(?:^|[,/|:;()+]|\s[-–—]\s|\b(?:via|from|using)\s|\b(?:image|picture|illustration|graphic|artwork|art)\s(?:by|with)\s)"
    rf"\s*+(?P<product>{_PRODUCTS}|{_FULL_WORDS})\b(?:[\s-]*+{_EDITION})*+"
    r"(?=\s*(?:$|[,/|;()+]|\s[-–—]\s))(?!,?\s+(?:Inc|Ltd|LLC|GmbH)\b)",
    re.IGNORECASE,
)
"""A product that is the whole field, or the whole of what stands between its separators."""
_WHOLE_PRODUCT = re.compile(rf"^\s*(?P<product>{_PRODUCTS})(?:[\s-]*v?\d[\w.]*)?\s*$", re.IGNORECASE)
_DEED = re.compile(
    rf"\b(?:generated|imagined|powered){_HOW}(?P<generated>{_SURE})\b"
    rf"|\b(?:made|created|rendered|produced){_HOW}(?P<made>{_SURE})\b{_SAME_NAME}"
    rf"|\b(?:generated|imagined){_HOW}(?P<word>{_WORDS})\b{_SAME_NAME}"
    rf"|\b(?:made|created|rendered|produced)(?!\sby\s(?:{_SURNAMES})\b){_HOW}(?P<word_made>{_WORDS})\b{_SAME_NAME}"
    r"(?!\s*[/&]|\s+studio\b)"
    rf"|\b(?P<product>{_PRODUCTS})[\s-]generated\b",
    re.IGNORECASE,
)
_OF_DEVICES, _OF_PROGRAMS = (_DEVICE, _DEED), (_PROGRAM, _DEED)
FIELDS = (
    (("Make", "Model"), _OF_DEVICES),
    (("Software", "CreatorTool", "generator"), _OF_PROGRAMS),
    (("Source", "Credit"), (_CREDITED, _DEED)),
    (("Artist", "Author"), (_WHOLE_PRODUCT, _DEED)),
)
"""Keywords against what their texts must say; an author must be nothing but a product, or tell the deed.

A title tells what is to be seen, which can be a generator's work or its makers.
"""
_SHOWN = re.compile(r"\b(?:screen ?(?:shot|grab|cap)\w*|logo|(?:photo|foto)\w* (?:of|von|de|di))\b", re.IGNORECASE)
_PHOTOGRAPH = re.compile(r"\b(?:photo|foto)", re.IGNORECASE)
"""What stands before the name of what a picture shows, or of who sent it, and not of what made it."""
_MAX_NAME = 200
"""Characters of a field that names a program; a longer one is prose in which such a name proves nothing."""


def is_device(name: str) -> bool:
    """Whether what stands in the place of a camera's maker or model names a generator.

    >>> is_device("Black Forest Labs"), is_device("Canon")
    (True, False)
    """
    return bool(named(name, _OF_DEVICES))


def by_program(text: str) -> str:
    """Return the generator that a text names where the name of a program stands, or an empty text."""
    return named(text, _OF_PROGRAMS)


def named(text: str, patterns: tuple[re.Pattern[str], ...]) -> str:
    """Return the generator that a field names and does not deny, or an empty text."""
    if len(text) > _MAX_NAME:
        return ""
    for pattern in patterns:
        for found in pattern.finditer(text):
            group = found.lastgroup or 0
            before = text[: found.start(group)]
            shown = _PROGRAM not in patterns and shows_another(before)
            if shown or (pattern is _CREDITED and _PHOTOGRAPH.search(before)):
                continue
            if not denied(text, found.start(), found.start(group), found.end()):
                return found[group]
    return ""


def shows_another(before: str) -> bool:
    """Whether what stands before a name says that the picture shows a work and is none: a screenshot, a photo of it."""
    return _SHOWN.search(before) is not None
