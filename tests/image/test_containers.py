"""The walkers that the gate and provenance share: what they give of sound files, and where they end on damaged ones."""

import itertools
import struct

import pytest

from aiforensics.image.containers import gif, ifd, isobmff, jpeg, png, webp


def segment(marker, body=b""):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def test_jpeg_segments_lie_end_to_end():
    data = (
        b"\xff\xd8"
        + segment(0xE0, b"JFIF")
        + segment(jpeg.SCAN, b"s")
        + b"\x12\xff\x00\x34"
        + b"\xff\xd9"
        + segment(0xE1)
    )
    first, scan = jpeg.segments(data)
    assert (first.marker, data[first.body : first.end]) == (0xE0, b"JFIF")
    assert (scan.marker, scan.after) == (jpeg.SCAN, first.end)


@pytest.mark.parametrize(
    ("gap", "stray"),
    [(b"", False), (b"\xff\xff", False), (b"\xff\xd0\xff\x01", False), (b"\0", True), (b"\xff\x00", True)],
)
def test_jpeg_segments_are_found_behind_whatever_stands_between(gap, stray):
    data = b"\xff\xd8" + segment(0xE0) + gap + segment(0xFE, b"x")
    *_, last = jpeg.segments(data)
    assert data[last.body : last.end] == b"x"
    assert jpeg.is_stray(data[last.after : last.start]) is stray


def test_a_long_fill_takes_no_longer_than_its_length():
    assert jpeg.is_stray(b"\xff" * 100_000 + b"\0")


@pytest.mark.parametrize("cut", range(2, 12))
def test_jpeg_segments_of_a_cut_file_end(cut):
    data = (b"\xff\xd8" + segment(0xE0, b"ab") + segment(0xFE, b"cd"))[:cut]
    assert [s.marker for s in jpeg.segments(data)] == [0xE0] * (cut >= 6)


def chunk(kind, body=b""):
    return struct.pack(">I4s", len(body), kind) + body + b"crc!"


def test_png_chunks_end_with_the_last_and_can_go_on_behind_it():
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"h") + chunk(b"IEND") + chunk(b"tEXt", b"t")
    header, end = png.chunks(data)
    assert (header.kind, data[header.body : header.end], end.kind) == (b"IHDR", b"h", b"IEND")
    assert [c.kind for c in png.chunks(data, end.end + 4)] == [b"tEXt"]


def test_a_png_chunk_may_claim_more_than_there_is():
    (only,) = png.chunks(bytes(8) + struct.pack(">I4s", 1 << 31, b"IDAT"))
    assert only.end == 16 + (1 << 31)


def test_webp_chunks_are_padded_and_end_where_the_file_claims():
    body = struct.pack("<4sI", b"EXIF", 3) + b"abc\0" + struct.pack("<4sI", b"XMP ", 1) + b"x\0"
    data = b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body + struct.pack("<4sI", b"JUNK", 0)
    assert [(c.kind, data[c.body : c.end]) for c in webp.chunks(data)] == [(b"EXIF", b"abc"), (b"XMP ", b"x")]


def gif_of(*blocks):
    return b"GIF89a" + bytes(7) + b"".join(blocks)


COMMENT = b"\x21\xfe\x02hi\x03you\0"
PICTURE = b"\x2c" + bytes(8) + b"\0" + b"\x02" + b"\x01x\0"


def test_gif_blocks():
    data = gif_of(COMMENT, b"??", PICTURE, b"\x3b", b"more")
    comment, picture, trailer = gif.blocks(data, 100)
    assert gif.content(data, comment, 100) == b"hiyou"
    assert gif.content(data, comment, 2) == b"hi"
    assert (picture.kind, picture.start - picture.after, picture.parts) == (gif.IMAGE, 2, 3)
    assert (trailer.kind, data[trailer.end :]) == (gif.TRAILER, b"more")


def test_gif_blocks_end_where_too_many_parts_are_passed():
    data = gif_of(COMMENT, b"\x21\xfe" + b"\x01x" * 50 + b"\0", COMMENT)
    assert [b.parts for b in gif.blocks(data, 10)] == [2, 11]


@pytest.mark.parametrize("cut", range(13, 13 + len(COMMENT + PICTURE)))
def test_gif_blocks_of_a_cut_file_end(cut):
    assert len(list(gif.blocks(gif_of(COMMENT, PICTURE)[:cut], 100))) <= 2


