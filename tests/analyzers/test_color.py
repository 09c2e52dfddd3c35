import cv2
import numpy as np
import pytest
import scipy.ndimage
from skimage.color import rgb2hsv

from aiforensics.analyzers.color import Color, displacements


def bayer(photo):
    """A picture whose missing colours are interpolated bilinearly from an RGGB lattice."""
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]]
    masks = ((y % 2 == 0) & (x % 2 == 0), (y + x) % 2 == 1, (y % 2 == 1) & (x % 2 == 1))
    cross, full = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4, np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    planes = [
        cv2.filter2D(photo[:, :, i] * mask.astype(np.float32), -1, cross if i == 1 else full)
        for i, mask in enumerate(masks)
    ]
    return np.stack(planes, -1).clip(0, 255).round().astype(np.uint8)


def test_saturation_against_scikit_image(photo, measure):
    saturation = rgb2hsv(photo)[:, :, 1]
    values = measure(Color(), photo)
    assert values["saturation"] == pytest.approx(saturation.mean(), abs=0.003)
    assert values["saturation_spread"] == pytest.approx(saturation.std(), abs=0.003)
    assert values["vivid"] == pytest.approx(np.mean(saturation > 0.8), abs=0.01)
    assert values["link_rg"] == pytest.approx(np.corrcoef(photo[::2, ::2, :2].reshape(-1, 2).T)[0, 1], abs=1e-6)


@pytest.mark.parametrize("blur", [0.7, 1.0, 2.0])
@pytest.mark.parametrize("shift", [(0.0, 0.5), (-0.4, 0.2), (0.3, -0.1)])
def test_displacement_recovers_a_known_shift(photo, shift, blur):
    reference = cv2.GaussianBlur(photo[:, :, 1].astype(np.float32), (0, 0), blur)
    reference -= cv2.blur(reference, (15, 15))
    moved = scipy.ndimage.shift(reference, (shift[1], shift[0]), order=5, mode="reflect").astype(np.float32)
    (found,) = displacements([moved], reference)
    assert len(found) >= 4
    assert np.median(found, axis=0) == pytest.approx(shift, abs=0.03)


def test_moved_red_shows(photo, measure):
    moved = photo.copy()
    moved[:, 1:, 0] = photo[:, :-1, 0]
    plain, shifted = measure(Color(), photo), measure(Color(), moved)
    assert 10 ** shifted["shift_red"] == pytest.approx(1.0, abs=0.3)
    assert 10 ** plain["shift_red"] < 0.1
    assert shifted["shift_blue"] == plain["shift_blue"]


def test_demosaicing_leaves_its_lattice(photo, measure):
    camera, plain = measure(Color(), bayer(photo)), measure(Color(), photo)
    for name in ("lattice_green", "lattice_red", "lattice_blue"):
        assert camera[name] > plain[name] + 0.2
    resized = cv2.resize(bayer(photo), (180, 180), interpolation=cv2.INTER_AREA)
    assert measure(Color(), resized)["lattice_green"] < 0.05


def test_grey_has_no_colour(photo, measure):
    values = measure(Color(), photo[:, :, 1:2].repeat(3, 2))
    assert values["saturation"] == 0.0
    assert values["pale"] == 1.0
    assert values["hue_entropy"] == 0.0
    assert values["link_rg"] == pytest.approx(1.0)


def test_halved_chroma_shows(photo, jpeg, measure):
    assert measure(Color(), jpeg(photo, 95))["chroma_fine"] < measure(Color(), photo)["chroma_fine"] - 0.1


def test_a_displacement_is_told_up_to_a_pixel(photo, measure, meaning):
    moved = photo.copy()
    moved[..., 0], moved[..., 2] = np.roll(photo[..., 1], 1, axis=1), photo[..., 1]
    values = measure(Color(), moved)
    assert values["shift_red"] == pytest.approx(0.0, abs=0.1)
    assert values["shift_blue"] == -3.0
    assert "up to a pixel; -3: none" in meaning(Color(), "shift_red")
