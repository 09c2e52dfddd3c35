"""What a bundle knows of its own training pictures."""

from __future__ import annotations

import pytest

from aiforensics.lab.data.dataset import DatasetError, load_dataset
from aiforensics.lab.data.overlap import FILE, drawn, record, seen
from aiforensics.lab.data.splits import SHARES
from aiforensics.lab.data.views import CLEAN
from aiforensics.lab.judge.detector import Prediction
from aiforensics.lab.judge.evaluate import evaluate
from aiforensics_models.bundle import Bundle


class Coin:
    """Says the same of every picture."""

    def score(self, _picture) -> Prediction:
        return Prediction(0.5, "inconclusive")


def test_judged_pictures_that_were_seen_in_training_are_counted(make_folder, tmp_path) -> None:
    samples = load_dataset(make_folder(10), need=())
    learned = [sample for sample in samples if sample.split != "test"]
    record(tmp_path, samples)
    assert (tmp_path / FILE).stat().st_size == 4 * len(learned)
    known = seen(Bundle(tmp_path, {"files": {FILE: ""}}, ""))
    (samples[0].path).write_bytes(b"no picture any more")  # what is refused is not judged
    found = evaluate(samples, Coin(), [CLEAN], of=77, seen=known, draws=2).to_dict()
    assert found["pictures"] == {"judged": 39, "of": 77}
    assert found["seen_in_training"] == len(learned) - (samples[0] in learned)
    test = [sample for sample in samples if sample.split == "test"]
    assert evaluate(test, Coin(), [CLEAN], seen=known, draws=2).seen_in_training == 0


def test_what_the_first_weights_had_seen_is_kept(make_folder, tmp_path) -> None:
    samples = load_dataset(make_folder(2), need=())
    record(tmp_path, samples, earlier=["00ff00ff"])
    assert "00ff00ff" in (seen(Bundle(tmp_path, {"files": {FILE: ""}}, "")) or ())
    assert (tmp_path / FILE).read_bytes()[:4] <= bytes.fromhex("00ff00ff"), "in ascending order"


def test_of_a_bundle_that_does_not_say_nothing_is_said(make_folder, tmp_path) -> None:
    assert seen(Bundle(tmp_path, {"files": {}}, "")) is None
    samples = load_dataset(make_folder(2), need=())
    assert evaluate(samples, Coin(), [CLEAN], draws=2).to_dict()["seen_in_training"] is None
    assert drawn({"training": {}}, 5) == drawn({}, 5) == (5, SHARES)


def test_the_split_is_the_bundles_own() -> None:
    stated = {"training": {"split": {"seed": 3, "shares": "60/20/20"}}}
    assert drawn(stated, 5) == (3, {"train": 0.6, "val": 0.2, "test": 0.2})
    with pytest.raises(DatasetError, match="shares"):
        drawn({"training": {"split": {"seed": 3, "shares": "most"}}}, 5)
