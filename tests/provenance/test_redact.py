"""What `--redact` must take out: every name that a file can carry, wherever it stands."""

import struct

import pytest

from aiforensics.provenance import is_private, redact
from aiforensics.provenance.jpeg_structure import SEGMENTS

NAME = "Anna Whistleblower"


def iptc(make, *records):
    body = b"".join(
        struct.pack(">BBBH", 0x1C, 2, number, len(text)) + text
        for number, text in ((n, t.encode()) for n, t in records)
    )
    block = b"8BIM" + struct.pack(">H", 0x0404) + b"\0\0" + struct.pack(">I", len(body)) + body
    return make.jpeg((0xED, b"Photoshop 3.0\0" + block + b"\0"))


def test_names_in_iptc_records(make, read):
    records = [(number, f"{NAME}, {number}") for number in (80, 90, 92, 110, 115, 116, 118, 120, 122)]
    found = read(iptc(make, *records, (65, "Some Program")))
    assert sum(NAME in claim.value for claim in found.claims) == len(records)
    assert NAME not in repr(redact(found))
    assert "Some Program" in repr(redact(found))


def test_names_in_xmp_credits_and_sources(make, read):
    properties = {"photoshop:Credit": NAME, "photoshop:Source": f"{NAME}'s archive", "dc:creator": NAME}
    found = read(make.jpeg(make.xmp_segment({**properties, "xmp:CreatorTool": "Adobe Firefly"})))
    assert NAME in repr(found)
    assert NAME not in repr(redact(found))
    assert "Adobe Firefly" in repr(redact(found))


def test_of_a_signer_the_organisation_stays_and_the_name_goes(make, sign, read, values):
    content, _ = sign(make.jpeg(), [{"action": "c2pa.created", "digitalSourceType": "digitalCapture"}])
    found = read(content)
    assert "signed by “Test Organisation”" in values(found, "signature-unknown")[0]
    assert "the certificate is made out to “Test Signer”" in values(found, "person")
    hidden = redact(found)
    assert "Test Organisation" in values(hidden, "signature-unknown")[0]
    assert "Test Signer" not in repr(hidden)


def test_of_comments_only_an_editors_own_words_are_public(make, read):
    def private(comment):
        return [claim.private for claim in read(make.png(make.text("Comment", comment))).claims]

    assert private("Created with GIMP") == private("Made with Adobe Photoshop 25.1") == [False]
    for comment in (
        "Anna on canvas",
        "made with Canva by Anna",
        "Created with GIMP for Anna",
        "Edited by Anna in Gimp",
        "Created with GIMP" + " " * 90 + "Anna",
    ):
        assert private(comment) == [True]


@pytest.mark.parametrize("keyword", ["Creator", "generator"])
def test_a_creator_is_public_where_it_is_an_editors_name_and_nothing_else(keyword, make, read):
    def told(creator):
        (claim,) = read(make.png(make.text(keyword, creator))).claims
        return claim.kind, claim.private, claim.origin

    for editor in ("GIMP", "Adobe Photoshop Lightroom Classic 12.3 (Macintosh)", "Adobe Photoshop CS6 (Windows)"):
        assert told(editor) == ("software", False, "edited")
    for words in (f"{NAME} on Instagram", f"Photoshop by {NAME}", "Anna's Canva", "GIMP for Anna", "Topaz Jones"):
        assert told(words) == ("text", True, "unknown")


@pytest.mark.parametrize(
    ("lens", "shown"),
    [
        ("EF50mm f/1.8 STM", True),
        ("iPhone 12 Pro Max back triple camera 5.1mm f/2", True),
        ("Summilux-M ASPH", True),
        (f"the lens that {NAME} lent me in Vienna", False),
        (f"50mm of {NAME}, if found please call her at home or at work", False),
    ],
)
def test_a_lens_of_other_words_is_private(lens, shown, make, read, values):
    found = read(make.jpeg(make.exif_segment(inner={0xA434: lens})))
    assert values(found, "lens") == [lens]
    assert values(redact(found), "lens") == [lens if shown else "(removed)"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Canon EOS 5D Mark IV", True),
        ("EASTMAN KODAK COMPANY KODAK EASYSHARE Z1012 IS Digital Camera", True),
        (f"the camera of {NAME} at the river in Linz", False),
    ],
)
def test_a_camera_of_a_sentence_is_private(name, shown, make, read, values):
    for found in (
        read(make.jpeg(make.exif_segment(first={272: name}))),
        read(make.jpeg(make.xmp_segment({"tiff:Model": name}))),
    ):
        assert values(found, "camera") == [f"the file claims a camera: {name}"]
        assert (NAME in repr(redact(found)), redact(found).origin) == (False, "camera")
        assert (name in repr(redact(found))) is shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Adobe Photoshop Lightroom Classic 10.4 (Macintosh)", True),
        ("HDR+ 1.0.345618096zd", True),
        (f"GIMP on the laptop of {NAME} in the office", False),
        ("x" * 101, False),
    ],
)
def test_a_program_of_a_sentence_is_private(name, shown, make, read, values):
    for found in (
        read(make.jpeg(make.exif_segment(first={305: name}))),
        read(make.jpeg(make.xmp_segment({"xmp:CreatorTool": name}))),
        read(make.png(make.text("Software", name))),
    ):
        assert name in repr(found)
        assert (name in repr(redact(found))) is shown
        assert redact(found).origin == found.origin


