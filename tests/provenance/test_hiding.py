"""An AI claim behind repeated, padded or misplaced blocks: it is found, or the cut is told."""

import io
import re
import struct

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from aiforensics.provenance import redact, watermark

A1111 = "a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Model: foxmodel"
CAMERA = {0x010F: "Canon", 0x0110: "Canon EOS 40D"}
GENERATED = {0x010E: A1111, 0x0131: "NovelAI"}
TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
AI_TYPE = {"Iptc4xmpExt:DigitalSourceType": TYPES + "trainedAlgorithmicMedia"}


@pytest.fixture
def packet(make):
    """An XMP packet of elements, which can repeat: `packet(("photoshop:Credit", "…"), …)`."""

    def apply(*elements):
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in elements)
        return make.xmp({}).replace(b"/></rdf:RDF>", f">{inner}</rdf:Description></rdf:RDF>".encode())

    return apply


def xmp(body):
    return 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + body


def profile(make, kind, block):
    digits = re.sub(r"(.{72})", r"\1\n", block.hex())
    return make.compressed(f"Raw profile type {kind}", f"\n{kind}\n{len(block):8d}\n{digits}")


def test_a_harmless_text_before_one_of_the_same_keyword(make, read, values):
    provenance = read(make.png(make.text("parameters", "hello"), make.text("parameters", A1111)))
    assert (provenance.level, provenance.origin) == ("claimed", "ai")
    assert values(provenance, "model") == ["foxmodel"]


@pytest.mark.parametrize("padding", [" ", "\n", "\t"])
def test_the_padding_of_a_name_does_not_count(padding, make, read):
    for text in ("NovelAI" + padding * 250, padding * 250 + "NovelAI"):
        assert read(make.png(make.text("Software", text))).origin == "ai"


def test_a_program_named_in_bytes(make, read):
    assert read(make.jpeg(make.exif_segment(first={0x0131: b"NovelAI"}))).origin == "ai"


def test_packets_that_say_nothing_do_not_use_up_the_packets(make, read):
    empty = [xmp(make.xmp({}) + b" " * n) for n in range(50)]
    blank = [xmp(b" " * 8)] * 300
    assert read(make.jpeg(*empty, *blank, *empty, xmp(make.xmp(AI_TYPE)))).origin == "ai"


def test_the_cut_of_packets_is_told(make, read, values):
    packets = [xmp(make.xmp({"photoshop:Source": str(n)})) for n in range(201)]
    assert "only the first 200 XMP packets were read" in values(read(make.jpeg(*packets)), "unreadable")


def test_the_nodes_of_all_packets_are_counted_together(packet, make, read, values):
    one = xmp(packet(*[("rdf:li", "")] * 3000))
    assert values(read(make.jpeg(one)), "unreadable") == []
    many = [xmp(packet(*[("rdf:li", "")] * count)) for count in range(3003, 3010)]
    assert values(read(make.jpeg(*many)), "unreadable") == ["only the first 20000 XMP nodes were read"]


def test_a_fault_in_a_packet_keeps_what_stands_before_it(make, read, values):
    provenance = read(make.jpeg(xmp(make.xmp(AI_TYPE).replace(b"</rdf:RDF>", b"<a><b></a></rdf:RDF>"))))
    assert provenance.origin == "ai"
    assert "an XMP packet is not well-formed XML" in values(provenance, "unreadable")


def test_source_types_are_counted_after_their_repetitions(packet, make, read, values):
    name = "Iptc4xmpExt:DigitalSourceType"
    for first in (["digitalCapture"] * 4, [f"made-up-{n}" for n in range(40)]):
        elements = [(name, TYPES + value) for value in (*first, "trainedAlgorithmicMedia")]
        provenance = read(make.jpeg(xmp(packet(*elements))))
        assert provenance.origin == "ai"
    assert "36 further unknown source types were left out" in values(provenance, "unreadable")


def test_every_credit_is_read(packet, make, read, values):
    lines = [("photoshop:Credit", "me"), ("photoshop:Credit", "x" * 600), ("photoshop:Credit", "Made with Google AI")]
    provenance = read(make.jpeg(xmp(packet(*lines))))
    assert values(provenance, "credit") == ["the file claims: Made with Google AI"]
    assert provenance.origin == "ai"


@pytest.mark.parametrize("tool", ["xmp:CreatorTool", "photoshop:Source"])
def test_a_second_program_in_xmp(tool, packet, make, read):
    assert read(make.jpeg(xmp(packet((tool, "a program"), (tool, "Adobe Firefly"))))).origin == "ai"


