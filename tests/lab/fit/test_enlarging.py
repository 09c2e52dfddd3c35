"""What tells enlarged pictures is fitted on pictures that were enlarged by a known factor."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sklearn")

from PIL import Image
from skimage import data

from aiforensics.analyzers import SCORED
from aiforensics.image import decode, from_array, read
from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.data.views import seeded
from aiforensics.lab.fit import enlarging
from aiforensics.lab.fit.enlarging import DRAWS, FILE, drawn, fit_enlargement
from aiforensics.pipeline import examined
from aiforensics_models.enlargement import MOST, Enlargement

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Windows of three photographs as six sources, three of each class."""
    folder, found = tmp_path_factory.mktemp("windows"), []
    for number, photo in enumerate(2 * (data.astronaut(), data.coffee(), data.chelsea())):
        for at in range(number // 3, 12, 2):
            path = folder / f"{number}-{at}.png"
            height, width = photo.shape[:2]
            y, x = (height - 250) * at // 11, (width - 250) * (11 - at) // 11
            Image.fromarray(photo[y : y + 250, x : x + 250]).save(path)
            found.append(Sample(path, "ai" if number % 2 else "real", f"photo{number}", "", path.stem, "train"))
    return found


def test_a_draw_is_what_it_says(samples):
    picture, sizes = read(samples[0].path), []
    for turn in range(200):
        encoded, octaves = drawn(picture, seeded(f"draw {turn}"))
        assert 0.0 <= octaves <= np.log2(MOST)
        sizes.append((decode(encoded).width / 248, octaves))
    larger = np.array([pair for pair in sizes if pair[0] > 1.01])
    np.testing.assert_allclose(np.log2(larger[:, 0]), larger[:, 1], atol=0.01)
    assert 0.15 < len(larger) / len(sizes) < 0.4
    others = np.array([octaves for size, octaves in sizes if size <= 1.01])
    assert (others > 0).any(), "blur and noise count as well"
    assert (others == 0).mean() > 0.4


def test_its_figures_are_of_draws_that_it_was_not_fitted_on(tmp_path, monkeypatch):
    rng, sources = np.random.default_rng(0), 6
    found = []
    for number in range(sources):
        path = tmp_path / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(path)
        found.append(Sample(path, "ai" if number % 2 else "real", f"s{number}", "", path.stem, "train"))
    rows = np.arange(sources * DRAWS, dtype=float)[:, None]
    octaves = np.tile([0.0, 0.5, 1.0, 1.5], sources)

    fits = []

    def fitted(some, _octaves, _seed):
        fits.append((set(some[:, 0]), judged := set()))
        return SimpleNamespace(predict=lambda others: judged.update(others[:, 0]) or np.zeros(len(others)))

    monkeypatch.setattr(enlarging, "side_by_side", lambda *_: [(rows, octaves)])
    monkeypatch.setattr(enlarging, "_fitted", fitted)
    monkeypatch.setattr(enlarging, "_save", lambda *_: None)
    fit_enlargement(found, tmp_path, workers=1, seed=0, report=lambda _line: None)
    everything = set(rows[:, 0])
    assert set.union(*(judged for _, judged in fits)) == everything
    for seen, judged in fits[:-1]:
        assert judged
        assert not {one // DRAWS for one in seen} & {one // DRAWS for one in judged}, "nor on others of their source"
    assert fits[-1] == (everything, set()), "what is written down is fitted on all, and judged on nothing"


def test_it_tells_enlarged_pictures_and_is_fitted_once(samples, tmp_path):
    lines = []
    entry = fit_enlargement(samples, tmp_path, workers=1, seed=0, report=lines.append)
    assert entry["file"] == FILE
    assert entry["pictures"] == len(samples)
    assert entry["found"] > 0.8
    assert entry["false"] < 0.5
    enlargement = Enlargement.load(tmp_path, entry, SCORED)
    photo = data.rocket()[100:348, 200:448]
    larger = np.asarray(Image.fromarray(photo).resize((744, 744), Image.Resampling.BICUBIC))
    seen, values = examined(from_array(larger), enlargement)
    assert 2.0 < seen.enlarged <= 4.0
    assert examined(from_array(photo), enlargement)[0].enlarged < seen.enlarged / 1.5
    assert values == examined(seen)[1], "it is the reduced picture that is measured"
    assert fit_enlargement(samples, tmp_path, workers=1, seed=0, report=lines.append) == entry
    assert len(lines) == 1
