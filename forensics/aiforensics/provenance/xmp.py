"""XMP: credits of AI services, the editor's history, names, place.

Source: ISO 16684-1 (XMP); Google, "Metadata for images edited or made with Google AI" (`photoshop:Credit`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from aiforensics.evidence import Claim, ProvenanceOrigin
from aiforensics.provenance import generator_names
from aiforensics.provenance.denial import denied
from aiforensics.provenance.dossier import Dossier, clean
from aiforensics.provenance.exif import EDITORS

_SERVICES = (
    r"Google|Adobe|Meta|Microsoft|OpenAI|xAI|Amazon|Apple|Samsung|Galaxy|Bing|Canva|Leonardo|Ideogram|Krea|Kling|Recraft"
    r"|Playground|Stability|Luma|Runway|Picsart|Pixlr|Freepik|Shutterstock|Getty Images"
)
_MAX_DENIALS = 1000
"""A credit that denies it more often denies it, and costs no more."""
_MAX_RUNS = 12
"""Runs of the same step in a history that are told."""
_NAME = r"(?:\d?[A-Z])[\w&'’+-]{1,20}"
_FILLERS = r"(?i:(?:the|an?|help|use|aid|assistance|of|some|generative|\d{1,3}[ \t]?%)[ \t]{1,4}){0,4}"
# In capitals, because Ai is a name; and what follows makes it neither a name (Weiwei) nor a thing (autofocus).
_AI = (
    r"\bAI\b(?=\s*(?:$|[^\s\w'’-])|-(?:based|generated|assisted|powered)\b|[ \t]{1,4}[-–—]"
    r"|\s{1,4}(?i:by|for|from|in|on|at|and|or|with|via|using|tools?|studio|images?|generators?|art|models?|software"
    r"|assistance|help)\b)"
)


def _deed(verbs: str) -> re.Pattern[str]:
    """Words from the deed to AI; nothing but a service's name stands between them, and after `by` only a known one."""
    known = rf"(?P<known>(?i:{_SERVICES})(?:[. \t]|['’]s[ \t]))?"
    return re.compile(
        rf"\b(?P<deed>(?i:{verbs}) (?:(?i:with|using|by)[ \t]{{1,4}}{_FILLERS}{known}"
        rf"|(?i:with|using)[ \t]{{1,4}}{_FILLERS}(?P<unknown>(?:{_NAME}[. \t]){{1,3}})))(?P<ai>{_AI})"
    )


_BY_ITSELF = re.compile(
    r"(?:^|[,/|;()+\]]|\s[-–—]\s|\b(?:image|picture|photo|foto|bild|illustration|graphic|grafik|credit|source|quelle):)"
    r"\s*+(?P<phrase>AI[- ](?:generated|created)(?:\s(?:image|picture|photo|art|artwork|illustration|graphic))?"
    r"|KI[- ](?:generiert|erzeugt|erstellt)(?:e[srn]?\s(?:Bild|Foto|Grafik|Illustration|Kunst|Symbolbild))?"
    r"|mit (?:Hilfe von )?[KA]I (?:generiert|erzeugt|erstellt)|(?:image )?(?:générée?|créée?) (?:par|avec) (?:l['’])?IA"
    r"|(?:imagen )?(?:generad|cread)[ao] (?:con|por) (?:la )?IA|(?:immagine )?(?:generat|creat)[ao] (?:con|da) IA)"
    r"(?=\s*+(?:$|[.!?:=,/|;()+\[]|[-–—]\s)|\s(?:by|with|via|using|from|for|von|mit|durch|par|por|con)\b)",
    re.IGNORECASE,
)
"""Words that say of a picture that AI made it, where they are a credit or the whole of what its separators enclose."""
_MADE = _deed("made|created|generated|imagined")
_EDITED = _deed("edited")
_PRIVATE = {
    "dc:creator": "creator",
    "photoshop:AuthorsPosition": "author's position",
    "photoshop:City": "city",
    "Iptc4xmpExt:PersonInImage": "person shown",
    "xmpRights:Owner": "owner",
    "aux:SerialNumber": "camera serial number",
}


def read(dossier: Dossier) -> Iterator[Claim]:
    """Claims from the XMP packets that no other reader reads."""
    xmp = dossier.xmp
    for problem in xmp.problems:
        yield Claim("unreadable", problem, "XMP")
    for line in dict.fromkeys(xmp.values.get("photoshop:Credit", ())):
        yield from credit(line, "XMP photoshop:Credit")
    for name, meaning in _PRIVATE.items():
        if xmp.first(name):
            yield Claim("person", clean(f"{meaning}: {xmp.first(name)}"), f"XMP {name}")
    if xmp.first("exif:GPSLatitude"):
        place = f"{xmp.first('exif:GPSLatitude')}, {xmp.first('exif:GPSLongitude')}"
        yield Claim("place", clean(place, 80), "XMP exif:GPSLatitude")
    steps = xmp.values.get("stEvt:action", [])
    if steps:
        told = clean(f"{len(steps)} recorded steps: {_in_runs(steps)}")
        origin: ProvenanceOrigin = "edited" if set(steps) - {"created"} else "unknown"
        yield Claim("history", told, "XMP History", origin)


def _in_runs(steps: Sequence[str]) -> str:
    """Tell steps in their order, the same ones behind each other as one."""
    runs = [(step, sum(1 for _ in same)) for step, same in itertools.groupby(steps)]
    told = [step if count == 1 else f"{count} × {step}" for step, count in runs[:_MAX_RUNS]]
    return ", ".join([*told, "…"] if len(runs) > _MAX_RUNS else told)


def credit(line: str, source: str) -> Iterator[Claim]:
    """Give what a credit says of AI, in its own words and without the names around them; the whole line is private."""
    deeds: tuple[tuple[re.Pattern[str], ProvenanceOrigin], ...] = ((_MADE, "ai"), (_EDITED, "edited"))
    for deed, origin in deeds:
        words, name = _names_ai(deed, line)
        if not words and origin == "ai":
            words = _says_ai(line)
        if words:
            # Programs that change photographs have AI in their names as well.
            made = "edited" if EDITORS.search(name) else origin
            yield Claim("credit", clean(f"the file claims: {words}"), source, made)
            if words == line.strip():
                return
            break
    yield Claim("person", clean(f"credit: {line}"), source)


def _names_ai(deed: re.Pattern[str], line: str) -> tuple[str, str]:
    """Words from the deed to AI, or none where it is denied; and the name of no known service that they leave out."""
    for found in itertools.islice(deed.finditer(line), _MAX_DENIALS):
        if not denied(line, found.start(), found.start("ai"), found.end()):
            words, name = found["deed"], found["unknown"] or ""
            if name:
                words = f"{words.removesuffix(name)}… "
            return words + found["ai"], name
    return "", ""


def _says_ai(line: str) -> str:
    """Return the words of a credit that are nothing but "AI-generated" or the like, and that it does not deny."""
    for found in itertools.islice(_BY_ITSELF.finditer(line), _MAX_DENIALS):
        phrase = found.start("phrase")
        if not denied(line, phrase, phrase, found.end()) and not generator_names.shows_another(line[:phrase]):
            return found["phrase"]
    return ""
