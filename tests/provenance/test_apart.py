"""Nothing that a file says of itself reaches the score: the same pixels give the same score with and without it."""

import numpy as np
import pytest

from aiforensics.image import decode


@pytest.fixture
def pair(make):
    """One JPEG bare, and the same with camera, generator, credit and comment."""
    pixels = make.pixels(400, 300)
    loaded = make.jpeg(
        make.exif_segment(
            first={0x010F: "Canon", 0x0110: "EOS", 0x0131: "Adobe Photoshop"},
            inner={0x9286: b"ASCII\0\0\0x\nSteps: 20, Sampler: Euler, Seed: 1"},
        ),
        make.xmp_segment({"photoshop:Credit": "Made with Google AI"}),
        (0xFE, b"made by a camera"),
        pixels=pixels,
    )
    return make.jpeg(pixels=pixels), loaded


def test_the_examined_windows_are_the_same(pair):
    bare, loaded = (decode(content) for content in pair)
    assert bare.data != loaded.data
    assert bare.jpeg == loaded.jpeg
    for one, other in zip(bare.windows, loaded.windows, strict=True):
        assert (one.x, one.y) == (other.x, other.y)
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_stripping_all_metadata_changes_nothing_in_the_score(pair):
    from aiforensics.pipeline import Scanner
    from aiforensics_models.bundle import available

    if "default" not in available():
        pytest.skip("no default bundle is installed")
    scanner = Scanner()
    bare, loaded = (scanner.scan_bytes(content) for content in pair)
    assert bare.provenance != loaded.provenance
    assert (bare.p_ai, bare.interval, bare.reasons) == (loaded.p_ai, loaded.interval, loaded.reasons)
