"""EXIF, IPTC, XMP, AIGC label, ICC and JPEG coding, on files made here."""

import io
import struct

import pytest
from PIL import Image, ImageCms

CAMERA = {0x010F: "Canon", 0x0110: "Canon EOS 40D", 0x0131: "Firmware 1.1", 0x0132: "2020:05:06 10:11:12"}
SHOT = {0x9003: "2020:05:06 10:11:12", 0x829A: ((1, 160),), 0x829D: ((56, 10),), 0xA434: "EF50mm"}
PLACE = {1: "S", 2: ((48, 1), (30, 1), (0, 1)), 3: "E", 4: ((16, 1), (15, 1), (0, 1))}
TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def test_camera_lens_dates_exposure_and_place(make, read, values):
    provenance = read(make.jpeg(make.exif_segment(first=CAMERA, inner=SHOT, gps=PLACE)))
    assert values(provenance, "camera") == ["the file claims a camera: Canon EOS 40D"]
    assert values(provenance, "lens") == ["EF50mm"]
    assert values(provenance, "exposure") == ["1/160 s, f/5.6"]
    assert "taken 2020:05:06 10:11:12" in values(provenance, "date")
    assert values(provenance, "place") == ["-48.50000, 16.25000"]
    assert (provenance.level, provenance.origin) == ("claimed", "camera")


def test_an_editor_named_in_software(make, read):
    provenance = read(make.jpeg(make.exif_segment(first={**CAMERA, 0x0131: "Adobe Photoshop 26.1"})))
    assert provenance.origin == "edited"


@pytest.mark.parametrize("container", ["png", "webp", "tiff"])
def test_exif_in_other_containers(container, make, read, values):
    block = make.exif(first={0x010F: "Canon", 0x0110: "Canon EOS 40D"})
    buffer = io.BytesIO()
    image = Image.fromarray(make.pixels())
    if container == "tiff":
        image.save(buffer, "TIFF", tiffinfo={0x010F: "Canon", 0x0110: "Canon EOS 40D"})
    else:
        image.save(buffer, container.upper(), exif=block)
    assert values(read(buffer.getvalue()), "camera") == ["the file claims a camera: Canon EOS 40D"]


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("trainedAlgorithmicMedia", "ai"),
        ("compositeWithTrainedAlgorithmicMedia", "edited"),
        ("algorithmicMedia", "unknown"),
        ("computationalCapture", "camera"),
        ("digitalCapture", "camera"),
        ("screenCapture", "unknown"),
        ("humanEdits", "edited"),
    ],
)
def test_digital_source_types(name, origin, make, read, values):
    provenance = read(make.jpeg(make.xmp_segment({"Iptc4xmpExt:DigitalSourceType": TYPES + name})))
    claims = [c for c in provenance.claims if c.kind == "source-type"]
    assert [c.origin for c in claims] == [origin]
    assert claims[0].value.startswith("the file claims: ")


def test_computational_capture_is_a_camera_and_not_ai(make, read):
    provenance = read(make.jpeg(make.xmp_segment({"Iptc4xmpExt:DigitalSourceType": TYPES + "computationalCapture"})))
    assert provenance.origin == "camera"


@pytest.mark.parametrize(
    ("credit", "origin"), [("Made with Google AI", "ai"), ("Edited with Google AI", "edited"), ("Jane Doe", "unknown")]
)
def test_google_credits(credit, origin, make, read):
    assert read(make.jpeg(make.xmp_segment({"photoshop:Credit": credit}))).origin == origin


def test_iptc_records(make, read, values):
    records = b"".join(
        struct.pack(">BBBH", 0x1C, 2, number, len(text)) + text
        for number, text in ((80, b"Jane Doe"), (65, b"Some Program"), (110, b"an agency"))
    )
    block = b"8BIM" + struct.pack(">H", 0x0404) + b"\0\0" + struct.pack(">I", len(records)) + records
    provenance = read(make.jpeg((0xED, b"Photoshop 3.0\0" + block)))
    assert values(provenance, "person") == ["by-line: Jane Doe", "credit: an agency"]
    assert values(provenance, "iptc") == ["originating program: Some Program"]


@pytest.mark.parametrize("label", ["1", "2"])
def test_aigc_label(label, make, read, values):
    text = f'{{"Label":"{label}","ContentProducer":"someone"}}'
    for content in (
        make.png(make.text("AIGC", text)),
        make.jpeg(make.xmp_segment({"TC260:AIGC": text.replace('"', "&quot;")})),
        make.jpeg(make.exif_segment(inner={0x9286: b"ASCII\0\0\0" + f'{{"AIGC":{text}}}'.encode()})),
    ):
        provenance = read(content)
        assert "AIGC label" in values(provenance, "aigc-label")[0]
        assert (provenance.origin == "ai") == (label == "1")


def test_icc_profile_name(make, read, values):
    buffer = io.BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(make.pixels()).save(buffer, "PNG", icc_profile=profile)
    assert values(read(buffer.getvalue()), "colour-profile") == ["sRGB built-in"]


def test_known_tables(make, read, values):
    assert "standard tables at quality 83" in values(read(make.jpeg(quality=83)), "jpeg-coding")[0]
    assert "Photoshop" in values(read(make.jpeg(quality="high")), "jpeg-coding")[0]
    odd = [list(range(1, 65)), list(range(2, 66))]
    assert "no known program" in values(read(make.jpeg(qtables=odd)), "jpeg-coding")[0]


def test_an_unused_table_hides_no_program(make, read, values):
    """The picture's tables are 2 and 3; table 0 is made of 255s and used by no component."""
    data = bytearray(make.jpeg(quality=83))
    at = 2
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        first, step = {0xDB: (at + 4, 65), 0xC0: (at + 12, 3)}.get(data[at + 1], (end, 1))
        for place in range(first, end, step):
            data[place] += 2
        at = end
    unused = b"\xff\xdb\x00\x43\x00" + b"\xff" * 64
    assert "standard tables at quality 83" in values(read(bytes(data[:2] + unused + data[2:])), "jpeg-coding")[0]


def test_bytes_after_the_end(make, read, values):
    assert "1000 bytes" in values(read(make.jpeg() + b"x" * 1000), "trailing-data")[0]