def test_what_segments_tell_of_their_program_stays(make, read, values):
    found = read(make.jpeg((0xEC, b"Ducky\0\1\0\4\0\0\0\x32")))
    assert values(redact(found), "software") == ["a segment that Photoshop's 'Save for web' writes"]
    for program in SEGMENTS.values():
        assert not is_private("software", program)


def test_an_originating_program_of_other_words_is_private(make, read, values):
    found = read(iptc(make, (65, f"the laptop of {NAME} in the office")))
    assert NAME in repr(found)
    assert values(redact(found), "iptc") == ["(removed)"]


def test_the_keyword_of_a_private_text_is_private_too(make, read):
    novel = '{"noise_schedule": "karras", "prompt": "a fox"}'
    found = read(make.png(make.text(f"Photo of {NAME}", novel)) + make.compressed(NAME, "x" * 5_000_000))
    assert {c.source for c in found.claims if NAME in c.source} == {f"PNG tEXt Photo of {NAME}", f"PNG zTXt {NAME}"}
    hidden = redact(found)
    assert NAME not in repr(hidden)
    assert {"PNG tEXt", "PNG zTXt"} <= {c.source for c in hidden.claims}


def test_a_keyword_is_removed_where_its_text_is_left_out(make, read):
    texts = [make.text("Comment", str(n)) for n in range(50)]
    found = read(make.png(*texts, make.text(f"Photo of {NAME}", '{"noise_schedule": "karras"}')))
    assert found.origin == "ai"
    assert NAME not in repr(redact(found))


def test_the_name_of_a_raw_profile_is_in_no_problem(make, read):
    assert NAME not in repr(redact(read(make.png(make.text(f"Raw profile type {NAME}", "\nx\n 1\nzz")))))


@pytest.mark.parametrize(
    ("credit", "words"),
    [
        (f"Portrait of {NAME}, made with AI", "made with AI"),
        (f"Edited with Google AI by {NAME}", "Edited with Google AI"),
        (f"Created with {NAME} AI", "Created with … AI"),
        (f"AI-generated by {NAME}", "AI-generated"),
        (f"Made with the help of Leonardo.AI by {NAME}", "Made with the help of Leonardo.AI"),
    ],
)
def test_of_a_credit_to_ai_only_its_own_words_stay(credit, words, make, read, values):
    found = read(make.jpeg(make.xmp_segment({"photoshop:Credit": credit})))
    assert values(found, "credit") == [f"the file claims: {words}"]
    assert values(found, "person") == [f"credit: {credit}"]
    assert NAME not in repr(redact(found))


def test_a_credit_far_from_ai_claims_none(make, read, values):
    found = read(make.jpeg(make.xmp_segment({"photoshop:Credit": f"made with love by {NAME} and AI"})))
    assert values(found, "credit") == []
    assert NAME not in repr(redact(found))


@pytest.mark.parametrize("kind", ["Seed", "Sampler", "Model"])
def test_settings_that_hold_other_words_are_private(kind, make, read):
    settings = {"Seed": "7", "Sampler": "DPM++ 2M SDE Karras", "Model": "Juggernaut XL v9 Lightning"}

    def claims(values):
        line = ", ".join(f"{name}: {value}" for name, value in values.items())
        return redact(read(make.png(make.text("parameters", f"a fox\nSteps: 20, {line}")))).claims

    assert {c.value for c in claims(settings)} > set(settings.values())
    hidden = claims({**settings, kind: f"a portrait of {NAME} at home"})
    assert NAME not in repr(hidden)
    assert [c.value for c in hidden if c.kind == kind.lower()] == ["(removed)"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("sRGB IEC61966-2.1", True),
        ("GIMP built-in sRGB", True),
        ("Adobe RGB (1998)", True),
        ("Display P3", True),
        ("Dot Gain 20%", True),
        ("Coated FOGRA39 (ISO 12647-2:2004)", True),
        ("U.S. Web Coated (SWOP) v2", True),
        (f"{NAME}'s Color LCD", False),
    ],
)
def test_only_usual_names_of_colour_profiles_are_public(name, shown, make, read, values):
    body = b"desc" + struct.pack(">II", 0, len(name) + 1) + name.encode() + b"\0"
    profile = bytes(128) + struct.pack(">I4sII", 1, b"desc", 144, len(body)) + body
    found = read(make.jpeg((0xE2, b"ICC_PROFILE\0\1\1" + profile)))
    assert values(found, "colour-profile") == [name]
    assert values(redact(found), "colour-profile") == [name if shown else "(removed)"]


