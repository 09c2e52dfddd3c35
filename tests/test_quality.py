"""Evidence quality from measured facts."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from aiforensics.image import decode, from_array
from aiforensics.quality import assess


@pytest.mark.parametrize(("quality", "level"), [(95, "good"), (60, "limited"), (20, "poor")])
def test_an_avif_of_few_bits_is_weak_evidence(quality, level):
    stream = io.BytesIO()
    Image.fromarray(data.astronaut()).save(stream, "AVIF", quality=quality)
    assert assess(decode(stream.getvalue()), {}, 0.0).quality.level == level


@pytest.mark.parametrize(("share", "level"), [(-3.9, "good"), (-4.1, "limited")])
def test_a_soft_picture_is_limited_evidence(share, level):
    found = assess(from_array(np.asarray(data.astronaut())), {"spectrum.top_share": share}, 0.0)
    assert found.quality.level == level
    assert ("blurred or enlarged" in " ".join(found.quality.reasons)) == (level == "limited")
