import hashlib
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from aiforensics.evidence import InputError
from aiforensics.image import SUFFIXES, Limits, decode, from_array, read, sniff
from aiforensics.image.complaints import overheard
from aiforensics.image.missing import BLACK


def refusal(call, *args):
    with pytest.raises(InputError) as caught:
        call(*args)
    message = caught.value.message
    assert message and "\n" not in message and len(message) < 200 and not message.endswith(".")
    return caught.value


def test_every_format_gives_the_photograph(coded, astronaut):
    kind, data = coded
    picture = decode(data, f"photo.{kind.lower()}")
    assert (picture.format, picture.width, picture.height, picture.orientation) == (kind, 160, 120, 1)
    assert picture.image.mode == "RGB"
    assert picture.sha256 == hashlib.sha256(data).hexdigest()
    assert picture.data == data
    error = np.abs(np.asarray(picture.image, float) - np.asarray(astronaut, float)).mean()
    assert error == 0 if kind in {"PNG", "TIFF", "BMP"} else error < 6
    assert not any("name says" in note for note in picture.notes)


def test_same_bytes_same_pixels(coded):
    _, data = coded
    assert decode(data).image.tobytes() == decode(data).image.tobytes()


def test_read_is_decode_of_the_file(tmp_path, coded):
    kind, data = coded
    path = tmp_path / "photo.bin"
    path.write_bytes(data)
    picture = read(path)
    assert picture.path == str(path)
    assert picture.image.tobytes() == decode(data).image.tobytes()
    assert read(str(path)).format == kind


def test_wrong_extension_is_a_note(astronaut, encode):
    picture = decode(encode(astronaut, "PNG"), "holiday.JPG")
    assert picture.format == "PNG"
    assert picture.notes == ("the name says JPEG, the bytes are PNG",)


@pytest.mark.parametrize("part", [0.5, 0.9])
def test_cut_short(coded, part):
    kind, data = coded
    refused = refusal(decode, data[: int(len(data) * part)])
    assert refused.kind == "truncated"
    assert kind in refused.message


def test_cut_anywhere_is_refused_or_whole(coded):
    """Only a loss after the last pixel may pass, and then every pixel is there."""
    _, data = coded
    whole = decode(data).image.tobytes()
    for length in range(1, len(data), max(1, len(data) // 60)):
        try:
            picture = decode(data[:length])
        except InputError as error:
            assert error.kind in {"truncated", "unreadable", "unsupported"}
        else:
            assert picture.image.tobytes() == whole


def test_missing_directory_empty_text(tmp_path):
    assert refusal(read, tmp_path / "no.jpg").kind == "not-found"
    assert refusal(read, "bad\0name").kind == "not-found"
    address = refusal(read, "https://example.org/a.jpg")
    assert address.kind == "not-found"
    assert "save the picture" in str(address)
    assert refusal(read, tmp_path).kind == "unsupported"
    empty = tmp_path / "empty.jpg"
    empty.touch()
    assert refusal(read, empty).kind == "unreadable"
    text = tmp_path / "text.jpg"
    text.write_text("this is not a picture\n" * 40)
    refused = refusal(read, text)
    assert refused.kind == "unsupported"
    assert "JPEG, PNG, WebP" in refused.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_devices_and_sockets_are_refused_without_waiting(tmp_path):
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    assert refusal(read, pipe).kind == "unsupported"
    assert refusal(read, "/dev/zero").kind == "unsupported"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        assert refusal(read, tmp_path / "s").kind == "unsupported"


def test_size_is_checked_before_reading(tmp_path):
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate(10_000_000_000)  # sparse: reading it would take minutes
    assert refusal(read, path).kind == "too-large"
    large = refusal(decode, b"\xff\xd8\xff" + bytes(100), "-", Limits(max_bytes=50))
    assert large.kind == "too-large"
    assert "cut out a part at its native size (from Python: Limits(max_bytes=…))" in large.message


def test_pixel_limits(coded):
    _, data = coded
    assert refusal(decode, data, "-", Limits(max_pixels=160 * 120 - 1)).kind == "too-large"
    assert refusal(decode, data, "-", Limits(max_side=159)).kind == "too-large"
    assert decode(data, "-", Limits(max_pixels=160 * 120, max_side=160)).width == 160


@pytest.mark.parametrize(
    "magic",
    [
        b"%PDF-1.7 ",
        b"PK\x03\x04",
        b"8BPS\0\x01",
        b"\0\0\0\x0cjP  \r\n",
        b"<svg",
        b"\xff\x0a",
        b"\0\0\0\x18ftypisom\0\0\2\0isommp41",
    ],
)
def test_other_types_are_unsupported(magic):
    assert refusal(decode, magic + bytes(200)).kind == "unsupported"


def test_one_pixel(encode):
    picture = decode(encode(Image.new("RGB", (1, 1), "red"), "PNG"))
    assert (picture.width, picture.height) == (1, 1)
    assert picture.windows[0].pixels.shape == (64, 64, 3)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "TIFF", "AVIF"])
