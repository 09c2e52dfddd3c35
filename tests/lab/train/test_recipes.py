"""The registry of recipes: names, settings and first weights."""

import hashlib

import pytest

pytest.importorskip("torch")

from aiforensics.lab.train.learners import make_learner
from aiforensics.lab.train.recipes import RECIPES, RecipeError, first_weights, recipe, settings

pytestmark = pytest.mark.train


class TestRecipes:
    """The registry."""

    def test_names_are_unique_and_sourced(self):
        names = [one.name for one in RECIPES]
        assert len(set(names)) == len(names)
        for one in RECIPES:
            assert one.what and one.reported and one.source
            assert (one.defaults is None) != (one.head is None)

    def test_reported_hyper_parameters_are_the_defaults(self):
        found = recipe("resnet18-scratch").defaults
        assert (found.rate, found.batch, found.patience, found.augment) == (5e-4, 16, 3, ("flip",))

    def test_first_weights_are_stated_by_name_and_sum(self, tmp_path):
        assert first_weights("imagenet") == {"weights": "imagenet"}
        (tmp_path / "mine.safetensors").write_bytes(b"mine")
        sha256 = hashlib.sha256(b"mine").hexdigest()
        found = first_weights(str(tmp_path / "mine.safetensors"))
        assert found == {"weights": "mine.safetensors", "weights_sha256": sha256}

    def test_wrong_settings_are_one_line(self):
        with pytest.raises(RecipeError, match="choose from fusion-xgboost"):
            recipe("nope")
        with pytest.raises(RecipeError, match="not a classifier"):
            settings(recipe("fusion-deep"), rate=1)
        with pytest.raises(RecipeError, match="unknown setting 'speed'"):
            settings(recipe("cnn"), speed=1)
        with pytest.raises(RecipeError, match="rate and epochs must be positive"):
            settings(recipe("cnn"), rate=-1.0)
        with pytest.raises(RecipeError, match="batch at least 2"):
            settings(recipe("cnn"), batch=1)
        with pytest.raises(RecipeError, match="--filters is not for cnn"):
            settings(recipe("cnn"), filters=4)
        with pytest.raises(RecipeError, match="--weight-decay is not for scratch-cnn-numpy"):
            settings(recipe("scratch-cnn-numpy"), weight_decay=0.1)
        with pytest.raises(RecipeError, match="multiple of 32"):
            make_learner(settings(recipe("cnn"), side=40))
