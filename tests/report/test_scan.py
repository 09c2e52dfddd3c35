"""The page of scanned pictures: safe, self-contained, valid, bounded, deterministic, and it says what it should."""

import base64
import hashlib
import io
import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

import aiforensics_models
from aiforensics.evidence import Claim, ModelRef, Provenance, Quality, Refusal

VOID = {"meta", "img", "br", "link", "input", "hr"}
ALLOWED = set(
    re.findall(
        r"\w+",
        """html head meta title style body a header main footer section article figure figcaption img p b span time
        h1 h2 h3 h4 dl dt dd div ul ol li table thead tbody tr th td details summary code bdi br
        svg path circle rect line text image mask""",
    )
)


class Page(HTMLParser):
    """Elements of a page; fails on anything that is not balanced."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.elements, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"<{tag}> repeats an attribute"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack.pop() == tag

    def handle_data(self, text):
        if self.stack and self.stack[-1] != "style":
            self.words.append(text)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))


def check(text):
    """What holds for every page of the house."""
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert page.all("html") == [{"lang": "en"}]
    assert {tag for tag, _ in page.elements} <= ALLOWED
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in page.elements:
        assert not [name for name in attrs if name.startswith("on") or name == "style"]
        assert attrs.get("aria-labelledby", ids[0]) in ids
        for name in ("src", "href", "action", "data", "poster", "srcset", "xlink:href"):
            value = attrs.get(name, "#main")
            assert value.startswith("data:image/jpeg;base64,") or value[1:] in ids, f"{name}={value[:80]}"
    for image in page.all("img"):
        assert "alt" in image
        assert int(image["width"]) > 0
        assert int(image["height"]) > 0
    for svg in page.all("svg"):
        drawn_inside = "x" in svg
        assert drawn_inside or svg.get("aria-hidden") == "true" or (svg["role"] == "img" and svg["aria-label"])
    headings = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(headings))
    assert len(page.all("main")) == 1
    for header in page.all("th"):
        assert header["scope"] in {"row", "col", "rowgroup"}
    check_policy(text, page)
    assert "fake" not in page.text.lower()
    return page


def check_policy(text, page):
    [policy] = [m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    [style] = re.findall(r"<style>(.*?)</style>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert "img-src data:" in policy
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert text.index("Content-Security-Policy") < text.index("<style>")
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("verdict", ["ai", "real", "inconclusive"])
def test_a_page_says_its_verdict_first(write, examine, verdict):
    page = check(write(examine(verdict)))
    headline = {
        "ai": "Likely AI-generated",
        "real": "Likely a real photograph or human-made picture",
        "inconclusive": "Inconclusive",
    }[verdict]
    probability = {"ai": "93%", "real": "6%", "inconclusive": "47%"}[verdict]
    order = [headline, probability, "Evidence quality", "a probability, not proof", "Why:", "Reproduction", "Limits"]
    places = [page.text.index(words, page.text.index("Origin, judged by the pixels")) for words in order]
    assert places == sorted(places)
    assert f"<title>{headline}: astronaut.jpg" in write(examine(verdict))
    for words in ("SynthID", "Absence proves nothing", "3b" * 32, "c4" * 32, "2026-11-20", "jpeg-90", "Display P3"):
        assert words in write(examine(verdict))


def test_reasons_are_grouped_and_add_up(write, examine):
    page = check(write(examine("ai")))
    table = page.text[page.text.index("Why:") : page.text.index("Where it was measured")]
    titles = ["Embedding network", "Frequency spectrum", "Colour statistics", "Noise residual", "Error level analysis"]
    places = [table.index(title) for title in titles]
    assert places == sorted(places)
    for row in ("Frequency spectrum +1.03", "Noise residual +0.35", "Colour statistics −0.38", "photographs −0.12"):
        assert row.replace(" ", "") in table.replace(" ", "")


def test_a_cue_is_worth_what_all_its_features_are(write, examine):
    measured = examine("ai").finding.analyzers
    told = tuple(replace(m, contribution=-0.27 if m.analyzer == "noise" else None) for m in measured)
    page = Page(write(examine("ai", analyzers=told)))
    why = page.text[page.text.index("Why:") : page.text.index("Where it was measured")]
    assert "Noiseresidual−0.27" in why.replace(" ", "")
    cues = page.text[page.text.index("The cues, and what each is worth") :]
    assert "Noiseresidual−0.27forreal" in cues.replace(" ", "")


def test_bars_point_left_for_real_and_right_for_ai(write, examine):
    page = Page(write(examine("ai")))
    bars = [r for r in page.all("rect") if r.get("class") in ("fill-ai", "fill-real")]
    assert len(bars) == 11
    for bar in bars:
        x, width = (float(bar[name].rstrip("%")) for name in ("x", "width"))
        assert x >= 0
        assert x + width <= 100.01
        assert x == 50 if bar["class"] == "fill-ai" else x + width == pytest.approx(50, abs=0.5)


HOSTILE = "</style></title><script>alert(1)</script><img src=x onerror=alert(2)>\"' onload='x' {{ 7*7 }} &lt;b&gt;"


def test_the_page_tells_how_to_repeat_the_scan(write, examine):
    own = check(write(examine("ai")))
    assert "# FOLDER: the bundle default, sha256 c4c4c4c4c4c4" in own.text
    manifest = (Path(aiforensics_models.__file__).parent / "bundles" / "default" / "bundle.json").read_bytes()
    model = ModelRef("default", "0.1.0", hashlib.sha256(manifest).hexdigest())
    shipped = check(write(examine("ai", model=model)))
    assert "--model default --json" in shipped.text


def test_hostile_text_stays_text(write, examine):
    nasty = replace(
        examine("ai"),
        finding=replace(
            examine("ai").finding,
            path=f"evidence/{HOSTILE}",
            notes=(HOSTILE,),
            decision=HOSTILE,
            condition=HOSTILE,
            provenance=Provenance("claimed", "ai", (Claim(HOSTILE, HOSTILE, HOSTILE, "ai"),)),
        ),
    )
    refused = Refusal(HOSTILE, "unreadable", HOSTILE)
    for text in (write(nasty), write(nasty, refused)):
        page = check(text)
        assert "<script" not in text
        assert "{{ 7*7 }}" in page.text
        assert "&amp;lt;b&amp;gt;" in text


def test_hidden_characters_are_shown(write, examine):
    value = "a\u202eb\u0000c\u001b[31m\u200bd\ufeffe\u2066f\U000e0041g\udcffh"
    nasty = examine("ai", path=f"x/{value}.jpg", provenance=Provenance("claimed", "ai", (Claim("k", value, "s"),)))
    text = write(nasty)
    page = check(text)
    shown = "a⟦U+202E⟧b⟦U+0000⟧c⟦U+001B⟧[31m⟦U+200B⟧d⟦U+FEFF⟧e⟦U+2066⟧f⟦U+E0041⟧g⟦U+DCFF⟧h"
    assert page.text.count(shown) >= 4
    assert not re.search("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", text)
    assert "straße 東京 é" in write(examine("ai", notes=("straße 東京 é",)))


def test_a_megabyte_of_metadata_is_cut(write, examine):
    plain = len(write(examine("ai")))
    claims = tuple(Claim("k" * 10**6, "v" * 10**6, "s" * 10**6) for _ in range(3))
    text = write(examine("ai", notes=("n" * 10**6,), provenance=Provenance("claimed", "unknown", claims)))
    page = check(text)
    assert len(text) < plain + 60_000
    assert "996000 not shown" in page.text


def test_a_page_is_bounded(write, examine):
    busy = examine("ai", "immunohistochemistry", enlarge=6)
    rng = np.random.default_rng(0)
    noise = [replace(m, pixels=rng.integers(0, 256, m.pixels.shape, np.uint8)) for m in busy.maps * 3]
    text = write(replace(busy, maps=tuple(noise)))
    check(text)
    assert len(text.encode()) < 1_500_000


def test_the_same_finding_gives_the_same_bytes(write, examine):
    assert write(examine("real")) == write(examine("real"))


def test_pictures_in_the_page_carry_no_metadata(write, examine):
    examination = examine("real")
    image = examination.picture.stored
    image.info = {"comment": b"secret place", "exif": b"Exif\x00\x00secret", "icc_profile": b"secret profile"}
    text = write(examination)
    encoded = re.findall(r"data:image/jpeg;base64,([\w+/=]+)", text)
    assert len(encoded) > 10
    for one in encoded:
        raw = base64.b64decode(one)
        assert b"secret" not in raw
        assert not {"comment", "exif", "icc_profile"} & set(Image.open(io.BytesIO(raw)).info)


def test_several_pictures_come_after_a_table_of_them(write, examine):
    refused = Refusal("notes/minutes.jpg", "unreadable", "This is a text file that is named .jpg")
    page = check(write(examine("ai"), refused, examine("real", "rocket"), examine("inconclusive", "cat")))
    anchors = [a["href"] for a in page.all("a") if a["href"].startswith("#picture")]
    assert anchors == ["#picture-1", "#picture-2", "#picture-3", "#picture-4"]
    assert [a["id"] for a in page.all("article")] == [a[1:] for a in anchors]
    assert page.text.count("Limits of every verdict") == 1
    assert "Not examined: This is a text file" in page.text


def test_a_refused_input_has_a_page(write):
    text = write(Refusal("a/minutes.jpg", "too-large", "The picture claims 60000 × 60000 pixels"))
    page = check(text)
    assert "Not examined" in page.text
    assert "too-large: The picture claims 60000 × 60000 pixels" in page.text
    assert "Likely" not in page.text.split("Limits of every verdict")[0]


@pytest.mark.parametrize("redact", [False, True])
def test_the_folder_of_a_refused_input_is_not_shown(write, redact):
    text = write(Refusal("/home/jane-doe/a.png", "unreadable", "the PNG is damaged"), redact=redact)
    assert "a.png" in text
    assert "jane-doe" not in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"orientation": 6}, "6; shown upright here, examined as stored"),
        ({"orientation": 3}, "512 × 512, shown upright"),
        ({"frames": 3}, "3; the first is examined"),
    ],
)
def test_the_page_says_what_was_turned_or_left_out(write, examine, change, words):
    plain = examine("ai", maps=False)
    assert words not in write(plain)
    assert words in write(replace(plain, picture=replace(plain.picture, **change)))


def test_redaction_removes_private_claims_and_folders(write, examine):
    private = Claim("place", "48.2082, 16.3738", "EXIF GPS", private=True)
    public = Claim("camera", "Canon EOS 5D", "EXIF Make/Model", "camera")
    examination = examine(
        "real", path="/home/jane/a.jpg", provenance=Provenance("claimed", "camera", (private, public))
    )
    assert "48.2082" in write(examination)
    text = write(examination, Refusal("/home/jane/b.jpg", "unreadable", "No picture"), redact=True)
    check(text)
    assert "48.2082" not in text
    assert "jane" not in text
    assert "Canon EOS 5D" in text


@pytest.mark.parametrize("thresholds", [None, (0.02, 0.97), (0.5, 0.5), (0.0, 1.0)])
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_the_scale_takes_any_probability(write, examine, thresholds, p):
    examination = replace(
        examine("ai", p_ai=p, interval=(max(0, p - 0.1), min(1, p + 0.1)), maps=False), thresholds=thresholds
    )
    page = check(write(examination))
    assert ("Thresholds" in page.text) == (thresholds is not None)
    assert " 0% probability" not in page.text
    assert "100% probability" not in page.text


def test_bare_findings_have_a_page(write, examine):
    page = check(write(examine("ai", reasons=(), analyzers=(), notes=(), decision="", condition="", maps=False)))
    assert "gave no shares" in page.text


@pytest.mark.parametrize("orientation", range(1, 9))
def test_windows_are_drawn_where_they_are_cut(examine, orientation):
    from aiforensics.image.orientation import upright, upright_box

    picture = examine("ai", "rocket", orientation, maps=False).picture
    shown = picture.upright(10_000)
    assert len(picture.windows) > 1
    for window in picture.windows:
        h, w = window.pixels.shape[:2]
        x, y, w, h = upright_box((window.x, window.y, w, h), picture.width, picture.height, orientation)
        np.testing.assert_array_equal(
            np.asarray(shown.crop((x, y, x + w, y + h))),
            np.asarray(upright(Image.fromarray(window.pixels), orientation)),
        )


def test_tiny_pictures_have_a_page(write, examine):
    examination = examine("inconclusive", maps=False)
    tiny = replace(examination.picture, stored=Image.new("RGB", (1, 1), (9, 9, 9)))
    check(write(replace(examination, picture=tiny)))


def test_real_analyzers_supply_the_cards_by_default(tmp_path, examine):
    from aiforensics.analyzers import ANALYZERS
    from aiforensics.report import write_report

    write_report([examine("ai")], tmp_path / "r.html")
    page = check((tmp_path / "r.html").read_text(encoding="utf-8"))
    for name in ("ela", "noise", "spectrum"):
        [card] = [a.card for a in ANALYZERS if a.name == name]
        assert card.title in page.text


def test_a_score_on_poor_evidence_is_not_offered_as_a_probability(write, examine):
    strange = Quality("poor", ("very unlike the pictures that the model was trained on",))
    page = check(write(examine("inconclusive", quality=strange)))
    assert "The score of 47% (18% to 79%) is not to be used: the evidence is too poor." in page.text
    assert "traces are left" not in page.text
    assert "probability that AI made it" not in page.text
    assert "too poor for any of this to count" in page.text


def test_a_cue_without_a_reason_of_its_own_is_still_shown(write, examine):
    examination = examine("ai")
    only = tuple(reason for reason in examination.finding.reasons if not reason.feature.startswith("noise."))
    told = tuple(replace(m, contribution=0.4 if m.analyzer == "noise" else None) for m in examination.finding.analyzers)
    page = Page(write(examine("ai", reasons=only, analyzers=told)))
    why = page.text[page.text.index("Why:") : page.text.index("Where it was measured")]
    assert "Noiseresidual+0.40" in why.replace(" ", "")


def test_a_real_examination_makes_a_page(tmp_path):
    from aiforensics.pipeline import Scanner
    from aiforensics.report import write_report

    path = tmp_path / "-a picture.png"
    Image.fromarray(pictures.chelsea()).save(path)
    write_report([Scanner().examine(path)], tmp_path / "r.html")
    page = check((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "Calibrated asno strong compression on the file's own grid, shorter side up to 512 pixels" in page.text
    assert "log-oddsthe embedding network's view of the windows" in page.text
    assert "Its map" not in page.text
    assert "Edges are brightest in most pictures" in page.text, "the key of a map"
    assert f"--json -- '{path}'" in page.text, "a path that begins like an option is none"


def test_an_enlarged_picture_is_calibrated_as_what_is_left_of_it(tmp_path):
    from aiforensics.pipeline import Scanner
    from aiforensics.report import write_report

    Image.fromarray(pictures.coffee()[:300, :300]).resize((900, 900)).save(tmp_path / "a.png")
    write_report([Scanner().examine(tmp_path / "a.png")], tmp_path / "r.html")
    page = check((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "Calibrated asafter reduction: no strong compression on the file's own grid" in page.text
