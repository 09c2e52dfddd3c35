"""The open DWT-DCT watermark: embedded here by a reference written from the method, decoded, and not seen elsewhere."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

from aiforensics.image import decode as gate
from aiforensics.image import from_array
from aiforensics.provenance import read_provenance
from aiforensics.provenance.watermark import FALSE_MATCH, PAYLOADS, _chance, decode, tolerance


def embed(pixels, bits, *, floating=False, swapped=False):
    """The embedder, block by block: pixels (h, w, 3) uint8 RGB, bits as a text of 0 and 1."""
    order = pixels if swapped else pixels[:, :, ::-1]
    order = np.ascontiguousarray(order.astype(np.float32) if floating else order)
    yuv = cv2.cvtColor(order, cv2.COLOR_BGR2YUV)
    height, width = pixels.shape[0] // 4 * 4, pixels.shape[1] // 4 * 4
    chroma = yuv[:height, :width, 1].astype(np.float64)
    a, b, c, d = chroma[::2, ::2], chroma[::2, 1::2], chroma[1::2, ::2], chroma[1::2, 1::2]
    mean = (a + b + c + d) / 2
    changed = mean.copy()
    number = 0
    for y in range(mean.shape[0] // 4):
        for x in range(mean.shape[1] // 4):
            block = changed[4 * y : 4 * y + 4, 4 * x : 4 * x + 4]
            place = np.unravel_index(np.abs(block).ravel()[1:].argmax() + 1, (4, 4))
            value = block[place]
            moved = (abs(value) // 36 + 0.25 + 0.5 * (bits[number % len(bits)] == "1")) * 36
            block[place] = moved if value >= 0 else -moved
            number += 1
    step = (changed - mean) / 2
    chroma += np.repeat(np.repeat(step, 2, axis=0), 2, axis=1)
    yuv[:height, :width, 1] = chroma if floating else np.clip(chroma, 0, 255).astype(np.uint8)
    back = cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR)
    back = back if swapped else back[:, :, ::-1]
    return np.ascontiguousarray(np.clip(np.round(back), 0, 255).astype(np.uint8))


def watermarks(picture):
    return [c.value for c in read_provenance(picture).claims if c.kind == "watermark"]


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda p: p.programs)
@pytest.mark.parametrize("floating", [False, True])
def test_every_payload_is_read(payload, floating):
    found = watermarks(from_array(embed(pictures.astronaut(), payload.bits, floating=floating)))
    assert len(found) == 1
    assert payload.programs in found[0]


def test_the_channel_order_of_older_programs():
    marked = embed(pictures.coffee(), PAYLOADS[0].bits, floating=True, swapped=True)
    assert PAYLOADS[0].programs in watermarks(from_array(marked))[0]


@pytest.mark.parametrize("size", [(1000, 800), (1501, 701), (260, 1200)])
def test_a_band_of_a_large_picture_keeps_the_count_of_blocks(size):
    large = np.asarray(Image.fromarray(pictures.astronaut()).resize(size, Image.Resampling.BICUBIC))
    assert PAYLOADS[1].programs in watermarks(from_array(embed(large, PAYLOADS[1].bits)))[0]


def test_level_and_origin_and_a_good_jpeg():
    buffer = io.BytesIO()
    marked = embed(pictures.astronaut(), PAYLOADS[0].bits)
    Image.fromarray(marked).save(buffer, "JPEG", quality=95, subsampling=0)
    assert watermarks(gate(buffer.getvalue()))
    provenance = read_provenance(from_array(marked))
    assert (provenance.level, provenance.origin) == ("watermark", "ai")


def test_a_crop_a_resize_and_a_poor_jpeg_lose_it():
    marked = embed(pictures.astronaut(), PAYLOADS[0].bits)
    buffer = io.BytesIO()
    Image.fromarray(marked).save(buffer, "JPEG", quality=70)
    smaller = np.asarray(Image.fromarray(marked).resize((400, 400)))
    for changed in (np.ascontiguousarray(marked[9:, 5:]), smaller):
        assert watermarks(from_array(changed)) == []
    assert watermarks(gate(buffer.getvalue())) == []


def test_photographs_and_drawings_carry_none():
    # Flat, periodic and clipped pictures are where correlated bits could imitate a payload.
    stripes = np.zeros((256, 368, 3), np.uint8)
    stripes[:, ::16] = 255
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 300, axis=0).repeat(3, axis=2)
    for pixels in (pictures.coffee(), pictures.chelsea(), pictures.rocket(), stripes, np.ascontiguousarray(ramp)):
        for view in (pixels, pixels[::-1], pixels[:, ::-1], 255 - pixels):
            assert watermarks(from_array(np.ascontiguousarray(view))) == []


def test_false_matches_stay_under_the_stated_bound():
    trials = 4 * sum(_chance(len(p.bits), tolerance(len(p.bits))) for p in PAYLOADS)
    assert trials < FALSE_MATCH
    rng = np.random.default_rng(5)
    noise = (rng.integers(0, 256, (64, 512, 3), np.uint8) for _ in range(60))
    assert not any(decode(pixels) for pixels in noise)


def test_tiny_pictures_are_left_alone():
    assert watermarks(from_array(np.zeros((8, 8, 3), np.uint8))) == []
    assert decode(np.zeros((8, 8, 3), np.uint8)) is None