def test_an_editor_behind_many_steps_of_another_program(make, read, values):
    agents = "".join(f"<stEvt:softwareAgent>Program {n}</stEvt:softwareAgent>" for n in range(30))
    agents += "<stEvt:softwareAgent>Adobe Photoshop</stEvt:softwareAgent>"
    space = b'xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"'
    body = make.xmp({}).replace(
        b"/></rdf:RDF>", b" " + space + b">" + agents.encode() + b"</rdf:Description></rdf:RDF>"
    )
    provenance = read(make.jpeg(xmp(body)))
    assert "Adobe Photoshop" in values(provenance, "software")
    assert "19 further names of programs were left out" in values(provenance, "unreadable")


def exif(block):
    return 0xE1, b"Exif\0\0" + block


def blocks(make, form):
    """The camera's block and the generator's, each way in which a file can hold both."""
    camera, generated = make.exif(first=CAMERA), make.exif(first=GENERATED)
    if form == "jpeg":
        return make.jpeg(exif(camera), exif(generated))
    if form == "webp":
        buffer = io.BytesIO()
        Image.fromarray(make.pixels()).save(buffer, "WEBP", exif=generated)
        body = buffer.getvalue() + b"EXIF" + struct.pack("<I", len(camera)) + camera + bytes(len(camera) & 1)
        return body[:4] + struct.pack("<I", len(body) - 8) + body[8:]
    second = make.chunk(b"eXIf", camera) if form == "png" else profile(make, "exif", b"Exif\0\0" + camera)
    return make.png(make.chunk(b"eXIf", generated), second)


@pytest.mark.parametrize("form", ["jpeg", "png", "raw profile", "webp"])
def test_every_exif_block_is_read(form, make, read, values):
    provenance = read(blocks(make, form))
    assert (provenance.level, provenance.origin) == ("claimed", "ai")
    assert values(provenance, "camera") == ["the file claims a camera: Canon EOS 40D"]
    assert any("several EXIF blocks" in v for v in values(provenance, "contradiction"))


def test_equal_exif_blocks_do_not_count_and_many_are_cut_aloud(make, read, values):
    same = exif(make.exif(first=CAMERA))
    assert read(make.jpeg(*[same] * 20, exif(make.exif(first=GENERATED)))).origin == "ai"
    other = [exif(make.exif(first={0x010F: f"Maker {n}"})) for n in range(9)]
    assert "only the first 8 EXIF blocks were read" in values(read(make.jpeg(*other)), "unreadable")


def test_one_block_of_a_camera_and_an_editor_contradicts_nothing(make, read, values):
    provenance = read(make.jpeg(exif(make.exif(first={**CAMERA, 0x0131: "Adobe Photoshop"}))))
    assert values(provenance, "contradiction") == []


def test_fields_that_stand_once_and_disagree(packet, make, read, values):
    name = "Iptc4xmpExt:DigitalSourceType"
    for pair, words in (
        ([(name, "digitalCapture"), (name, "trainedAlgorithmicMedia")], "several digital source types"),
        ([("photoshop:Credit", f"{deed} with Google AI") for deed in ("Made", "Edited")], "several credits"),
    ):
        assert any(words in v for v in values(read(make.jpeg(xmp(packet(*pair)))), "contradiction"))
        assert values(read(make.jpeg(xmp(packet(pair[0], pair[0])))), "contradiction") == []


def test_every_aigc_label_is_read(make, read, values):
    weak = make.xmp({"TC260:AIGC": "{&quot;Label&quot;:&quot;3&quot;}"}).decode()
    chunks = make.international("XML:com.adobe.xmp", weak), make.text("AIGC", '{"Label":"1"}')
    assert read(make.png(*chunks)).origin == "ai"
    two = '{"Label":"3"} ' + " " * 30_000 + '{"Label":"1"}'
    provenance = read(make.png(make.text("AIGC", two)))
    assert (len(values(provenance, "aigc-label")), provenance.origin) == (2, "ai")
    many = " ".join(f'{{"Label":"3","ProduceID":"{n}"}}' for n in range(30))
    assert "only the first 20 AIGC labels were read" in values(read(make.png(make.text("AIGC", many))), "unreadable")


def test_a_big_tiff_is_read(make, read, values):
    buffer = io.BytesIO()
    Image.fromarray(make.pixels()).save(buffer, "TIFF", big_tiff=True, tiffinfo={**CAMERA, **GENERATED})
    assert buffer.getvalue()[2] == 43
    provenance = read(buffer.getvalue())
    assert values(provenance, "model") == ["foxmodel"]
    assert values(provenance, "camera") == ["the file claims a camera: Canon EOS 40D"]


def test_extended_xmp_in_parts_is_read(make, read):
    body = make.xmp(AI_TYPE)
    head = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + struct.pack(">I", len(body))
    parts = [(0xE1, head + struct.pack(">I", at) + body[at : at + 200]) for at in range(0, len(body), 200)]
    assert read(make.jpeg(*parts)).origin == "ai"


