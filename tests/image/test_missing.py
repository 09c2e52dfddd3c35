"""Files that lack part of their picture are said to, and sound ones are not, however even or padded they are."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

from aiforensics.image import decode
from aiforensics.image.missing import BLACK
from aiforensics.pipeline import _notes
from aiforensics.quality import MUCH, READ, assess

OPTIONS = {
    "JPEG": {"quality": 95},
    "WEBP": {"quality": 85},
    "WEBP lossless": {"lossless": True},
    "AVIF": {"quality": 75, "speed": 10},
    "HEIF": {"quality": 75},
}
VALUES = dict(zip(READ, (100.0, 100.0, 0.0, 0.0), strict=True))


@pytest.fixture(scope="module")
def photo():
    return Image.fromarray(pictures.astronaut()).resize((320, 320))


def saved(image, kind, **options):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    buffer = BytesIO()
    image.save(buffer, kind.split()[0], **{**OPTIONS.get(kind, {}), **options})
    return buffer.getvalue()


def unfinished(data, part):
    """A download whose place was taken beforehand, and which broke off."""
    kept = int(len(data) * part)
    return data[:kept] + bytes(len(data) - kept)


def even_below(photo, colour, side=2000):
    image = Image.new("RGB", (side, side), colour)
    image.paste(photo, (0, 0))
    return image


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8, 0.92])
@pytest.mark.parametrize("kind", OPTIONS)
def test_a_download_that_broke_off_is_told(photo, kind, part):
    if kind == "JPEG":  # zeros are blocks, of which there have to be as many as there were
        photo = Image.fromarray(np.random.default_rng(1).integers(0, 256, (320, 320, 3), np.uint8))
    picture = decode(unfinished(saved(photo, kind), part))
    assert picture.missing == pytest.approx(1 - part, abs=0.02)
    assert f"the last {picture.missing:.0%} of the picture's data are zeros" in picture.notes[0]
    quality = assess(picture, VALUES, 0.0).quality
    much = picture.missing >= MUCH
    assert quality.level == ("poor" if much or kind == "JPEG" else "limited")
    assert f"{'much' if much else 'part'} of the picture is missing from the file" in quality.reasons


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_sound_file_lacks_nothing(photo, kind):
    picture = decode(saved(photo, kind))
    assert (picture.missing, picture.notes) == (0.0, ())


@pytest.mark.parametrize("colour", ["black", "gray", "blue"])
@pytest.mark.parametrize("kind", OPTIONS)
def test_even_areas_are_coded_in_zeros_and_lack_nothing(photo, kind, colour):
    options = {"JPEG": {"optimize": True}, "WEBP": {"method": 0}, "WEBP lossless": {"method": 0}}.get(kind, {})
    side = 1500 if kind in {"JPEG", "WEBP lossless"} else 500
    data = saved(even_below(photo, colour, side), kind, **options)
    if kind in {"JPEG", "WEBP lossless"}:
        assert b"\0" * 1000 in data, "the case would not be tested"
    assert decode(data).missing == 0.0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_zeros_behind_the_end_are_padding(photo, kind):
    assert decode(saved(photo, kind) + bytes(100_000)).missing == 0.0


def test_zeros_behind_a_whole_picture_are_padding_where_no_end_is_marked(photo):
    """What some cameras write; and a WebP whose last chunk is longer than its picture."""
    assert decode(saved(photo, "JPEG")[:-2] + bytes(100_000)).missing == 0.0
    data = saved(photo, "WEBP")
    length = int.from_bytes(data[16:20], "little") + 100_000
    padded = b"RIFF" + (length + 12).to_bytes(4, "little") + data[8:16] + length.to_bytes(4, "little") + data[20:]
    assert decode(padded + bytes(100_000)).missing == 0.0


def closed(data, part):
    return data[: int(len(data) * part)] + b"\xff\xd9"


@pytest.mark.parametrize("restart", [0, 4])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("part", [0.3, 0.6])
def test_a_jpeg_that_was_cut_and_closed_again_is_incomplete_and_has_no_border(photo, part, mode, restart):
    data = saved(photo.convert(mode), "JPEG", restart_marker_blocks=restart)
    picture = decode(closed(data, part))
    rows = np.asarray(picture.stored).reshape(320, -1).std(axis=1)
    assert picture.missing == pytest.approx(np.mean(rows == 0), abs=0.04)
    notes = _notes(picture)
    assert "the JPEG ends before its picture does: about the last" in notes[0]
    assert not any("a plain border was" in note for note in notes)
    assert any("a plain or empty part was left out" in note for note in notes)
    assert decode(data).missing == 0.0


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("optimize", [False, True])
def test_a_grey_border_is_one(photo, mode, optimize):
    image = even_below(photo, (128, 128, 128), 900).convert("L" if mode == "L" else "RGB")
    if mode == "CMYK":
        image = Image.merge(mode, [*image.split(), image.getchannel("R")])
    picture = decode(saved(image, "JPEG", optimize=optimize))
    assert picture.missing == 0.0
    assert any("a plain border was left out" in note for note in _notes(picture))


@pytest.mark.parametrize("part", [0.2, 0.5])
def test_a_progressive_jpeg_lacks_scans(photo, part):
    data = saved(photo, "JPEG", progressive=True)
    assert decode(data).missing == 0.0
    picture = decode(closed(data, part))
    assert picture.missing >= MUCH
    assert picture.notes == ("the JPEG lacks its last scans: the picture is coarser than it was",)


def test_a_jpeg_whose_components_stand_in_scans_of_their_own_lacks_one(photo):
    data = saved(photo.convert("L"), "JPEG")
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    head = data[frame : frame + 9] + b"\3\1\x11\0\2\x11\0\3\x11\0"
    three = data[:frame] + head.replace(b"\0\x0b", b"\0\x11", 1) + data[frame + 13 : scan]
    scans = [b"\xff\xda\0\x08\1" + bytes((one,)) + data[scan + 6 : -2] for one in (1, 2, 3)]
    assert decode(three + b"".join(scans) + b"\xff\xd9").missing == 0.0
    assert decode(three + b"".join(scans[:2]) + b"\xff\xd9").missing == pytest.approx(1 / 3)


@pytest.mark.parametrize("kind", ["BMP", "TIFF"])
@pytest.mark.parametrize("part", [0.3, 0.55, 0.8])
def test_zeros_that_begin_within_a_row_are_black_or_never_came(photo, kind, part):
    data = saved(photo, kind, **({"compression": "raw"} if kind == "TIFF" else {}))
    kept = int(len(data) * part) // 960 * 960 + 400
    picture = decode(data[:kept] + bytes(len(data) - kept))
    assert (picture.missing, picture.notes) == (0.0, (BLACK,))


@pytest.mark.parametrize("kind", ["BMP", "TIFF"])
def test_black_rows_are_legitimate(photo, kind):
    options = {"compression": "raw"} if kind == "TIFF" else {}
    image = even_below(photo.resize((700, 300)), "black", 701)
    image.paste((1, 1, 1), (690, 0, 701, 300))
    for bars in (image, image.transpose(Image.Transpose.FLIP_TOP_BOTTOM), Image.new("RGB", (64, 64))):
        assert decode(saved(bars, kind, **options)).notes == ()
