import os
import struct
import subprocess
import sys
import time
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from aiforensics.evidence import InputError
from aiforensics.image import Limits, decode
from aiforensics.image.picture import Picture

DEFAULT = Limits()
PNG = b"\x89PNG\r\n\x1a\n"


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, *chunks, colour=2, data=b""):
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


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


CLAIMS = {
    "PNG": png(60000, 60000, data=zlib.compress(bytes(1000))),
    "GIF": b"GIF89a" + struct.pack("<HH", 60000, 60000) + bytes(50),
    "BMP": b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 60000, -60000, 1, 24, 0) + bytes(40),
    "JPEG": b"\xff\xd8\xff\xc0\0\x11\x08"
    + struct.pack(">HH", 60000, 60000)
    + b"\3\1\x22\0\2\x11\1\3\x11\1"
    + bytes(99),
    "TIFF": tiff(
        [(256, 4, 1, 60000), (257, 4, 1, 60000), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 99), (279, 4, 1, 9)]
    ),
    "WEBP lossless": b"RIFF\x40\0\0\0WEBPVP8L\x30\0\0\0\x2f\xff\xff\xff\x0f" + bytes(60),
    "WEBP extended": b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\x3f\xff\xff\x3f" + bytes(60),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claimed_pixels_are_refused_at_once(name):
    start = time.process_time()
    assert refused(CLAIMS[name]) == "too-large"
    assert time.process_time() - start < 0.1


def test_a_claim_costs_no_memory(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(CLAIMS["PNG"])
    code = (
        "import resource, sys; from aiforensics.image import read\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: read(sys.argv[1])\n"
        "except Exception as e: print(e.kind)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    out = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout.split()
    assert out[0] == "too-large"
    assert int(out[1]) / (1 if sys.platform != "darwin" else 1024) < 20_000  # kB


@pytest.mark.parametrize("slip", [KeyError, TypeError, AttributeError, IndexError, AssertionError])
def test_a_slip_of_ours_is_no_word_on_the_file(astronaut, encode, monkeypatch, slip):
    def slips(*_, **__):
        raise slip("a slip")

    data = encode(astronaut, "JPEG")
    for stage in ("jpegfacts.facts", "ifdfacts.orientation", "to_rgb"):
        with monkeypatch.context() as patched:
            patched.setattr(f"aiforensics.image.decoders.{stage}", slips)
            with pytest.raises(slip, match="a slip"):
                decode(data)


def test_a_refusal_names_what_the_decoder_raised(astronaut, encode):
    with pytest.raises(InputError) as caught:
        decode(encode(astronaut, "JPEG")[:-2000])
    assert isinstance(caught.value.__cause__, OSError)


def test_no_pixels():
    assert refused(png(0, 5)) == "unreadable"
    assert refused(b"GIF89a" + bytes(60)) == "unreadable"


@pytest.mark.parametrize(
    "bomb",
    [
        chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(100_000_000), 9)),
        chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(100_000_000), 9)),
        chunk(b"iTXt", b"x\0\1\0\0\0" + zlib.compress(bytes(100_000_000), 9)),
    ],
    ids=["iCCP", "zTXt", "iTXt"],
)
def test_compressed_metadata_bombs(bomb):
    assert refused(png(8, 8, bomb, data=zlib.compress(bytes(25 * 8)))) == "too-large"


def test_pixels_beyond_the_claim_are_not_kept():
    small = decode(png(8, 8, data=zlib.compress(bytes(50_000_000), 9)))
    assert (small.width, small.height) == (8, 8)


def test_exif_values_that_overlap_to_fill_memory(astronaut, encode):
    exif = b"Exif\0\0" + tiff([(1000 + i, 7, 60_000, 8) for i in range(3000)], bytes(20_000))
    picture = decode(encode(astronaut, "JPEG", exif=exif))
    assert picture.width == astronaut.width
    assert any("EXIF" in note for note in picture.notes)
    assert not picture.image.getexif(), "Pillow has not read it"
    assert refused(encode(astronaut, "JPEG", exif=exif), Limits(max_metadata=10_000)) == "too-large"