@pytest.mark.parametrize("kind", [1, 7])
def test_xmp_of_a_tiff_in_either_type(kind, make, read):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[700] = make.xmp(AI_TYPE)
    tags.tagtype[700] = kind
    buffer = io.BytesIO()
    Image.fromarray(make.pixels()).save(buffer, "TIFF", tiffinfo=tags)
    assert read(buffer.getvalue()).origin == "ai"


def test_xmp_of_a_png_in_imagemagicks_form(make, read):
    assert read(make.png(profile(make, "xmp", make.xmp(AI_TYPE)))).origin == "ai"


def test_xmp_of_a_gif(make, read):
    buffer = io.BytesIO()
    Image.fromarray(make.pixels()).save(buffer, "GIF")
    whole = buffer.getvalue()
    at = 13 + 3 * (2 << (whole[10] & 7))
    block = b"\x21\xff\x0bXMP DataXMP" + make.xmp(AI_TYPE) + b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    assert read(whole[:at] + block + whole[at:]).origin == "ai"


def test_a_comment_after_frames_with_palettes_of_their_own(make, read):
    frames = [Image.fromarray(np.roll(make.pixels(), 30 * i, axis=1)).quantize(64 << i) for i in range(2)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    comment = b"\x21\xfe" + bytes([len(A1111)]) + A1111.encode() + b"\0"
    assert read(buffer.getvalue()[:-1] + comment + b";").origin == "ai"


@pytest.mark.parametrize("kind", ["spaces", "bare"])
def test_xmp_of_avif_in_other_forms(kind, make, read):
    body = make.xmp(AI_TYPE)
    if kind == "spaces":
        body = b" " * 5000 + body
    else:
        body = body.replace(b'<x:xmpmeta xmlns:x="adobe:ns:meta/">', b"").replace(b"</x:xmpmeta>", b"")
    buffer = io.BytesIO()
    Image.fromarray(make.pixels()).save(buffer, "AVIF", xmp=body)
    assert read(buffer.getvalue()).origin == "ai"


@pytest.mark.parametrize("stray", [b"\0", b"abc", b"\0\xff\0"])
def test_stray_bytes_between_jpeg_segments_hide_nothing(stray, make, read, values):
    whole = make.jpeg((0xFE, b"x"), exif(make.exif(first=GENERATED)))
    place = whole.index(b"\xff\xe1")
    provenance = read(whole[:place] + stray + whole[place:])
    assert (provenance.level, provenance.origin) == ("claimed", "ai")
    assert any("stray bytes" in v for v in values(provenance, "unreadable"))
    assert values(read(whole[:place] + b"\xff" * 9 + whole[place:]), "unreadable") == []  # fill bytes belong there


def test_stray_bytes_between_gif_blocks_hide_nothing(make, read, values):
    buffer = io.BytesIO()
    Image.fromarray(make.pixels()).save(buffer, "GIF", comment=A1111.encode())
    whole = buffer.getvalue()
    comment = whole.index(b"!\xfe")
    provenance = read(whole[:comment] + b"\0" + whole[comment:])
    assert provenance.origin == "ai"
    assert any("stray bytes" in v for v in values(provenance, "unreadable"))


def records(count):
    body = b"".join(struct.pack(">BBBH", 0x1C, 2, 80, 6) + b"%06d" % n for n in range(count))
    return b"8BIM\x04\x04\0\0" + struct.pack(">I", len(body)) + body


def test_records_in_imagemagicks_form_and_in_several_segments(make, read, values):
    head, block = b"Photoshop 3.0\0", records(1)
    parts = (0xED, head + block[:15]), (0xED, head + block[15:])
    for content in (make.png(profile(make, "8bim", block)), make.jpeg(*parts)):
        assert values(read(content), "person") == ["by-line: 000000"]


CREDIT = struct.pack(">BBBH", 0x1C, 2, 110, 19) + b"Made with Google AI"


def resource(number, body):
    return b"8BIM" + struct.pack(">H", number) + b"\0\0" + struct.pack(">I", len(body)) + body


@pytest.mark.parametrize(
    "block",
    [
        resource(0x0404, b"".join(b"\x1c\x02\x19\x00\x06%06d" % n for n in range(600)) + CREDIT),
        resource(0x0404, b"\x1c\x02\x19\x80\x02\0\x03fox" + CREDIT),
        resource(0x0404, b"\x1c\x02\x19\0\x03fox") + resource(0x0404, CREDIT),
        resource(0x0425, b"odd") + resource(0x0404, CREDIT),
        resource(0x0425, b"") * 600 + resource(0x0404, CREDIT),
        resource(0x0425, b"") + b"stray" + resource(0x0404, CREDIT),
    ],
    ids=["keywords", "extended", "two", "unpadded", "resources", "stray"],
)
def test_a_credit_in_iptc_behind_other_records(block, make, read, values):
    provenance = read(make.png(profile(make, "8bim", block)))
    assert values(provenance, "credit") == ["the file claims: Made with Google AI"]


def test_a_second_profile_of_records_is_read(make, read):
    camera = profile(make, "iptc", b"\x1c\x02\x19\0\x03fox")
    assert read(make.png(profile(make, "iptc", CREDIT), camera)).origin == "ai"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"\x1c\x02\x19\0\x01x" * 20_000 + CREDIT, "only the first 20000 IPTC records were read"),
        (b"\x1c\x02\x19\0\x01x" + b"y" + CREDIT, "IPTC records are broken or cut off"),
        (CREDIT[:-3], "IPTC records are broken or cut off"),
    ],
)
def test_the_cut_of_records_is_told(body, problem, make, read, values):
    provenance = read(make.png(profile(make, "8bim", resource(0x0404, body))))
    assert problem in values(provenance, "unreadable")


