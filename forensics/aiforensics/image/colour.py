"""All colour handling in one place: what a decoder gives becomes 8-bit RGB in sRGB, with a note of what was done."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Media-relative colorants of sRGB in D50 (IEC 61966-2-1, adapted by Bradford as in ICC.1:2022, annex E).
_SRGB_COLORANTS = {
    b"rXYZ": (0.4360, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7139),
}
_CURVES = (b"rTRC", b"gTRC", b"bTRC")
_SRGB_AT_HALF = 0.2140
_DEEP_MODES = ("I", "F")
_NEARLY_OPAQUE = 250
_KEPT_PROFILE = 65_536


@dataclass(frozen=True, slots=True)
class Colours:
    """What became of a decoded picture's colours.

    Attributes
    ----------
    image
        8-bit RGB.
    alpha
        The alpha channel, 8 bits, where it is not wholly opaque.
    transform
        From `image` to sRGB; None where it is sRGB already.
    notes
        One plain line for every step that changes pixels.
    """

    image: Image.Image
    alpha: Image.Image | None
    transform: Callable[[Image.Image], Image.Image] | None
    notes: tuple[str, ...]


def to_rgb(
    image: Image.Image, bits: int, max_profile: int, *, unsigned: bool = False, negative: bool = False
) -> Colours:
    """Bring a decoded picture to 8-bit RGB; an RGB picture passes as it is.

    Parameters
    ----------
    image
        A loaded picture in any mode of Pillow.
    bits
        Bits per channel that the file stores, 8 when unknown.
    max_profile
        A longer ICC profile, in bytes, is not used.
    unsigned
        Whether grey of 32 bits has no sign: Pillow holds it in signed numbers all the same.
    negative
        Whether 0 is white in grey of more than 8 bits: Pillow turns that of 8 bits and fewer alone.
    """
    notes: list[str] = []
    profile = image.info.get("icc_profile")
    if image.mode.startswith(_DEEP_MODES):
        image = _eight_bits(image, bits, notes, unsigned=unsigned, negative=negative)
    elif bits > 8:
        notes.append(f"{bits} bits per channel reduced to 8")
        if image.mode == "RGB" and image.info.pop("transparency", None) is not None:  # 8 bits cannot tell its pixels
            notes.append("a transparent colour of more than 8 bits is not left out")
    if image.mode == "1":
        notes.append("a picture of pure black and white")
        image = image.convert("L")
    if image.mode == "LAB":
        notes.append("CIELAB converted to sRGB")
        return Colours(_from_lab(image), None, None, tuple(notes))
    image, alpha = _opaque(image, notes)
    transform = _from_profile(image.mode, profile, max_profile, notes)
    if image.mode == "RGB":
        return Colours(image, alpha, transform, tuple(notes))
    if transform is not None:
        return Colours(transform(image), alpha, None, tuple(notes))
    if image.mode == "CMYK":
        notes.append("CMYK without a usable colour profile converted by the plain formula")
    return Colours(image.convert("RGB"), alpha, None, tuple(notes))


def is_srgb(profile: bytes) -> bool:
    """Whether an ICC profile describes sRGB: its colorants and the middle of its tone curves, whatever its name."""
    try:
        tags = _tags(profile)
        if profile[16:20] != b"RGB " or b"A2B0" in tags or not {*_CURVES, *_SRGB_COLORANTS} <= tags.keys():
            return False
        for name, wanted in _SRGB_COLORANTS.items():
            found = [v / 65536 for v in struct.unpack_from(">3i", tags[name], 8)]
            if any(abs(a - b) > 0.003 for a, b in zip(found, wanted, strict=True)):
                return False
        return all(abs(_curve_at_half(tags[name]) - _SRGB_AT_HALF) < 0.01 for name in _CURVES)
    except (struct.error, IndexError, ValueError, OverflowError, ZeroDivisionError):
        return False


def _eight_bits(image: Image.Image, bits: int, notes: list[str], *, unsigned: bool, negative: bool) -> Image.Image:
    """Grey of 16 or 32 bits, or floating point, scaled to 8 bits; with alpha where one value counts as transparent."""
    values = np.asarray(image)
    if unsigned and image.mode == "I":
        values = values.view(np.uint32)
    if image.mode == "F":
        low, high = _finite_range(values)
        if low >= 0.0 and high <= 1.0:
            low, high = 0.0, 1.0
        elif low >= 0.0 and high <= 255.0:
            low, high = 0.0, 255.0
        notes.append(f"floating-point values from {low:g} to {high:g} scaled to 8 bits")
    else:
        low, high = 0.0, float(2 ** min(bits, 16) - 1 if bits > 8 else 65535)
        if image.mode == "I":
            found_low, found_high = _finite_range(values)
            if found_low < low or found_high > high:
                low, high = found_low, found_high
        notes.append(f"integer values from {low:g} to {high:g} scaled to 8 bits")
    span = (high - low) or 1.0
    scaled = np.empty(values.shape, np.uint8)
    for row, line in enumerate(values):  # line by line: no second copy of the whole picture in floating point
        unit = (np.nan_to_num(line.astype(np.float64), nan=low, posinf=high, neginf=low) - low) / span
        scaled[row] = np.clip(np.rint(unit * 255.0), 0, 255)
    if negative:
        np.subtract(255, scaled, out=scaled)
    grey = Image.fromarray(scaled)
    if isinstance(key := image.info.get("transparency"), int):
        grey.putalpha(Image.fromarray(np.where(values == key, np.uint8(0), np.uint8(255))))
    return grey


def _finite_range(values: NDArray[np.generic]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _opaque(image: Image.Image, notes: list[str]) -> tuple[Image.Image, Image.Image | None]:
    """Without alpha, and the alpha itself where it is not wholly opaque.

    Transparent parts are composed over white, which is what a person would see. Pixels that are all but opaque keep
    their exact values: some generators hide text in the lowest bit of alpha, and composing would disturb every pixel.
    """
    if image.mode in {"RGBa", "La", "PA", "RGBX"}:
        image = image.convert({"RGBa": "RGBA", "La": "LA", "PA": "RGBA", "RGBX": "RGB"}[image.mode])
    if image.mode == "P":
        notes.append("palette colours")
    if "transparency" in image.info and image.mode in {"P", "RGB", "L"}:
        image = image.convert("RGBA")
    if image.mode == "P":
        image = image.convert("RGB")
    if image.mode not in {"RGBA", "LA"}:
        return image, None
    alpha = image.getchannel("A")
    base = image.convert("RGB" if image.mode == "RGBA" else "L")
    counts = alpha.histogram()
    if counts[255] == alpha.width * alpha.height:
        return base, None
    if not any(counts[:_NEARLY_OPAQUE]):
        notes.append("a nearly opaque alpha channel was dropped")
        return base, alpha
    notes.append("transparent parts composed over white")
    mask = alpha.point([value if value < _NEARLY_OPAQUE else 255 for value in range(256)])
    return Image.composite(base, Image.new(base.mode, base.size, "white"), mask), alpha


def _from_profile(
    mode: str, profile: object, max_profile: int, notes: list[str]
) -> Callable[[Image.Image], Image.Image] | None:
    """Build the transform from an ICC profile to sRGB; a profile that cannot be used is a note, never an error."""
    if not isinstance(profile, bytes) or not profile:
        return None
    if len(profile) > max_profile:
        notes.append("the colour profile is too large and was ignored")
        return None
    if mode == "RGB" and is_srgb(profile):
        return None
    from PIL import ImageCms  # noqa: PLC0415 - rarely needed, and slow to import

    # Pictures of one camera carry one profile, and building its transform costs as much as decoding a megapixel. A
    # long profile is not kept, so that a stranger's file cannot fill memory beyond its own turn.
    build = _transform if len(profile) <= _KEPT_PROFILE else _transform.__wrapped__
    try:
        transform = build(mode, profile)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        notes.append("the colour profile is broken or does not fit and was ignored")
        return None
    # A profile's name can be a person's: it stands among the claims, where `--redact` reaches it.
    notes.append("colours converted from the file's colour profile to sRGB")
    return transform


@lru_cache(maxsize=8)
def _transform(mode: str, profile: bytes) -> Callable[[Image.Image], Image.Image]:
    """Transform from an ICC profile to sRGB."""
    from PIL import ImageCms  # noqa: PLC0415 - as above

    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    relative = ImageCms.Intent.RELATIVE_COLORIMETRIC
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", relative).apply


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms  # noqa: PLC0415 - rarely needed, and slow to import

    changed = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
    return changed.apply(image)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """Tagged elements of an ICC profile (ICC.1:2022, 7.3); at most 100 are read."""
    count = min(struct.unpack_from(">I", profile, 128)[0], 100)
    tags = {}
    for index in range(count):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        tags[name] = profile[offset : offset + size]
    return tags


def _curve_at_half(element: bytes) -> float:
    """Value at 0.5 of a `curv` or `para` element (ICC.1:2022, 10.6 and 10.18)."""
    if element[:4] == b"curv":
        count = struct.unpack_from(">I", element, 8)[0]
        if count == 0:
            return 0.5
        if count == 1:
            return float(0.5 ** (struct.unpack_from(">H", element, 12)[0] / 256))
        middle = (count - 1) / 2
        pair = [struct.unpack_from(">H", element, 12 + 2 * i)[0] for i in (int(middle), int(middle + 0.5))]
        return float(sum(pair) / 2 / 65535)
    kind = struct.unpack_from(">H", element, 8)[0]
    count = (1, 3, 4, 5, 7)[kind]
    found = [v / 65536 for v in struct.unpack_from(f">{count}i", element, 12)]
    if kind == 0:
        return float(0.5 ** found[0])
    offset = found[3] if kind == 2 else found[5] if kind == 4 else 0.0
    base = found[1] * 0.5 + found[2]
    if base < 0.0:
        raise ValueError("the power of a negative number is no tone")
    return float(base ** found[0] + offset)
