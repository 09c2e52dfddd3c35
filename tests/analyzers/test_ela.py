import numpy as np
import pytest

from aiforensics.analyzers.ela import ErrorLevel, resave_error
from aiforensics.analyzers.numerics import grey
from aiforensics.image import Window


def test_levels_follow_the_plain_definition(photo, photo_window, measure):
    values = measure(ErrorLevel(), photo)
    errors = {q: resave_error(grey(photo_window), q).astype(float) for q in (95, 85, 75)}
    assert values["mean_error"] == pytest.approx(np.mean([e.mean() for e in errors.values()]))
    assert values["level_85"] == pytest.approx(np.log10(errors[85].mean()))
    assert values["spread_85"] == pytest.approx(errors[85].std() / errors[85].mean(), rel=1e-6)
    assert values["unchanged_95"] == pytest.approx(np.mean(errors[95] == 0))


def test_a_second_save_at_the_same_quality_changes_little(photo, photo_window, jpeg, measure):
    fresh, saved = measure(ErrorLevel(), photo), measure(ErrorLevel(), jpeg(photo, 75))
    assert saved["level_75"] < fresh["level_75"] - 1.0
    assert saved["ratio_75_85"] < fresh["ratio_75_85"] - 0.5


def test_a_paste_lights_up_in_the_map(photo, jpeg, frozen):
    """Fresh detail pasted into a picture that was saved at quality 90 stands out where the background does not."""
    pasted = jpeg(photo, 90)
    pasted[96:160, 96:160] = np.random.default_rng(0).normal(128, 30, (64, 64, 3)).clip(0, 255)
    heat = ErrorLevel().map(frozen(pasted)).astype(float).mean(2)
    inside = np.zeros(heat.shape, bool)
    inside[96:160, 96:160] = True
    assert heat[inside].mean() > 2.0 * heat[~inside].mean()


def test_a_map_is_dark_all_over_where_the_last_save_was_at_its_quality(photo, jpeg, frozen):
    fresh, saved = (ErrorLevel().map(frozen(p)).astype(int).sum(2) for p in (photo, jpeg(jpeg(photo, 90), 90)))
    assert np.quantile(saved, 0.95) < np.quantile(fresh, 0.5), "its edges, too"
    assert "one saved before at that quality is dark all over" in ErrorLevel().card.map_key
    assert "in every picture" not in ErrorLevel().card.fooled_by + ErrorLevel().card.map_key


def test_a_strong_colour_alone_does_not_change():
    red = np.full((128, 128, 3), (10, 200, 30), np.uint8)
    assert ErrorLevel().map(Window(red)).max() <= 4
    assert "borders between strong colours" in ErrorLevel().card.fooled_by
