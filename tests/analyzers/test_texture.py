import cv2
import numpy as np
import pytest
from skimage.feature import graycomatrix, graycoprops
from skimage.filters.rank import entropy as rank_entropy

from aiforensics.analyzers.numerics import grey
from aiforensics.analyzers.texture import Texture, cooccurrence, local_patterns

CIRCLE = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]


@pytest.mark.parametrize("radius", [1, 2])
def test_patterns_against_the_plain_loop(photo, frozen, measure, radius):
    pixels = photo[60:124, 40:104]
    luma = grey(frozen(pixels)).astype(int)
    codes, classes = np.zeros(256), np.zeros(10)
    for y in range(radius, 64 - radius):
        for x in range(radius, 64 - radius):
            bits = [int(luma[y + radius * dy, x + radius * dx] >= luma[y, x]) for dy, dx in CIRCLE]
            changes = sum(bits[i] != bits[i - 1] for i in range(8))
            classes[sum(bits) if changes <= 2 else 9] += 1
            codes[sum(bit << i for i, bit in enumerate(bits))] += 1
    assert np.array_equal(local_patterns(luma.astype(np.uint8), radius), codes)
    values = measure(Texture(), pixels)
    shares = [values[f"lbp{radius}_{k}"] for k in range(9)] + [values[f"lbp{radius}_mixed"]]
    assert shares == pytest.approx(classes / classes.sum())


def test_cooccurrence_against_scikit_image(photo, photo_window, measure):
    luma = grey(photo_window)
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    tables = graycomatrix(luma // 8, [1], angles, levels=32, symmetric=True, normed=True)
    for i, (dy, dx) in enumerate([(0, 1), (1, 1), (1, 0), (1, -1)]):
        assert cooccurrence(luma, dy, dx) == pytest.approx(tables[:, :, 0, i], abs=1e-9)
    values = measure(Texture(), photo)
    assert values["glcm_contrast"] == pytest.approx(np.log10(graycoprops(tables, "contrast").mean()), abs=1e-6)
    assert values["glcm_homogeneity"] == pytest.approx(graycoprops(tables, "homogeneity").mean(), abs=1e-6)
    assert values["glcm_correlation"] == pytest.approx(graycoprops(tables, "correlation").mean(), abs=2e-3)


def test_block_entropy_against_scikit_image(photo, photo_window, measure):
    luma = grey(photo_window) >> 4
    # A rank filter of an even footprint is centred 8 pixels into its block.
    local = rank_entropy(luma, np.ones((16, 16), np.uint8))
    expected = local[8::16, 8::16]
    assert measure(Texture(), photo)["entropy_mean"] == pytest.approx(expected.mean(), abs=0.02)


def test_stripes_are_coherent_and_noise_is_not(measure):
    rng = np.random.default_rng(2)
    noise = rng.integers(0, 256, (128, 128, 1), np.uint8).repeat(3, 2)
    stripes = rng.integers(0, 256, (1, 128, 1), np.uint8).repeat(128, 0).repeat(3, 2)
    assert measure(Texture(), stripes)["coherence_mean"] > 0.99
    assert measure(Texture(), noise)["coherence_mean"] < 0.25
    assert measure(Texture(), stripes)["upright"] > 3.0


def test_smoothing_shows(photo, measure):
    plain, smooth = measure(Texture(), photo), measure(Texture(), cv2.medianBlur(photo, 5))
    assert smooth["lbp1_mixed"] < 0.7 * plain["lbp1_mixed"]
    assert smooth["bend_ratio"] < plain["bend_ratio"]
    assert smooth["mscn_beside"] > plain["mscn_beside"]


def test_normalised_luminance_of_noise_is_uncorrelated(measure):
    noise = np.random.default_rng(2).normal(128, 30, (256, 256, 1)).clip(0, 255).astype(np.uint8).repeat(3, 2)
    values = measure(Texture(), noise)
    assert abs(values["mscn_beside"]) < 0.2
    assert values["slope_shape"] == pytest.approx(2 / np.pi, abs=0.02)


def test_a_mirror_changes_no_coherence(photo, measure):
    plain, mirror = measure(Texture(), photo[:, :250]), measure(Texture(), photo[:, 249::-1])
    for name in ("coherence_mean", "coherence_spread", "edge_share"):
        assert mirror[name] == pytest.approx(plain[name], abs=1e-4)


def test_the_map_shows_grain_where_it_crosses_levels_and_its_key_says_so(frozen):
    grain = np.random.default_rng(0).normal(0, 3.0, (64, 64, 1)) + np.zeros(3)
    border, inside = (Texture().map(frozen(grain + level)).astype(int).sum(2).mean() for level in (128, 136))
    assert border > 2.0 * inside
    assert "a grain is brighter where it crosses from one level to the next" in Texture().card.map_key