def test_first_frame_of_many(kind, astronaut, encode):
    others = [Image.new("RGB", astronaut.size, colour) for colour in ("red", "blue")]
    data = encode(astronaut, kind, save_all=True, append_images=others)
    picture = decode(data)
    assert picture.frames == 3
    assert "the file holds 3 pictures, the first is examined" in picture.notes
    assert np.abs(np.asarray(picture.image, float) - np.asarray(astronaut, float)).mean() < 8
    assert refusal(decode, data, "-", Limits(max_frames=2)).kind == "too-large"


def test_first_picture_of_an_mpo(astronaut, encode):
    data = encode(astronaut, "MPO", save_all=True, append_images=[Image.new("RGB", (32, 32))])
    picture = decode(data, "stereo.mpo")
    assert (picture.format, picture.frames, picture.width) == ("JPEG", 2, 160)
    assert picture.jpeg is not None


@pytest.mark.parametrize("turn", [3, 6])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_orientation_is_recorded_and_not_applied(kind, turn, astronaut, encode):
    exif = Image.Exif()
    exif[0x0112] = turn
    picture = decode(encode(astronaut, kind, exif=exif))
    assert picture.orientation == turn
    assert (picture.width, picture.height) == (160, 120)
    assert picture.image.tobytes() == decode(encode(astronaut, kind)).image.tobytes()


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "F", "1"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_the_stored_pixels_of_a_turned_tiff_are_examined(mode, compression, astronaut, encode):
    plain, turned = (
        decode(encode(astronaut.convert(mode), "TIFF", compression=compression, tiffinfo=tags))
        for tags in ({}, {274: 8})
    )
    assert (turned.orientation, turned.width, turned.height) == (8, 160, 120)
    assert turned.image.tobytes() == plain.image.tobytes()
    assert turned.notes == plain.notes


def test_a_word_in_the_xmp_does_not_turn_a_tiff(astronaut, encode):
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
    picture = decode(encode(astronaut, "TIFF", tiffinfo={700: packet}))
    assert (picture.orientation, picture.width, picture.height) == (1, 160, 120)
    assert picture.image.tobytes() == astronaut.tobytes()


@pytest.mark.parametrize("kind", ["float32", "uint32"])
def test_a_sound_tiff_of_an_unknown_kind_is_not_called_damaged(kind):
    import tifffile

    buffer = BytesIO()
    tifffile.imwrite(buffer, np.zeros((32, 32, 3), kind), photometric="rgb")
    refused = refusal(decode, buffer.getvalue())
    assert refused.kind == "unsupported"
    assert "the TIFF is of a kind that cannot be read: save it as 8- or 16-bit" in refused.message