def outcome(data):
    """How a file is refused, None where it is not, and the processor's seconds for it."""
    start, kind = time.process_time(), None
    try:
        decode(data)
    except InputError as error:
        kind = error.kind
    return kind, time.process_time() - start


EXIF_SEGMENT = b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff" * 20_000_000, "unreadable"),
        (b"\xff\0" * 10_000_000, "unreadable"),
        (b"\xff\xd0" * 10_000_000, "unreadable"),
        (b"\xff\xfe\0\2" * 5_000_000, "too-large"),
        (EXIF_SEGMENT * 1500, "too-large"),
        ((b"\xff\xe2\xff\xffMPF\0" + tiff([(n, 3, 1, 1) for n in range(4000)])).ljust(65_537, b"\0") * 970, None),
    ],
    ids=["fill bytes", "stuffed bytes", "restart markers", "empty comments", "EXIF", "MPF"],
)
def test_endless_jpeg_headers_end_soon(head, kind, astronaut, encode):
    found, seconds = outcome(b"\xff\xd8" + head + encode(astronaut, "JPEG")[2:])
    assert found == kind
    assert seconds < 2.0


def test_some_fill_bytes_are_nothing_unusual(astronaut, encode):
    data = encode(astronaut, "JPEG")
    assert decode(data[:2] + b"\xff" * 1000 + data[2:]).jpeg == decode(data).jpeg


def test_exif_of_many_megabytes_is_not_read(astronaut, encode):
    data = encode(astronaut, "JPEG")
    start = time.process_time()
    picture = decode(data[:2] + EXIF_SEGMENT * 900 + data[2:])
    assert time.process_time() - start < 2.0
    assert any("EXIF" in note for note in picture.notes)


def test_endless_frames():
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x44\1\0"
    head = b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\0\0" + bytes(6)
    assert refused(head + frame * 200_000 + b"\x3b") == "too-large"
    assert decode(head + frame * 50 + b"\x3b").frames == 50


def test_stray_bytes_and_tiny_blocks_in_a_gif(astronaut, encode):
    data = encode(astronaut, "GIF")
    start = time.process_time()
    assert decode(data[:-1] + bytes(50_000_000) + b"\x3b").frames == 1
    assert time.process_time() - start < 2.0
    head = 13 + 3 * 256
    for stuffing, kind in ((bytes(20_000_000), "unreadable"), (b"\x21\xfe" + b"\1x" * 10_000_000 + b"\0", "too-large")):
        found, seconds = outcome(data[:head] + stuffing + data[head:])
        assert found == kind
        assert seconds < 2.0


