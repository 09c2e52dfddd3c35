import cv2
import numpy as np
import pytest

from aiforensics.analyzers import Exhibit
from aiforensics.analyzers.lighting import Lighting, illuminants, slopes


def ramp(dx, dy):
    y, x = np.mgrid[:256, :256]
    plane = 128 + 0.3 * (dx * (x - 128) + dy * (y - 128))
    return plane.clip(0, 255).astype(np.uint8)[:, :, None].repeat(3, 2)


@pytest.mark.parametrize(("dx", "dy"), [(1, 0), (0, -1), (0.6, 0.8)])
def test_arrows_point_to_the_light(frozen, measure, dx, dy):
    inner = slopes(frozen(ramp(dx, dy)).luma)[1:3, 1:3].reshape(-1, 2)
    assert inner == pytest.approx(np.tile([0.3 * dx, 0.3 * dy], (4, 1)), abs=0.01)
    assert measure(Lighting(), ramp(dx, dy))["direction_agreement"] > 0.99


def test_two_lights_disagree(frozen, measure):
    both = np.hstack([ramp(1, 0)[:, :128], ramp(-1, 0)[:, 128:]])
    assert measure(Lighting(), both)["direction_agreement"] < 0.2
    values = Lighting().measure(Exhibit((frozen(ramp(1, 0)), frozen(ramp(-1, 0)))))
    assert values["lighting.window_agreement"] < 0.05
    assert values["lighting.direction_agreement"] > 0.99


def test_colour_of_the_light(measure):
    rng = np.random.default_rng(1)
    white = cv2.GaussianBlur(rng.integers(0, 256, (256, 256, 1), np.uint8).repeat(3, 2), (0, 0), 1.0).astype(float)
    tint = np.array([1.0, 0.6, 0.3])
    parts, whole = illuminants((white * tint).astype(np.uint8))
    assert whole == pytest.approx(tint / np.linalg.norm(tint), abs=0.02)
    assert parts == pytest.approx(np.broadcast_to(whole, (4, 4, 3)), abs=0.05)
    mixed = white.copy()
    mixed[:, :128] *= tint
    assert measure(Lighting(), mixed.astype(np.uint8))["illuminant_worst"] > 15.0
    assert measure(Lighting(), white.astype(np.uint8))["illuminant_worst"] < 1.0


def test_shadow_keeps_the_ratios_and_paint_does_not(measure):
    ground = np.full((256, 256, 3), (200, 160, 120), float)
    shadow, paint = ground.copy(), ground.copy()
    shadow[:, 128:] *= 0.4
    paint[:, 128:] = (60, 150, 220)
    shaded, painted = (measure(Lighting(), p.round().astype(np.uint8)) for p in (shadow, paint))
    assert shaded["shadow_share"] > 0.95
    assert shaded["shadow_agreement"] > 0.99
    assert painted["shadow_share"] < 0.05
    soft = measure(Lighting(), cv2.GaussianBlur(shadow, (0, 0), 3.0).round().astype(np.uint8))
    assert soft["shadow_softness"] < shaded["shadow_softness"]


def test_slopes_around_a_sphere_under_one_sun_cancel_and_the_card_says_so(measure, meaning):
    y, x = (np.mgrid[:256, :256] - 128.0) / 110.0
    depth = np.sqrt(np.maximum(1.0 - x * x - y * y, 0.0))
    sphere = 20.0 + 200.0 * np.where(depth > 0, np.clip(-0.6 * x - 0.6 * y + 0.53 * depth, 0.0, 1.0), 0.0)
    assert measure(Lighting(), sphere[:, :, None].repeat(3, 2))["direction_agreement"] < 0.01
    assert "the slopes cancel, however it is lit" in Lighting().card.looks_for
    assert "direction of light" not in meaning(Lighting(), "direction_agreement")


def test_an_agreement_of_one_is_also_that_of_no_slope_and_the_meaning_says_so(measure, meaning):
    assert measure(Lighting(), np.full((256, 256, 3), 90, np.uint8))["direction_agreement"] == 1.0
    assert meaning(Lighting(), "direction_agreement").endswith("1 is one direction, or no slope")
