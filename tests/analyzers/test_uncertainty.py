import numpy as np
import pytest

from aiforensics.analyzers import Exhibit
from aiforensics.analyzers.uncertainty import Uncertainty, perturbed


def entropy(p):
    return float(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)))


def test_without_a_forecast_everything_is_zero(photo, measure):
    assert set(measure(Uncertainty(), photo).values()) == {0.0}


def test_a_steady_forecast_is_certain_of_its_changes(photo, measure):
    values = measure(Uncertainty(), photo, lambda _: np.array([0.2, 0.2]))
    assert values["available"] == 1.0
    assert values["entropy"] == pytest.approx(entropy(0.2))
    for name in ("mutual_information", "member_spread", "window_spread", "flip_change", "noise_change"):
        assert values[name] == pytest.approx(0.0, abs=1e-12)


def test_mutual_information_of_disagreeing_members(photo, measure):
    values = measure(Uncertainty(), photo, lambda _: np.array([0.1, 0.9]))
    assert values["entropy"] == pytest.approx(1.0)
    assert values["member_entropy"] == pytest.approx(entropy(0.1))
    assert values["mutual_information"] == pytest.approx(1.0 - entropy(0.1))
    assert values["member_spread"] == pytest.approx(np.log(9.0))


def test_one_forecast_per_window_and_two_more(photo_window):
    asked = []

    def forecast(pixels):
        asked.append(pixels)
        return np.array([0.5])

    Uncertainty().measure(Exhibit((photo_window,) * 4, forecast))
    assert len(asked) == 6
    assert all(p.dtype == np.uint8 and p.shape == (256, 256, 3) and p.flags.c_contiguous for p in asked)


def test_windows_that_differ(photo_window, frozen, photo):
    dark = frozen(photo // 4)
    values = Uncertainty().measure(Exhibit((photo_window, dark), lambda p: np.array([p.mean() / 255.0])))
    assert values["uncertainty.window_spread"] > 0.3


def test_sure_forecasts_stay_finite(photo, measure):
    values = measure(Uncertainty(), photo, lambda p: np.array([float(p[0, 0, 0] > p[0, -1, 0])]))
    assert values["flip_change"] == pytest.approx(2 * np.log(9999.0))


def test_perturbations_are_small(photo):
    changes = perturbed(photo)
    assert np.array_equal(changes["flip"][:, ::-1], photo)
    inner = (photo > 10) & (photo < 245)
    difference = changes["noise"].astype(float) - photo
    assert difference[inner].std() == pytest.approx(2.0, abs=0.1)


def test_a_narrow_picture_is_mirrored_before_it_is_extended(photo):
    narrow = np.ascontiguousarray(photo[:, :40])
    extended = np.pad(narrow, ((0, 0), (0, 24), (0, 0)), mode="symmetric")
    assert np.array_equal(perturbed(extended)["flip"][:, :40], narrow[:, ::-1])