def test_too_many_scans(astronaut, encode):
    data = encode(astronaut, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    assert refused(data[:-2] + data[last:-2] * 400 + b"\xff\xd9") == "too-large"
    assert decode(data).jpeg.progressive
    plain = encode(astronaut, "JPEG")
    scan = plain.rindex(b"\xff\xda")
    assert refused(plain[:-2] + plain[scan:-2] * 4 + b"\xff\xd9") == "too-large"


def test_scans_of_a_large_picture_are_limited_by_what_they_cost(encode):
    """Each of 188 further scans of 62 bytes passes over 64 megapixels again: half a minute in 390 kB."""

    def with_scans(side, times):
        data = encode(Image.new("RGB", (side, side), (9, 80, 120)), "JPEG", progressive=True)
        return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * times + b"\xff\xd9"

    assert refused(with_scans(8000, 60)) == "too-large"
    assert decode(with_scans(800, 60)).jpeg.progressive
    few = with_scans(800, 20)
    assert decode(few, "-", Limits(max_scanned=1)).jpeg.progressive
    assert refused(few, Limits(max_scans=25)) == "too-large"


def test_endless_segments_after_the_scan(astronaut, encode):
    data = encode(astronaut, "JPEG")
    found, seconds = outcome(data[:-2] + b"\xff\xfe\0\2" * 5_000_000 + data[-2:])
    assert found == "too-large"
    assert seconds < 1.0
    assert outcome(data[:-2] + b"\xff\xfe\0\2" * 5000 + data[-2:])[0] is None


def test_endless_chunks(astronaut, encode):
    data = encode(astronaut, "PNG")
    found, seconds = outcome(data[:33] + chunk(b"abCd", b"") * 2_000_000 + data[33:])
    assert found == "too-large"
    assert seconds < 1.0
    found, seconds = outcome(data + chunk(b"abCd", b"") * 2_000_000)  # behind the end nobody reads
    assert found is None
    assert seconds < 1.0


def test_a_damaged_png_is_refused_soon_whatever_follows_its_end(astronaut, encode):
    data = encode(astronaut, "PNG")
    damaged = data[:33] + chunk(b"gAMA", b"abcd")[:-1] + b"?" + data[33:]
    found, seconds = outcome(damaged + chunk(b"abCd", b"") * 4_000_000)
    assert found == "unreadable"
    assert seconds < 1.0


@pytest.mark.parametrize("name", [b"tEXt", b"abCd", b"IHDR"])
def test_a_png_begins_with_its_only_header(name):
    """Else the fixed places, of which the depth is read, hold what a stranger put there: here a depth of 16."""
    before = chunk(name, struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0))
    data = png(8, 8, data=zlib.compress(bytes(25 * 8)))
    assert refused(PNG + before + data[8:]) == "unreadable"
    assert decode(data).notes == ()


def run_lengths(width, height, coded):
    """A BMP of 256 greys in run lengths."""
    palette = b"".join(bytes((grey, grey, grey, 0)) for grey in range(256))
    start = 54 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(coded), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(coded), 0, 0, start) + header + palette + coded


def test_run_lengths_of_many_pixels_or_bytes():
    assert refused(run_lengths(65_500, 2_290, b"\1\7\0\0" * 2_290 + b"\0\1")) == "too-large"
    assert refused(run_lengths(8, 8, b"\1\7" * 6_000_000)) == "too-large"
    picture = decode(run_lengths(20, 10, b"\x14\7\0\0" * 10 + b"\0\1"))
    assert (np.asarray(picture.image) == 7).all()


def test_what_follows_the_picture_is_no_scan(astronaut, encode):
    assert decode(encode(astronaut, "JPEG") + b"\xff\xda" * 300).width == decode(encode(astronaut, "JPEG")).width


def test_too_much_metadata(astronaut, encode):
    data = encode(astronaut, "JPEG")
    segment = b"\xff\xef" + struct.pack(">H", 60_000) + bytes(59_998)
    assert refused(data[:2] + segment * 20 + data[2:], Limits(max_metadata=1_000_000)) == "too-large"


def test_damaged_exif_is_a_note_and_no_warning(astronaut, encode):
    exif = b"Exif\0\0" + tiff([(282, 5, 1, 50_000), (296, 3, 1, 2), (36867, 2, 20, 90_000)], following=8)
    data = encode(astronaut, "JPEG", exif=exif)
    data = data[:2] + data[20:]  # without JFIF's density Pillow looks for it in the Exif
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        picture = decode(data)
    assert not seen
    assert "the decoder warned of damaged metadata" in picture.notes


