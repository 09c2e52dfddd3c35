import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage import data

from aiforensics.image import Limits, decode
from aiforensics.image.colour import is_srgb


def saved(image, kind, **options):
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(picture):
    return np.asarray(picture.image).astype(int)


GREY = data.camera()[:96, :128]


def test_srgb_profile_changes_nothing(astronaut, srgb_profile):
    assert is_srgb(srgb_profile)
    picture = decode(saved(astronaut, "PNG", icc_profile=srgb_profile))
    assert picture.transform is None
    assert picture.notes == ()
    assert picture.image.tobytes() == astronaut.tobytes()


def test_wide_profile_is_transformed(astronaut, wide_profile):
    assert not is_srgb(wide_profile)
    picture = decode(saved(astronaut, "PNG", icc_profile=wide_profile))
    expected = ImageCms.profileToProfile(
        astronaut,
        ImageCms.ImageCmsProfile(BytesIO(wide_profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    assert picture.image.tobytes() == expected.tobytes()
    assert picture.image.tobytes() != astronaut.tobytes()
    assert any("to sRGB" in note for note in picture.notes)
    for window in picture.windows:  # cut first and transformed then: the same values
        h, w = window.pixels.shape[:2]
        assert np.array_equal(window.pixels[:h, :w], np.asarray(expected)[window.y :, window.x :][:h, :w])


def test_no_note_gives_the_name_of_a_profile_which_can_be_a_persons(astronaut, wide_profile):
    name = "Anna's screen"
    named = wide_profile.replace("sRGB built-in".encode("utf-16-be"), name.encode("utf-16-be"))
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(named))).strip() == name
    assert decode(saved(astronaut, "PNG", icc_profile=named)).notes == (
        "colours converted from the file's colour profile to sRGB",
    )


def test_gamma_one_is_not_srgb(srgb_profile):
    """The colorants alone do not make sRGB: a linear curve would change every value."""
    profile = bytearray(srgb_profile)
    for index in range(int.from_bytes(profile[128:132], "big")):
        at = 132 + 12 * index
        if profile[at : at + 4] == b"rTRC":
            offset = int.from_bytes(profile[at + 4 : at + 8], "big")
            profile[offset : offset + 12] = b"curv" + bytes(8)
    assert not is_srgb(bytes(profile))


@pytest.mark.parametrize("name", [b"rTRC", b"gTRC", b"bTRC"])
def test_a_curve_of_one_channel_alone_is_not_srgb(astronaut, srgb_profile, name):
    entry = srgb_profile.index(name)
    other = b"curv" + bytes(4) + struct.pack(">IH", 1, 256 * 4)
    at = len(srgb_profile)
    profile = srgb_profile[: entry + 4] + struct.pack(">II", at, len(other)) + srgb_profile[entry + 12 :] + other
    profile = struct.pack(">I", len(profile)) + profile[4:]
    assert not is_srgb(profile)
    picture = decode(saved(astronaut, "PNG", icc_profile=profile))
    assert any("converted" in note for note in picture.notes)


def test_a_curve_of_complex_numbers_is_not_srgb(astronaut, srgb_profile):
    """The colorants of sRGB, and a parametric curve whose power is of a negative number."""
    profile = bytearray(srgb_profile)
    curve = b"para\0\0\0\0\0\1\0\0" + np.array([2.4 * 65536, -65536, 0]).astype(">i4").tobytes()
    for index in range(int.from_bytes(profile[128:132], "big")):
        at = 132 + 12 * index
        if profile[at : at + 4] == b"rTRC":
            offset = int.from_bytes(profile[at + 4 : at + 8], "big")
            profile[offset : offset + len(curve)] = curve
    assert not is_srgb(bytes(profile))
    picture = decode(saved(astronaut, "PNG", icc_profile=bytes(profile)))
    assert (picture.width, picture.height) == astronaut.size
    assert any("profile" in note for note in picture.notes)


@pytest.mark.parametrize("damage", ["noise", "cut", "empty curve", "wrong space"])
def test_broken_profile_is_a_note(damage, astronaut, wide_profile):
    profile = {
        "noise": np.random.default_rng(0).bytes(500),
        "cut": wide_profile[:200],
        "empty curve": wide_profile[:132] + bytes(len(wide_profile) - 132),
        "wrong space": wide_profile[:16] + b"CMYK" + wide_profile[20:],
    }[damage]
    picture = decode(saved(astronaut, "PNG", icc_profile=profile))
    assert picture.notes == ("the colour profile is broken or does not fit and was ignored",)
    assert picture.image.tobytes() == astronaut.tobytes()


def test_an_oversized_profile_is_ignored(astronaut, wide_profile):
    picture = decode(saved(astronaut, "PNG", icc_profile=wide_profile), "-", Limits(max_metadata=100))
    assert picture.notes == ("the colour profile is too large and was ignored",)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_not_inverted(kind, astronaut):
    """Adobe's JPEGs store CMYK inverted; a picture that comes out as a negative would be far off."""
    picture = decode(saved(astronaut.convert("CMYK"), kind))
    assert np.abs(pixels(picture) - np.asarray(astronaut)).mean() < 8
    assert any("CMYK" in note for note in picture.notes)


def test_grey_stays_grey(srgb_profile):
    for options in ({}, {"icc_profile": srgb_profile}):  # a profile of colours does not fit: a note
        values = pixels(decode(saved(Image.fromarray(GREY), "PNG", **options)))
        assert np.array_equal(values, np.repeat(GREY[..., None], 3, axis=2))


def test_one_bit():
    picture = decode(saved(Image.fromarray(np.greater(GREY, np.median(GREY))), "PNG"))
    assert sorted(set(pixels(picture).flat)) == [0, 255]
    assert "a picture of pure black and white" in picture.notes


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(kind):
    deep = GREY.astype(np.uint16) * 257
    picture = decode(saved(Image.fromarray(deep), kind))
    assert np.array_equal(pixels(picture)[..., 0], GREY)
    assert "integer values from 0 to 65535 scaled to 8 bits" in picture.notes


def test_sixteen_bit_colour_is_noted(astronaut):
    """Pillow cannot write it, so the chunk is made by hand."""
    import struct
    import zlib

    rows = np.asarray(astronaut).astype(">u2") * 257
    body = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", astronaut.width, astronaut.height, 16, 2, 0, 0, 0)
    coded = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")
    picture = decode(coded)
    assert picture.image.tobytes() == astronaut.tobytes()
    assert picture.notes == ("16 bits per channel reduced to 8",)


@pytest.mark.parametrize(
    ("scale", "note"), [(1 / 255, "from 0 to 1 "), (1.0, "from 0 to 255 "), (10.0, "floating-point values from")]
)
def test_floats_are_scaled(scale, note):
    values = GREY.astype(np.float32) * np.float32(scale)
    picture = decode(saved(Image.fromarray(values), "TIFF"))
    expected = GREY if scale <= 1 else (GREY - GREY.min()) / np.ptp(GREY) * 255.0
    assert np.abs(pixels(picture)[..., 0] - expected).max() <= 1
    assert any(note in line for line in picture.notes)


def test_floats_that_are_no_numbers():
    values = GREY.astype(np.float32)
    values[:10], values[10:20], values[20:30] = np.nan, np.inf, -np.inf
    found = pixels(decode(saved(Image.fromarray(values), "TIFF")))[..., 0]
    assert (found[:10] == 0).all() and (found[10:20] == 255).all() and (found[20:30] == 0).all()
    assert pixels(decode(saved(Image.fromarray(np.full((8, 8), np.nan, np.float32)), "TIFF"))).max() == 0


def test_wide_integers():
    values = GREY.astype(np.int32) * 100_000 - 5
    found = pixels(decode(saved(Image.fromarray(values), "TIFF")))[..., 0]
    assert np.abs(found - (GREY - GREY.min()) / np.ptp(GREY) * 255.0).max() <= 1


def tagged(coded, tag, value):
    """A little-endian TIFF whose entry of one SHORT says something else."""
    import struct

    start = coded.index(struct.pack("<HHI", tag, 3, 1))
    return coded[: start + 8] + struct.pack("<I", value) + coded[start + 12 :]


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_deep_grey_whose_zero_is_white_is_no_negative(kind):
    values = (255 - GREY).astype(kind) * kind(257 if kind is np.uint16 else 1)
    coded = saved(Image.fromarray(values), "TIFF")
    assert np.array_equal(pixels(decode(coded))[..., 0], 255 - GREY)
    assert np.array_equal(pixels(decode(tagged(coded, 262, 0)))[..., 0], GREY)


def test_unsigned_grey_of_32_bits_does_not_wrap_around():
    values = GREY.astype(np.uint32) * 16_843_009
    coded = saved(Image.fromarray(values.view(np.int32)), "TIFF")
    picture = decode(tagged(coded, 339, 1))
    assert np.abs(pixels(picture)[..., 0] - (GREY - GREY.min()) / np.ptp(GREY) * 255.0).max() <= 1
    low, high = float(values.min()), float(values.max())
    assert picture.notes == (f"integer values from {low:g} to {high:g} scaled to 8 bits",)


def test_a_transparent_value_of_sixteen_bit_grey_is_composed_over_white():
    deep = GREY.astype(np.uint16) * 257 + 1
    deep[:40] = 257 * 90
    picture = decode(saved(Image.fromarray(deep), "PNG", transparency=257 * 90))
    found = pixels(picture)[..., 0]
    assert (found[:40] == 255).all() and np.array_equal(found[40:], GREY[40:])
    assert picture.notes == ("integer values from 0 to 65535 scaled to 8 bits", "transparent parts composed over white")


def test_palette(astronaut):
    indexed = astronaut.quantize(64)
    picture = decode(saved(indexed, "PNG"))
    assert picture.image.tobytes() == indexed.convert("RGB").tobytes()
    assert picture.notes == ("palette colours",)


def test_opaque_alpha_is_dropped_silently(astronaut):
    rgba = astronaut.copy()
    rgba.putalpha(255)
    picture = decode(saved(rgba, "PNG"))
    assert picture.image.tobytes() == astronaut.tobytes()
    assert picture.notes == () and picture.alpha is None


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_composed_over_white(mode, astronaut):
    alpha = Image.new("L", astronaut.size, 255)
    alpha.paste(0, (0, 0, 40, 40))
    alpha.paste(128, (40, 0, 80, 40))
    source = astronaut.convert(mode[:-1])
    layered = source.copy()
    layered.putalpha(alpha)
    picture = decode(saved(layered, "PNG"))
    values, before = pixels(picture), np.asarray(source.convert("RGB")).astype(int)
    assert (values[:40, :40] == 255).all()
    assert np.abs(values[:40, 40:80] - (before[:40, 40:80] * 128 + 255 * 127) / 255).max() <= 1
    assert np.array_equal(values[40:], before[40:])
    assert picture.notes == ("transparent parts composed over white",)
    assert picture.alpha.tobytes() == alpha.tobytes()


def test_nearly_opaque_alpha_leaves_every_pixel(astronaut):
    rng = np.random.default_rng(0)
    alpha = Image.fromarray(rng.integers(254, 256, (astronaut.height, astronaut.width), np.uint8))
    rgba = astronaut.copy()
    rgba.putalpha(alpha)
    picture = decode(saved(rgba, "PNG"))
    assert picture.image.tobytes() == astronaut.tobytes()
    assert picture.notes == ("a nearly opaque alpha channel was dropped",)
    assert picture.alpha.tobytes() == alpha.tobytes()


@pytest.mark.parametrize("transparency", [0, bytes([0, 128, 255])])
def test_transparent_palette(transparency):
    image = Image.new("P", (48, 16))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    for index in range(3):
        image.paste(index, (16 * index, 0, 16 * index + 16, 16))
    values = pixels(decode(saved(image, "PNG", transparency=transparency)))
    assert (values[:, :16] == 255).all()
    assert (values[:, 32:] == (70, 80, 90)).all()


def test_colour_key(astronaut):
    image = astronaut.copy()
    image.paste((1, 2, 3), (0, 0, 20, 20))
    values = pixels(decode(saved(image, "PNG", transparency=(1, 2, 3))))
    assert (values[:20, :20] == 255).all()


def test_lab():
    lab = Image.merge("LAB", [Image.new("L", (32, 32), v) for v in (255, 128, 128)])
    picture = decode(saved(lab, "TIFF"))
    assert picture.image.mode == "RGB"
    assert picture.notes == ("CIELAB converted to sRGB",)


def test_ycbcr_tiff(astronaut):
    picture = decode(saved(astronaut, "TIFF", compression="jpeg", quality=95))
    assert np.abs(pixels(picture) - np.asarray(astronaut)).mean() < 4


def with_chunks(png, *chunks):
    """A PNG with further chunks before its pixels."""
    made = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    return png[:33] + b"".join(made) + png[33:]


@pytest.mark.parametrize("colour", [(1, 2, 3), (257, 514, 771), (300, 40_000, 65_535)])
def test_a_transparent_colour_of_sixteen_bits_makes_nothing_white(colour):
    """What is left of it in 8 bits is another colour, or that of pixels which are not transparent."""
    deep = np.full((16, 16, 3), (257, 514, 771), np.uint16)
    plain = cv2.imencode(".png", deep[..., ::-1])[1].tobytes()
    picture = decode(with_chunks(plain, (b"tRNS", struct.pack(">3H", *colour))))
    assert (pixels(picture) == (1, 2, 3)).all()
    assert picture.notes == (
        "16 bits per channel reduced to 8",
        "a transparent colour of more than 8 bits is not left out",
    )
    assert decode(plain).notes == picture.notes[:1]


@pytest.mark.parametrize(
    ("chunks", "said"),
    [
        ([(b"gAMA", struct.pack(">I", 1_000_000))], "another brightness (gamma 10), which is not applied"),
        ([(b"gAMA", struct.pack(">I", 45_455))], None),
        ([(b"gAMA", bytes(4))], None),
        ([(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 1_000_000))], None),
        ([(b"cICP", bytes((9, 16, 0, 1)))], "coded for HDR screens (PQ)"),
        ([(b"cICP", bytes((1, 13, 0, 1))), (b"gAMA", struct.pack(">I", 1_000_000))], None),
    ],
)
def test_a_curve_that_a_viewer_applies_and_nobody_here_is_told(astronaut, chunks, said):
    picture = decode(with_chunks(saved(astronaut, "PNG"), *chunks))
    assert picture.image.tobytes() == astronaut.tobytes()
    assert len(picture.notes) == (said is not None) and all(said in note for note in picture.notes)


@pytest.mark.parametrize(("transfer", "curve"), [(16, "PQ"), (18, "HLG"), (13, None)])
def test_an_avif_for_hdr_screens_is_told(astronaut, transfer, curve):
    data = bytearray(saved(astronaut, "AVIF"))
    at = data.index(b"nclx") + 6
    data[at : at + 2] = struct.pack(">H", transfer)
    notes = decode(bytes(data)).notes
    assert len(notes) == (curve is not None) and all(f"HDR screens ({curve})" in note for note in notes)


def test_the_main_picture_of_a_heic_is_examined_and_called_so(astronaut):
    pytest.importorskip("pillow_heif").register_heif_opener()
    red = Image.new("RGB", (64, 64), "red")
    data = saved(red, "HEIF", save_all=True, append_images=[astronaut], primary_index=1)
    picture = decode(data)
    assert (picture.width, picture.height) == astronaut.size
    assert picture.notes == ("the file holds 2 pictures, the main one is examined",)
