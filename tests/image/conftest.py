from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage import data

ENCODINGS = {
    "JPEG": {"quality": 90},
    "PNG": {},
    "WEBP": {"quality": 90},
    "TIFF": {"compression": "tiff_lzw"},
    "BMP": {},
    "GIF": {},
    "AVIF": {"quality": 90, "speed": 10},
}


def encoded(image, kind, **options):
    buffer = BytesIO()
    image.save(buffer, kind, **{**ENCODINGS.get(kind, {}), **options})
    return buffer.getvalue()


@pytest.fixture(scope="session")
def encode():
    return encoded


@pytest.fixture(scope="session")
def astronaut():
    return Image.fromarray(data.astronaut()).resize((160, 120), Image.Resampling.LANCZOS)


@pytest.fixture(scope="session", params=sorted(ENCODINGS))
def coded(request, astronaut):
    """(kind, bytes) of one small photograph in every format that the base install decodes."""
    return request.param, encoded(astronaut, request.param)


@pytest.fixture(scope="session")
def srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="session")
def wide_profile(srgb_profile):
    """A profile with the colorants of Display P3 and the tone curve of sRGB."""
    wanted = {
        b"rXYZ": (0.5151, 0.2412, -0.0011),
        b"gXYZ": (0.2919, 0.6922, 0.0419),
        b"bXYZ": (0.1572, 0.0666, 0.7841),
    }
    profile = bytearray(srgb_profile)
    for index in range(int.from_bytes(profile[128:132], "big")):
        entry = 132 + 12 * index
        name, offset = bytes(profile[entry : entry + 4]), int.from_bytes(profile[entry + 4 : entry + 8], "big")
        if name in wanted:
            profile[offset + 8 : offset + 20] = np.round(np.array(wanted[name]) * 65536).astype(">i4").tobytes()
    return bytes(profile)