def test_many_records_do_not_push_out_what_comes_later(make, read, values):
    many = 0xED, b"Photoshop 3.0\0" + records(250)
    provenance = read(make.jpeg(many, make.xmp_segment({"photoshop:Credit": "Made with Google AI"})))
    assert (provenance.level, provenance.origin) == ("claimed", "ai")
    assert len(values(provenance, "person")) == 40
    assert "210 further names and texts of this reader were left out" in values(provenance, "unreadable")


def test_many_records_do_not_push_out_the_watermark(make, read, monkeypatch):
    monkeypatch.setattr(watermark, "decode", lambda *_args, **_options: (watermark.PAYLOADS[0], 0))
    content = make.png(profile(make, "8bim", records(250)), pixels=make.pixels(256, 256))
    assert (read(content).level, read(content).origin) == ("watermark", "ai")


def test_the_most_telling_claims_are_shown(make, read, values):
    texts = [make.text("Software", f"GIMP {n}") for n in range(400)]
    provenance = read(make.png(*texts, make.text("parameters", A1111)))
    assert (len(provenance.claims), provenance.origin) == (200, "ai")
    assert values(provenance, "generator")
    assert "further claims were left out" in provenance.claims[-1].value
    left_out = int(provenance.claims[-1].value.split()[0])
    assert left_out == 400 + 6 - 199
    assert redact(provenance).origin == "ai"


def test_many_claims_of_one_kind_push_out_no_other_kind(packet, make, read, values):
    systems = [("Iptc4xmpExt:AISystemUsed", f"System {n}") for n in range(400)]
    first = {**CAMERA, 0x0132: "2019:01:01 00:00:00"}
    block = make.exif(first=first, inner={0x9003: "2020:05:06 10:11:12", 0xA434: "EF50mm"})
    provenance = read(make.jpeg(exif(block), xmp(packet(*systems))))
    assert (len(provenance.claims), provenance.origin) == (200, "ai")
    assert any("a camera is claimed, and an AI origin too" in v for v in values(provenance, "contradiction"))
    assert {"contradiction", "camera", "lens", "date", "jpeg-coding"} < {c.kind for c in provenance.claims}


CHINESE = "".join(map(chr, np.random.default_rng(3).integers(0x4E01, 0x9F00, 300)))


@pytest.mark.parametrize("code", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("prompt", [CHINESE, "ひらがなとカタカナ" * 40], ids=["chinese", "japanese"])
def test_comments_in_other_scripts(prompt, code, make, read, values):
    comment = b"UNICODE\0" + A1111.replace("a cat", prompt).encode(code)
    provenance = read(make.jpeg(make.exif_segment(inner={0x9286: comment})))
    assert values(provenance, "prompt") == [prompt]
    assert values(provenance, "model") == ["foxmodel"]


@pytest.mark.parametrize(
    "comment",
    [CHINESE.encode("utf-16-le"), CHINESE.encode("utf-16-be"), CHINESE.encode("utf-16"), b"\xfe\xff\x4e\x00\x4e\x01"],
    ids=["little", "big", "marked", "marked big"],
)
def test_comments_without_any_latin_letter(comment, make, read):
    from aiforensics.provenance import exif as reader

    expected = CHINESE if len(comment) > 10 else "一丁"
    assert reader.user_comment(b"UNICODE\0" + comment).lstrip("\ufeff") == expected


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_extended_xmp_is_read_in_whatever_order_and_beside_a_strangers(order, make, read):
    def part(name, whole, at, body):
        head = b"http://ns.adobe.com/xmp/extension/\0" + name * 32
        return 0xE1, head + struct.pack(">II", whole, at) + body

    body = make.xmp(AI_TYPE)
    decoy = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF>'
    parts = [
        part(b"1", len(body), 0, body[:200]),
        part(b"1", len(body), 200, body[200:]),
        part(b"0", len(decoy), 0, decoy),
    ]
    assert read(make.jpeg(*(parts[i] for i in order))).origin == "ai"
