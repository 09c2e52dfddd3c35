import numpy as np
import pytest
import scipy.signal
import scipy.stats
from skimage.measure import block_reduce

from aiforensics.analyzers import numerics


@pytest.fixture
def plane(photo_window):
    return photo_window.luma


def test_block_mean(plane):
    expected = block_reduce(plane[:250, :203][:248, :200], (8, 8), np.mean)
    assert numerics.block_mean(plane[:250, :203], 8) == pytest.approx(expected, rel=1e-5)


def test_phase_means(plane):
    odd = plane[:251, :233]
    expected = [[odd[:250:2, :232:2].mean(), odd[:250:2, 1:232:2].mean()],
                [odd[1:250:2, :232:2].mean(), odd[1:250:2, 1:232:2].mean()]]  # fmt: skip
    assert numerics.phase_means(odd, 2) == pytest.approx(np.array(expected), rel=1e-5)


def test_filtered(plane):
    kernel = np.arange(9, dtype=np.float32).reshape(3, 3)
    padded = np.pad(plane.astype(float), 1, mode="reflect")
    expected = scipy.signal.correlate2d(padded, kernel, mode="valid")
    assert numerics.filtered(plane, kernel) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("draw", "expected"), [("normal", 2 / np.pi), ("laplace", 0.5), ("uniform", 0.75)])
def test_moment_ratio_of_known_distributions(draw, expected):
    rng = np.random.default_rng(1)
    sample = rng.uniform(-1, 1, 400_000) if draw == "uniform" else getattr(rng, draw)(0, 3, 400_000)
    assert numerics.moment_ratio(sample.astype(np.float32)) == pytest.approx(expected, rel=0.01)


def test_log_kurtosis():
    sample = np.random.default_rng(1).laplace(0, 3, 400_000).astype(np.float32)
    expected = np.log10(scipy.stats.kurtosis(sample, fisher=False))
    assert numerics.log_kurtosis(sample) == pytest.approx(expected, abs=1e-3)


def test_correlation_and_covariance(photo):
    red, green = photo[:, :, 0].astype(float), photo[:, :, 1].astype(float)
    expected = np.corrcoef(red.ravel(), green.ravel())[0, 1]
    assert numerics.correlation(red, green) == pytest.approx(expected, abs=1e-5)
    moments = numerics.covariance([np.ascontiguousarray(p, np.float32) for p in np.moveaxis(photo, 2, 0)])
    assert moments == pytest.approx(np.cov(photo.reshape(-1, 3).T.astype(float), bias=True), rel=1e-6)
    assert numerics.correlation_of(moments, 0, 1) == pytest.approx(expected, abs=1e-6)


def test_constant_planes_are_defined():
    flat = np.full((64, 64), 255.0, np.float32)
    assert numerics.correlation(flat, flat) == 0.0
    assert numerics.moment_ratio(flat * 0) == numerics.GAUSSIAN_SHAPE
    moments = numerics.covariance([np.full((64, 64), 255, np.float32)] * 3)
    assert numerics.correlation_of(moments, 0, 1) == 0.0


def test_histogram_entropy_and_quantile(photo):
    green = np.ascontiguousarray(photo[:, :, 1])
    counts = numerics.histogram(green)
    assert np.array_equal(counts, np.bincount(green.ravel(), minlength=256))
    assert numerics.entropy(counts) == pytest.approx(scipy.stats.entropy(counts, base=2))
    for share in (0.1, 0.5, 0.99):
        assert numerics.quantile_of(counts, share) == np.quantile(green, share, method="inverted_cdf")


def test_heat_is_dark_at_low_and_bright_at_high():
    picture = numerics.heat(np.array([[0.0, 1.0]], np.float32), 0.0, 1.0, (4, 8))
    assert picture.shape == (4, 8, 3)
    assert picture[0, 0].sum() < 20
    assert picture[0, -1].sum() > 500