def test_other_unknown_kinds(astronaut, encode):
    """A TIFF of an unknown compression, a JPEG of 12 bits, and a BMP that holds a JPEG."""
    tiff = bytearray(encode(astronaut, "TIFF", compression="raw"))
    at = tiff.index(b"\x03\x01\x03\x00\x01\x00\x00\x00")  # 259, Compression
    tiff[at + 8 : at + 10] = (34887).to_bytes(2, "little")
    jpeg = bytearray(encode(astronaut, "JPEG"))
    jpeg[jpeg.index(b"\xff\xc0") + 4] = 12
    bmp = bytearray(encode(astronaut, "BMP"))
    bmp[30] = 4
    assert {refusal(decode, bytes(data)).kind for data in (tiff, jpeg, bmp)} == {"unsupported"}


def fax(image, encode):
    """A fax of which some code words are damaged; libtiff decodes it nevertheless."""
    data = bytearray(encode(image.convert("1"), "TIFF", compression="group4"))
    data[200:204] = b"\x5a\xa5\x00\xff"
    return bytes(data)


def test_complaints_of_the_decoder_become_a_note(astronaut, encode, capfd):
    note = "the decoder reported errors: parts of the picture may be wrong"
    assert note in decode(fax(astronaut, encode)).notes
    assert note not in decode(encode(astronaut.convert("1"), "TIFF", compression="group4")).notes
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("failure", [None, OSError, KeyboardInterrupt])
def test_standard_error_is_restored(failure, capfd):
    def work():
        os.write(2, b"from the library")
        if failure is not None:
            raise failure
        return 1

    with nullcontext() if failure is None else pytest.raises(failure):
        assert overheard(work) == (1, True)
    os.write(2, b"ours")
    assert capfd.readouterr().err == "ours"


def test_nothing_stays_open_when_a_decoder_was_overheard():
    def free():
        places = [os.dup(2) for _ in range(4)]
        for place in places:
            os.close(place)
        return places

    before = free()
    overheard(lambda: None)
    assert free() == before