def test_a_file_cut_short_is_refused_whatever_the_calling_program_asks_of_pillow(coded, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    _, data = coded
    assert refused(data[: len(data) // 2]) == "truncated"
    assert ImageFile.LOAD_TRUNCATED_IMAGES, "it is the program's own again"


def test_large_pictures_within_the_limit_warn_of_nothing(monkeypatch, astronaut, encode):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for kind in ("PNG", "JPEG", "BMP"):
        assert decode(encode(astronaut, kind)).notes == ()


@pytest.mark.parametrize(("kind", "options"), [("TIFF", {"compression": "tiff_deflate"}), ("WEBP", {"method": 0})])
def test_the_limit_of_pixels_is_ours_and_not_the_one_of_pillow(encode, monkeypatch, kind, options):
    """Which refuses more than twice its own limit, and twice 89 megapixels where nobody changed it."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)
    data = encode(Image.new("RGB", (400, 300), "blue"), kind, **options)
    assert decode(data).width == 400
    assert Image.MAX_IMAGE_PIXELS == 5000, "it is the program's own again"
    with pytest.raises(InputError, match="claims 400 × 300 pixels, more than 0"):
        decode(data, "-", Limits(max_pixels=50_000))


@pytest.mark.parametrize("size", [(20_000, 15_000), (40_000, 3_000)])
def test_an_avif_that_its_decoder_does_not_take_is_too_large(astronaut, encode, size):
    data = encode(astronaut, "AVIF")
    at = data.index(b"ispe") + 8
    with pytest.raises(InputError, match=f"claims {size[0]} × {size[1]} pixels, more than its decoder takes") as caught:
        decode(data[:at] + struct.pack(">II", *size) + data[at + 8 :], "-", Limits(max_pixels=10**9))
    assert caught.value.kind == "too-large"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")
def test_a_child_that_is_forked_while_a_decoder_runs_decodes(tmp_path, encode):
    path = tmp_path / "photo.webp"
    path.write_bytes(encode(Image.effect_noise((800, 800), 60).convert("RGB"), "WEBP"))
    code = (
        "import os, signal, sys, threading; from aiforensics.image import decoders, read\n"
        "decodes = threading.Thread(target=lambda: [read(sys.argv[1]) for _ in range(20)])\n"
        "decodes.start()\n"
        "while not decoders._LOCK.locked(): pass\n"
        "child = os.fork()\n"
        "if not child: signal.alarm(10); read(sys.argv[1]); os._exit(0)\n"
        "decodes.join(); sys.exit(os.waitpid(child, 0)[1] != 0)"
    )
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code, path], check=False).returncode == 0


def test_mutations_end_in_a_picture_or_a_refusal(coded):
    """Seeded damage of every kind: only a Picture or an InputError comes out, and soon."""
    kind, data = coded
    rng = np.random.default_rng(sum(kind.encode()))
    slowest = 0.0
    for turn in range(250):
        damaged = bytearray(data)
        reach = len(damaged) if turn % 2 else min(400, len(damaged))  # half of the damage goes to the header
        for _ in range(int(rng.integers(1, 12))):
            damaged[int(rng.integers(3, reach))] = int(rng.choice([0, 1, 127, 255, rng.integers(0, 256)]))
        if turn % 5 == 0:
            del damaged[int(rng.integers(3, reach)) :][: int(rng.integers(1, 40))]
        if turn % 7 == 0:
            at = int(rng.integers(3, reach))
            damaged[at:at] = rng.bytes(int(rng.integers(1, 40)))
        start = time.process_time()
        try:
            picture = decode(bytes(damaged), "-", Limits(max_pixels=4_000_000))
        except InputError as error:
            assert error.kind in {"unreadable", "truncated", "too-large", "unsupported"}
        else:
            assert isinstance(picture, Picture)
            assert picture.image.mode == "RGB"
            assert picture.windows
            assert 1 <= picture.orientation <= 8
        slowest = max(slowest, time.process_time() - start)
    assert slowest < 5.0


@pytest.mark.parametrize(
    "magic",
    [
        b"\xff\xd8\xff",
        PNG,
        b"GIF89a",
        b"RIFF\xff\0\0\0WEBPVP8 ",
        b"II*\0\x08\0\0\0",
        b"MM\0*\0\0\0\x08",
        b"BM",
        b"II+\0\x08\0\0\0",
    ],
)
def test_noise_after_a_signature(magic):
    rng = np.random.default_rng(1)
    for length in (0, 1, 5, 20, 100, 5000):
        assert refused(magic + rng.bytes(length)) in {"unreadable", "truncated", "unsupported", "too-large"}
