"""TIFF files that are made to cost much, refused at once."""

import struct
import subprocess
import sys
import time

import pytest
from PIL import Image

from aiforensics.evidence import InputError
from aiforensics.image import Limits, decode, ifdfacts

DEFAULT = Limits()


def tiff(entries, tail=b"", following=0):
    """A little-endian TIFF of one directory at offset 8; entries are (tag, type, count, value)."""
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", following) + tail


def refused(data, limits=DEFAULT):
    start = time.process_time()
    with pytest.raises(InputError) as caught:
        decode(data, "-", limits)
    assert time.process_time() - start < 1.0
    assert "\n" not in caught.value.message
    return caught.value.kind


def test_tiff_values_that_overlap_to_fill_memory():
    entries = [(40000 + i, 7, 50_000, 8) for i in range(2000)]
    good = [(256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 60_000), (279, 4, 1, 16)]
    assert refused(tiff(sorted(good + entries), bytes(60_000)), Limits(max_metadata=1_000_000)) == "too-large"


@pytest.mark.parametrize("tags", [range(1000, 6200), [40_000] * 4000], ids=["too many to read", "one tag repeated"])
def test_tiff_directories_that_hide_their_load(tags):
    """5,200 entries whose overlapping ones come last, and a single tag that is loaded 4,000 times."""
    heavy = [(tag, 7, 50_000, 8) for tag in list(tags)[-1100:]]
    light = [(tag, 3, 1, 1) for tag in list(tags)[:-1100]]
    good = [(256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 70_000), (279, 4, 1, 16)]
    assert refused(tiff(sorted(good) + light + heavy, bytes(70_000)), Limits(max_metadata=1_000_000)) == "too-large"


def test_directories_are_counted_without_reading_their_entries():
    """9,000 directories of 65,000 entries each in one megabyte: they overlap, and each link stands behind its last."""
    count, step, entries = 9000, 16, 65_000 * 12
    data = bytearray(b"II*\0" + struct.pack("<I", 8) + bytes(step * count + entries + 8))
    for page in range(count):
        struct.pack_into("<H", data, 8 + step * page, 65_000)
        struct.pack_into("<I", data, 8 + step * page + 2 + entries, 8 + step * (page + 1) if page + 1 < count else 0)
    start = time.process_time()
    assert ifdfacts.pages(bytes(data), 10_000) == count
    assert refused(bytes(data)) == "too-large"
    assert time.process_time() - start < 1.0


def test_cyclic_tiff_is_read_once():
    good = [
        (256, 3, 1, 4),
        (257, 3, 1, 4),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 120),
        (279, 4, 1, 16),
    ]
    picture = decode(tiff(good, bytes(100), following=8))
    assert picture.frames == 1
    assert (picture.width, picture.height) == (4, 4)


@pytest.mark.parametrize("big", [False, True])
def test_a_huge_tile_of_a_small_picture_is_refused(big):
    tags = {256: 4, 257: 4, 258: 8, 259: 8, 262: 1, 322: 60_000, 323: 60_000, 324: 250, 325: 16}
    if big:
        head = struct.pack(">2sHHHQQ", b"MM", 43, 8, 0, 16, len(tags))
        data = head + b"".join(struct.pack(">HHQQ", tag, 16, 1, value) for tag, value in tags.items()) + bytes(500)
    else:
        data = tiff([(tag, 4, 1, value) for tag, value in tags.items()], bytes(500))
    assert refused(data) == "too-large"


def jpeg_in_strips(encode, side, scans, strips=1):
    """A grey picture whose strips are one progressive JPEG each, of so many further scans that change nothing."""
    data = encode(Image.new("L", (side, side // strips), 90), "JPEG", progressive=True)
    data = data[:-2] + data[data.rindex(b"\xff\xda") : -2] * scans + b"\xff\xd9"
    listed = struct.pack(f"<{strips}I", *[300] * strips) + struct.pack(f"<{strips}I", *[len(data)] * strips)
    entries = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 7), (262, 3, 1, 1), (277, 3, 1, 1)]
    places, lengths = (300, len(data)) if strips == 1 else (300 + len(data), 300 + len(data) + 4 * strips)
    entries += [(273, 4, strips, places), (278, 4, 1, side // strips), (279, 4, strips, lengths)]
    return tiff(sorted(entries)).ljust(300, b"\0") + data + listed


@pytest.mark.parametrize("strips", [1, 10])
def test_scans_inside_a_tiff_are_limited_as_those_of_a_jpeg(encode, strips):
    assert refused(jpeg_in_strips(encode, 8000, 60, strips)) == "too-large"
    assert decode(jpeg_in_strips(encode, 400, 60, strips)).notes == ()
    assert refused(jpeg_in_strips(encode, 400, 60, strips), Limits(max_scans=60)) == "too-large"


def test_strips_that_overlap_are_not_searched_without_end():
    count = 60_000
    end = 300 + 8 * count
    entries = [(256, 4, 1, 8), (257, 4, 1, count), (258, 3, 1, 8), (259, 3, 1, 7), (262, 3, 1, 1)]
    entries += [(273, 4, count, 300), (278, 4, 1, 1), (279, 4, count, 300 + 4 * count)]
    places = struct.pack(f"<{count}I", *range(end, end + count)) + struct.pack(f"<{count}I", *[2_000_000] * count)
    assert refused(tiff(entries).ljust(300, b"\0") + places + bytes(2_000_000)) == "too-large"


def test_what_pillow_logs_of_a_file_is_not_written_to_standard_error(tmp_path):
    path = tmp_path / "samples.tif"
    path.write_bytes(tiff([(256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 2048)]))
    code = (
        "import sys; from aiforensics.image import read\ntry: read(sys.argv[1])\nexcept Exception as e: print(e.kind)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout == "unreadable\n"
    assert done.stderr == ""
