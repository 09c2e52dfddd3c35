"""China's label for synthetic content: a JSON object named `AIGC` in XMP, EXIF or a text chunk.

Source: GB 45438-2025, annex E (implicit labels in file metadata).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from aiforensics.evidence import Claim, ProvenanceOrigin
from aiforensics.provenance.dossier import Dossier, clean
from aiforensics.provenance.exif import user_comment

_LABELS: dict[str, tuple[ProvenanceOrigin, str]] = {
    "1": ("ai", "made by AI"),
    "2": ("unknown", "possibly made by AI"),
    "3": ("unknown", "suspected to be made by AI"),
}
_OBJECT = re.compile(r'\{[^{}]{0,4000}"Label"[^{}]{0,4000}\}')


def read(dossier: Dossier) -> Iterator[Claim]:
    """Claims of an AIGC label, wherever it stands."""
    places = [(dossier.xmp.first("TC260:AIGC", "AIGC:AIGC"), "XMP TC260:AIGC")]
    places += [(text.text, text.source) for text in dossier.contents.texts if text.keyword == "AIGC"]
    places += [(user_comment(tags.get(0x9286)), "EXIF UserComment") for tags in (dossier.exif.exif, dossier.exif.first)]
    for text, source in places:
        found = _OBJECT.search(text[:20_000]) if "Label" in text else None
        if found is None:
            continue
        try:
            label = json.loads(found[0])
        except ValueError:
            yield Claim("unreadable", "an AIGC label that is not valid JSON", source)
            continue
        origin, words = _LABELS.get(str(label.get("Label")), ("unknown", f"an unknown value {label.get('Label')!r}"))
        maker = str(label.get("ContentProducer") or label.get("ProduceID") or "")
        by = f"; producer {maker}" if maker else ""
        yield Claim("aigc-label", clean(f"the file carries China's AIGC label: {words}{by}"), source, origin)
        return