def test_without_standard_error_or_a_folder_for_it(astronaut, encode, tmp_path, monkeypatch, capfd):
    data = fax(astronaut, encode)
    (tmp_path / "fax.tif").write_bytes(data)
    code = "import os, sys; os.close(2); from aiforensics.image import read; print(read(sys.argv[1]).width)"
    run = subprocess.run([sys.executable, "-c", code, tmp_path / "fax.tif"], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("160\n", "")
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
        assert decode(data).width == 160
    assert capfd.readouterr().err == ""


def test_gain_map_is_noted(astronaut, encode):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf hdrgm:Version="1.0"/></x:xmpmeta>'
    assert "an HDR gain map is ignored" in decode(encode(astronaut, "JPEG", xmp=xmp)).notes


def test_from_array():
    pixels = np.random.default_rng(0).integers(0, 256, (80, 70, 3), np.uint8)
    picture = from_array(pixels)
    assert (picture.format, picture.width, picture.height, picture.data) == ("ARRAY", 70, 80, b"")
    assert np.array_equal(np.asarray(picture.image), pixels)
    pixels[:] = 0
    assert np.asarray(picture.image).any()
    assert refusal(from_array, pixels[..., 0]).kind == "unsupported"
    assert refusal(from_array, pixels.astype(np.float32)).kind == "unsupported"
    assert refusal(from_array, pixels[:0]).kind == "unsupported"


def test_heic(astronaut):
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = BytesIO()
    pillow_heif.from_pillow(astronaut).save(buffer, quality=90)
    data = buffer.getvalue()
    picture = decode(data, "photo.heic")
    assert (picture.format, picture.width, picture.height) == ("HEIF", 160, 120)
    assert np.abs(np.asarray(picture.image, float) - np.asarray(astronaut, float)).mean() < 6
    assert refusal(decode, data[: len(data) // 2]).kind == "truncated"
    assert refusal(decode, data, "-", Limits(max_pixels=1000)).kind == "too-large"


def test_a_heic_of_several_pictures(astronaut, monkeypatch):
    pillow_heif = pytest.importorskip("pillow_heif")
    several = pillow_heif.from_pillow(astronaut)
    for _ in range(2):
        several.add_from_pillow(astronaut)
    buffer = BytesIO()
    several.save(buffer, quality=50)
    data = buffer.getvalue()
    assert decode(data, "-", Limits(max_frames=3)).frames == 3

    def decoded(_frame):
        raise AssertionError("a picture was decoded")

    monkeypatch.setattr(pillow_heif.HeifImage, "to_pillow", decoded)
    refused = refusal(decode, data, "-", Limits(max_frames=2))
    assert refused.kind == "too-large"
    assert "more than 2 frames" in refused.message


def test_dng(astronaut, capfd):
    """A digital negative of our own: linear values under a Bayer pattern, developed back to the photograph."""
    pytest.importorskip("rawpy")
    import tifffile

    pixels = np.asarray(astronaut)
    unit = pixels / 255.0
    linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4) * 65535
    mosaic = np.zeros(pixels.shape[:2], np.uint16)
    for y, x, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[y::2, x::2] = linear[y::2, x::2, channel]
    from_xyz = (3.2405, -1.5371, -0.4985, -0.9693, 1.8760, 0.0416, 0.0556, -0.2040, 1.0572)
    tags = [
        (50706, "B", 4, (1, 4, 0, 0), True),  # DNGVersion
        (50708, "s", 0, "Test Camera", True),
        (33421, "H", 2, (2, 2), True),  # CFARepeatPatternDim
        (33422, "B", 4, (0, 1, 1, 2), True),  # CFAPattern
        (50721, "2i", 9, [n for v in from_xyz for n in (round(v * 10000), 10000)], True),  # ColorMatrix1
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),  # AsShotNeutral
    ]
    buffer = BytesIO()
    tifffile.imwrite(buffer, mosaic, photometric=32803, extratags=tags, metadata=None)
    data = buffer.getvalue()
    picture = decode(data, "photo.dng")
    assert (picture.format, picture.width, picture.height) == ("RAW", 160, 120)
    assert picture.notes == ("camera RAW developed by LibRaw, not by the camera",)
    assert np.abs(np.asarray(picture.image, float) - pixels).mean() < 16  # demosaicing softens a small picture
    half = data[: len(data) // 2]
    assert refusal(decode, half).kind == "truncated"
    assert decode(half.ljust(len(data), b"\0")).notes == (*picture.notes, BLACK)
    assert refusal(decode, data, "-", Limits(max_pixels=1000)).kind == "too-large"
    assert capfd.readouterr().err == ""  # where LibRaw itself would write a line about the cut file


@pytest.mark.parametrize(
    ("library", "data", "extra"),
    [
        ("pillow_heif", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64), ".[heif]"),
        ("rawpy", b"FUJIFILMCCD-RAW " + bytes(64), ".[raw]"),
        ("rawpy", b"II*\0\x10\0\0\0CR\x02\0" + bytes(64), ".[raw]"),
    ],
)
def test_a_missing_extra_is_named(monkeypatch, library, data, extra):
    monkeypatch.setitem(sys.modules, library, None)
    refused = refusal(decode, data)
    assert refused.kind == "unsupported"
    assert extra in refused.message


def test_import_is_light():
    heavy = ("PIL.ImageCms", "scipy", "cv2", "skimage", "torch", "pillow_heif", "rawpy")
    code = f"import sys, aiforensics.image; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_one_list_of_suffixes_for_every_format():
    assert {".jpg", ".png", ".hif", ".avif", ".dng"} < SUFFIXES
    assert {sniff.named_otherwise(f"a{suffix}", "none") is not None for suffix in SUFFIXES} == {True}


def test_whether_a_file_is_a_picture_is_told_from_its_first_bytes(tmp_path, astronaut, encode):
    (tmp_path / "a.txt").write_bytes(encode(astronaut, "WEBP"))
    (tmp_path / "b.png").write_text("no picture")
    assert [sniff.is_picture(tmp_path / name) for name in ("a.txt", "b.png")] == [True, False]
    with pytest.raises(FileNotFoundError):
        sniff.is_picture(tmp_path / "c.png")
