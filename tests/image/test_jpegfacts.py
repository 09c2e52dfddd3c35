import base64

import numpy as np
import pytest
from PIL import Image, ImageFile

from aiforensics.evidence import InputError
from aiforensics.image import decode
from aiforensics.image.jpegfacts import STANDARD_CHROMINANCE, STANDARD_LUMINANCE, ijg_quality, read_header, scaled


def test_tables_are_in_natural_order(astronaut, encode):
    """At quality 50 libjpeg writes Table K.1 as it stands; in zigzag order the third value would be 12, not 10."""
    jpeg = decode(encode(astronaut, "JPEG", quality=50)).jpeg
    assert jpeg.tables[0] == STANDARD_LUMINANCE
    assert jpeg.tables[1:] == (STANDARD_CHROMINANCE,)


@pytest.mark.parametrize("quality", [1, 25, 49, 50, 51, 75, 90, 99, 100])
def test_tables_are_scaled_as_libjpeg_does(quality, astronaut, encode):
    written = decode(encode(astronaut, "JPEG", quality=quality)).jpeg.tables
    for base, table in zip((STANDARD_LUMINANCE, STANDARD_CHROMINANCE), written, strict=True):
        assert scaled(base, quality).tolist() == list(table)


def test_several_qualities_are_scaled_at_once():
    several = scaled(STANDARD_LUMINANCE[:9], np.array([30, 50, 95]))
    assert several.shape == (3, 9)
    assert several[0].tolist() == scaled(STANDARD_LUMINANCE[:9], 30).tolist()
    for quality in (0, 101, [50, 0]):
        with pytest.raises(ValueError, match="1 to 100"):
            scaled(STANDARD_LUMINANCE, quality)


@pytest.mark.parametrize("quality", [1, 5, 10, 25, 49, 50, 51, 75, 76, 90, 95, 98, 99, 100])
def test_quality_is_recovered(quality, astronaut, encode):
    assert decode(encode(astronaut, "JPEG", quality=quality)).jpeg.quality == quality


def test_an_unused_table_says_nothing_of_the_quality(astronaut, encode):
    """The tables are renumbered 2 and 3, and table 0, which no component uses, is made of 255s."""
    data = bytearray(encode(astronaut, "JPEG", quality=95))
    at = 2
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if data[at + 1] == 0xDB:
            for number in range(at + 4, end, 65):
                data[number] += 2
        elif data[at + 1] == 0xC0:
            for component in range(data[at + 9]):
                data[at + 12 + 3 * component] += 2
        at = end
    unused = b"\xff\xdb\x00\x43\x00" + b"\xff" * 64
    plain, odd = decode(encode(astronaut, "JPEG", quality=95)), decode(bytes(data[:2] + unused + data[2:]))
    assert odd.jpeg.tables == (*plain.jpeg.tables, (255,) * 64)
    assert odd.jpeg.quality == plain.jpeg.quality == 95


def test_quality_of_a_foreign_table_is_the_nearest():
    foreign = tuple(min(255, value + 1) for value in STANDARD_LUMINANCE)
    assert 47 <= ijg_quality(foreign) <= 50


@pytest.mark.parametrize(
    ("option", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0"), ("4:4:0", "4:4:0"), ("4:1:1", "4:1:1")]
)
def test_subsampling(option, name, astronaut, encode):
    if isinstance(option, str):  # Pillow does not write these: change the frame's sampling factors by hand
        data = bytearray(encode(astronaut, "JPEG", subsampling=0))
        at = data.index(b"\xff\xc0")
        data[at + 11] = {"4:4:0": 0x12, "4:1:1": 0x41}[option]
        from aiforensics.image.jpegfacts import subsampling

        assert subsampling(read_header(bytes(data)).sampling) == name
    else:
        assert decode(encode(astronaut, "JPEG", subsampling=option)).jpeg.subsampling == name


def test_grey_and_progressive(astronaut, encode):
    jpeg = decode(encode(astronaut.convert("L"), "JPEG", progressive=True)).jpeg
    assert (jpeg.subsampling, jpeg.progressive) == ("grey", True)
    assert not decode(encode(astronaut, "JPEG")).jpeg.progressive


def test_others_have_no_facts(astronaut, encode):
    assert decode(encode(astronaut, "PNG")).jpeg is None


def test_header_walk_agrees_with_the_decoder(astronaut, encode):
    exif = Image.Exif()
    exif[0x0112] = 3
    header = read_header(encode(astronaut, "JPEG", exif=exif, comment="x" * 1000))
    assert header.quantizers == (0, 1, 1)
    assert header.size == (160, 120)
    assert 1000 < header.metadata < 1200
    data = encode(astronaut, "JPEG", exif=exif)
    assert header.end > header.metadata
    assert data[read_header(data).end :][:2] == b"\xff\xda"
    assert read_header(data[:200]).size is None


ARITHMETIC = base64.b64decode(
    "/9j/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/yQALCAAYABgB"
    "AREA/8wABgAQEAX/2gAIAQEAAD8A/wDkl/pA9R1sui9Fw9tNeA/fO2DYxOyiqIdsS0iREz+5n4K+m+8Xb1mfO9YyDsE0hz7DCDDvCMzI/wCX"
    "7SnAuWrJKBC2nf64RfK0WDRYqXkzt4SKUFX1ZFHcGL2dDx4TkK0q0Nq5na2yzq5MQo5rI6FvIOHU2laQzPuTtS1bt4iWALboP1JjEF+WcuoQ"
    "JzMZUJswik8y2W8Pb3bHRvK70jCM3bBPHYvMkI+BE31IiR5V/umwkuQ+qXmdQu9AdiQBzQPHMmjndxyWJYr+k4p2uK5tgwsRjoja+KNNIGJL"
    "lJ8EI/AATVPhbO73hv6OHlLn8R56531cM/8A6Zbq3PRpKumLmigqBNEvZh2d632t68lTvv/Z"
)
"""24 × 24 pixels of grey in arithmetic codes, by `cjpeg -arithmetic`."""


def test_arithmetic_codes_are_read_whatever_their_length(monkeypatch):
    monkeypatch.setattr(ImageFile, "MAXBLOCK", 100)  # instead of a file of more than 64 kB
    values = np.asarray(decode(ARITHMETIC).image, float)[..., 0]
    wanted = (np.indices((24, 24)).sum(axis=0) * 5).astype(np.uint8)
    wanted[::3] ^= 37
    assert np.abs(values - wanted).mean() < 5
    with pytest.raises(InputError) as caught:
        decode(ARITHMETIC[:-40])
    assert caught.value.kind == "truncated"
