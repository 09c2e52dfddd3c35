import io

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from aiforensics.analyzers import Exhibit
from aiforensics.image import Picture, Window, decode, from_array


def frozen(pixels):
    pixels = np.ascontiguousarray(pixels, np.uint8)
    pixels.flags.writeable = False
    return Window(pixels)


def coded(image, kind="PNG", **options) -> Picture:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return decode(buffer.getvalue())


def jpeg(pixels, quality):
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    decoded = cv2.imdecode(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def brightness_forecast(pixels):
    """Three members that disagree and that look at the left upper corner, so that mirroring matters."""
    p = pixels.mean() / 255.0
    return np.clip(np.array([p, 0.8 * p, p + 0.1 * pixels[0, 0, 0] / 255.0]), 0.0, 1.0)


@pytest.fixture(scope="session", name="frozen")
def frozen_fixture():
    """(h, w, 3) array → read-only window."""
    return frozen


@pytest.fixture(scope="session", name="jpeg")
def jpeg_fixture():
    """(pixels, quality) → pixels after a JPEG of 4:2:0."""
    return jpeg


@pytest.fixture(scope="session")
def measure():
    """(analyzer, pixels) → short names against values, over one window."""

    def one(analyzer, pixels, forecast=None):
        values = analyzer.measure(Exhibit((frozen(pixels),), forecast))
        return {name.partition(".")[2]: value for name, value in values.items()}

    return one


@pytest.fixture(scope="session")
def photo():
    """(256, 256, 3) uint8 of NASA's portrait of Eileen Collins (public domain), as it comes with scikit-image."""
    pixels = data.astronaut()[64:320, 128:384].copy()
    pixels.flags.writeable = False
    return pixels


@pytest.fixture(scope="session")
def photo_window(photo):
    return frozen(photo)


def _windows_of(photo):
    rng = np.random.default_rng(3)
    checker = np.where(np.indices((128, 128)).sum(0) % 2, 255, 0)
    grey16 = Image.fromarray((photo[:, :, 1].astype(np.uint16) * 257)[:100, :140])
    return {
        "photo": lambda: (frozen(photo),),
        "one pixel": lambda: coded(Image.new("RGB", (1, 1), (9, 200, 31))).windows,
        "one row": lambda: coded(Image.fromarray(photo[:1])).windows,
        "grey": lambda: coded(Image.fromarray(photo[:, :, 0])).windows,
        "16 bit": lambda: coded(grey16).windows,
        "palette": lambda: coded(Image.fromarray(photo).quantize(16)).windows,
        "huge": lambda: from_array(np.tile(photo, (8, 12, 1))).windows,
        "odd sides": lambda: (frozen(photo[:97, :211]),),
        "black": lambda: (frozen(np.zeros((256, 256, 3))),),
        "white": lambda: (frozen(np.full((64, 65, 3), 255)),),
        "one colour": lambda: (frozen(np.full((80, 256, 3), (200, 30, 7))),),
        "noise": lambda: (frozen(rng.integers(0, 256, (128, 128, 3))),),
        "checker": lambda: (frozen(np.repeat(checker[:, :, None], 3, 2)),),
        "ramp": lambda: (frozen(np.repeat(np.tile(np.arange(256), (256, 1))[:, :, None], 3, 2)),),
        "jpeg 5": lambda: (frozen(jpeg(photo, 5)),),
    }


PICTURES = tuple(_windows_of(np.zeros((256, 256, 3), np.uint8)))


@pytest.fixture(scope="session", params=PICTURES)
def exhibit(request, photo):
    """Every kind of picture that an analyzer must survive, with a forecast."""
    return Exhibit(_windows_of(photo)[request.param](), brightness_forecast)


@pytest.fixture(scope="session")
def meaning():
    """(analyzer, short name) → what the feature is said to mean."""

    def one(analyzer, short):
        return next(spec.meaning for spec in analyzer.specs if spec.name == f"{analyzer.name}.{short}")

    return one