@pytest.mark.parametrize(
    ("header", "end"),
    [
        (struct.pack(">I4s", 12, b"free"), 12),
        (struct.pack(">I4s", 0, b"mdat"), 20),
        (struct.pack(">I4sQ", 1, b"mdat", 18), 18),
        (struct.pack(">I4s", 1000, b"mdat"), 1000),
    ],
)
def test_isobmff_boxes_have_three_kinds_of_length(header, end):
    box = next(isobmff.boxes(header.ljust(20, b"\0"), 0, 20))
    assert (box.end, box.impossible) == (end, False)


@pytest.mark.parametrize("header", [struct.pack(">I4s", 7, b"free"), struct.pack(">I4sQ", 1, b"free", 15)])
def test_a_box_of_an_impossible_length_is_the_last(header):
    (box,) = isobmff.boxes(header.ljust(40, b"\0"), 0, 40)
    assert box.impossible


@pytest.mark.parametrize(("order", "big"), list(itertools.product("<>", [False, True])))
def test_directories_of_both_orders_and_sizes(order, big):
    mark, number, step = {"<": b"II", ">": b"MM"}[order], "Q" if big else "I", 8 if big else 4
    header = mark + struct.pack(f"{order}HHHQ" if big else f"{order}HI", *((43, 8, 0, 16) if big else (42, 8)))
    rows = [(256, 3, 1, 7), (271, 2, 100, 5000)]
    table = b"".join(struct.pack(f"{order}HH{number}{number}", *row) for row in rows)
    block = header + struct.pack(order + ("Q" if big else "H"), 2) + table + struct.pack(order + number, 999)
    form = ifd.form(block)
    assert (form.big, form.first, form.inline) == (big, len(header), step)
    found = ifd.directory(block, form, form.first, 10)
    inside, outside = found.entries
    assert (inside.tag, inside.size, len(header) < inside.at < len(block)) == (256, 2, True)
    assert (outside.tag, outside.size, outside.at) == (271, 100, 5000)
    assert (found.count, found.following) == (2, 999)
    assert ifd.directory(block, form, form.first, 1).entries == (inside,)
    assert len(ifd.directory(block[: -step - 1], form, form.first, 10).entries) == 1
    assert ifd.directory(block, form, len(block), 10) is None


def box(kind, body=b""):
    return struct.pack(">I4s", len(body) + 8, kind) + body


@pytest.mark.parametrize(("version", "wide"), [(0, ">H"), (1, ">H"), (2, ">I")])
def test_the_coded_picture_of_an_iso_file_is_found_through_what_it_is_put_together_from(version, wide):
    """The primary item 1 is a grid of 2 and 3; 4 is a thumbnail of it, and what describes the grid lies in `idat`."""
    method = struct.pack(">H", 0) if version else b""
    inside = struct.pack(">H", 1) if version else b""

    def place(item, *extents, how=method):
        listed = b"".join(struct.pack(">II", offset, length) for offset, length in extents)
        return struct.pack(wide, item) + how + struct.pack(">HIH", 0, 1000, len(extents)) + listed

    places = [place(2, (10, 20), (50, 5)), place(3, (30, 20)), place(4, (90, 9))]
    if version:
        places.append(place(1, (0, 8), how=inside))
    small, item = (0, ">H") if version < 2 else (1, ">I")
    grid = struct.pack(item, 1) + struct.pack(">H", 2) + struct.pack(item, 2) + struct.pack(item, 3)
    thumbnail = struct.pack(item, 4) + struct.pack(">H", 1) + struct.pack(item, 1)
    meta = bytes(4) + box(b"pitm", bytes((small, 0, 0, 0)) + struct.pack(item, 1))
    iloc = bytes((version, 0, 0, 0, 0x44, 0x40)) + struct.pack(wide, len(places)) + b"".join(places)
    meta += box(b"iloc", iloc) + box(b"iref", bytes((small, 0, 0, 0)) + box(b"dimg", grid) + box(b"thmb", thumbnail))
    data = box(b"ftyp", b"heic") + box(b"meta", meta)
    assert isobmff.picture(data) == ((1010, 20), (1050, 5), (1030, 20))
    single = data.replace(b"dimg", b"free")
    assert isobmff.picture(single) == ()  # it is not coded, and lies in no stretch of the file
    for cut in range(len(data)):
        isobmff.picture(data[:cut])


def test_items_without_end_are_not_followed():
    iloc = bytes((1, 0, 0, 0, 0, 0)) + struct.pack(">H", 65_535)
    iloc += struct.pack(">HHHH", 1, 0, 0, 65_535) * 60_000  # of extents that take no bytes
    assert isobmff.picture(box(b"meta", bytes(4) + box(b"pitm", bytes(4) + b"\0\1") + box(b"iloc", iloc))) == ((0, 0),)