@pytest.mark.parametrize(
    ("program", "shown"),
    [
        ("C:\\Users\\annamueller\\retouch", "retouch"),
        ("Retouch (/home/annamueller/retouch) 2", "Retouch (retouch) 2"),
        ("samsung/a52q/a52q:11", "samsung/a52q/a52q:11"),
    ],
)
def test_a_program_is_named_without_the_folders_that_it_lies_in(program, shown, make, read, values):
    for content in (
        make.jpeg(make.exif_segment(first={0x0131: program})),
        make.jpeg(make.xmp_segment({"xmp:CreatorTool": program})),
        make.png(make.text("Software", program)),
    ):
        assert values(read(content), "software") == [shown]
    assert values(read(iptc(make, (65, program))), "iptc") == [f"originating program: {shown}"]


@pytest.mark.parametrize("label", [f'{{"Label":"1","ContentProducer":"{NAME}"}}', f'{{"Label":"{NAME}"}}'])
def test_of_an_aigc_label_the_producer_and_other_words_are_private(label, make, read, values):
    found = read(make.jpeg(make.exif_segment(inner={0x9286: f'ASCII\0\0\0{{"AIGC":{label}}}'.encode()})))
    assert NAME in repr(found)
    hidden = redact(found)
    assert NAME not in repr(hidden)
    assert ("made by AI" in values(hidden, "aigc-label")[0]) == (found.origin == "ai") == ("Producer" in label)


def test_a_source_type_of_other_words_is_private(make, read, values):
    found = read(make.jpeg(make.xmp_segment({"Iptc4xmpExt:DigitalSourceType": f"{NAME}, 1 Main St"})))
    assert values(found, "source-type") == [f"an unknown digital source type: {NAME}, 1 Main St"]
    assert values(redact(found), "source-type") == ["(removed)"]


def test_a_step_of_an_editor_of_other_words_is_private(make, read):
    steps = '<rdf:li e:action="created"/><rdf:li e:action="{}"/>'
    space = b' xmlns:e="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"><e:History><rdf:Seq>'

    def claims(action):
        inner = space + steps.format(action).encode() + b"</rdf:Seq></e:History></rdf:Description></rdf:RDF>"
        body = make.xmp({}).replace(b"/></rdf:RDF>", inner)
        return redact(read(make.jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + body)))).claims

    assert [c.value for c in claims("saved") if c.kind == "history"] == ["2 recorded steps: created, saved"]
    assert [c.value for c in claims(f"saved by {NAME}") if c.kind == "history"] == ["(removed)"]


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (["derived", *["saved"] * 35], "36 recorded steps: derived, 35 × saved"),
        (["saved", "converted"] * 7, f"14 recorded steps: {'saved, converted, ' * 6}…"),
    ],
)
def test_a_long_history_is_told_in_runs_and_no_name(make, read, steps, told):
    items = "".join(f'<rdf:li e:action="{step}"/>' for step in steps)
    space = ' xmlns:e="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"><e:History><rdf:Seq>'
    inner = f"{space}{items}</rdf:Seq></e:History></rdf:Description></rdf:RDF>".encode()
    found = read(make.jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + make.xmp({}).replace(b"/></rdf:RDF>", inner))))
    assert [c.value for c in redact(found).claims if c.kind == "history"] == [told]


@pytest.mark.parametrize(
    ("date", "shown"),
    [
        ("2020:05:06 10:11:12", True),
        ("2020-05-06T10:11:12.500+02:00", True),
        ("2020:05:06", True),
        (NAME, False),
        (f"2020:05:06 {NAME}", False),
    ],
)
def test_only_a_date_is_a_date(date, shown, make, read, values):
    found = read(make.jpeg(make.exif_segment(inner={0x9003: date})))
    assert values(found, "date") == [f"taken {date}"]
    assert values(redact(found), "date") == [f"taken {date}" if shown else "(removed)"]
    created = redact(read(iptc(make, (55, date))))
    assert values(created, "iptc") == ["date created: 2020:05:06" if date == "2020:05:06" else "(removed)"]
