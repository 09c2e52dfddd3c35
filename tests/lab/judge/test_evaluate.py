"""Evaluation: matched conditions, files as found, the sweep, refused files; with detectors of known behaviour."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aiforensics.evidence import Finding, InputError, ModelRef, Provenance, Quality, ToolRef
from aiforensics.lab.data.dataset import DatasetError, Sample, load_dataset, thin
from aiforensics.lab.data.views import CLEAN, CONDITIONS, HALF, SWEEP
from aiforensics.lab.judge.detector import Prediction, ScannerDetector, deliver, predictor
from aiforensics.lab.judge.evaluate import HEADLINE, evaluate, panel
from aiforensics.pipeline import Scanner

CONTRACT = {
    *("accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "average_precision", "ece", "brier"),
    *("confusion_matrix", "per_source"),
}


def bright(pixels, path, label) -> None:
    """Makes `ai` pictures brighter, so that a detector can be right for a known reason, and saves them by label."""
    shifted = pixels // 2 + (110 if label == "ai" else 20)
    Image.fromarray(shifted.astype(np.uint8)).save(path.with_suffix(".jpg" if label == "real" else ".png"))


class Brightness:
    """Judges by brightness; the darker half of its range is `real`, and the middle is inconclusive."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []

    def score(self, picture) -> Prediction:
        self.seen.append((picture.format, picture.width, picture.height))
        p = float(np.clip((np.asarray(picture.image, float).mean() - 80) / 100, 0.01, 0.99))
        verdict = "ai" if p > 0.6 else "real" if p < 0.4 else "inconclusive"
        return Prediction(p, verdict, (p, p), "good" if picture.width > 60 else "poor")


class FileName:
    """A detector that cheats: it knows PNG from JPEG."""

    def score(self, picture) -> Prediction:
        return Prediction(0.9, "ai") if picture.format == "PNG" else Prediction(0.1, "real")


@pytest.fixture
def samples(make_folder):
    return load_dataset(make_folder(10, bright), need=())


def test_the_metrics_hold_the_contract_and_are_strict_json(samples) -> None:
    detector = Brightness()
    steps: list[tuple[int, int]] = []
    found = evaluate(samples, detector, draws=50, progress=lambda *step: steps.append(step))
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content.keys() >= CONTRACT
    assert content["condition"] == "matched"
    assert content["judgements"] == 4 * len(samples)
    for name in HEADLINE:
        low, high = content["intervals"][name]
        assert (low is None and high is None) or low <= content[name] <= high, name
    assert content["roc_auc"] > 0.95
    assert set(content["conditions"]) == {view.name for view in CONDITIONS}
    assert set(content["per_source"]) == {"real-one", "real-two", "ai-one", "ai-two"}
    assert set(content["per_generator"]) == {"ai-one", "ai-two"}
    assert content["as_found"]["judgements"] == len(samples)
    assert {level: row["judgements"] for level, row in content["conditions"]["half"]["by_quality"].items()} == {
        "poor": 40
    }
    assert steps[-1] == (200, 200)
    assert len(detector.seen) == 200


def test_detectors_see_delivered_files(samples) -> None:
    detector = Brightness()
    evaluate(samples, detector, (CLEAN, HALF), as_found=False, draws=10)
    assert set(detector.seen) == {("JPEG", 96, 96), ("JPEG", 48, 48)}
    one = deliver(samples[0], CLEAN)
    assert one.jpeg is not None
    assert one.jpeg.quality == 95
    assert one.jpeg.subsampling == "4:4:4"
    again = predictor(Brightness())(samples[:3], CLEAN)
    assert [p.p_ai for p in again] == [Brightness().score(deliver(s, CLEAN)).p_ai for s in samples[:3]]


def test_matching_unmasks_a_detector_of_files(samples) -> None:
    found = evaluate(samples, FileName(), draws=20)
    assert found.as_found is not None
    assert found.as_found.figures["roc_auc"].value == 1.0
    assert found.matched.figures["roc_auc"].value == 0.5
    assert found.matched.figures["detections"].value == 0.0


def test_a_sweep_whose_pictures_cannot_be_read_is_left_out(samples) -> None:
    for sample in thin(samples, 2):
        sample.path.write_bytes(b"no picture")
    found = evaluate(samples, Brightness(), (CLEAN,), sweep=(HALF,), sweep_pictures=2, as_found=False, draws=10)
    assert found.robustness == ()
    assert len(found.refused) == 2


def test_a_format_of_one_class_has_no_figures(samples) -> None:
    assert evaluate(samples, Brightness(), (CLEAN,), as_found=False, draws=10).by_format == {}


def test_a_format_of_both_classes_has_figures_of_its_own(make_folder) -> None:
    def mixed(pixels, path, label) -> None:
        bright(pixels, path, "real" if int(pixels.sum()) % 2 else "ai")

    both = load_dataset(make_folder(20, mixed), need=())
    found = evaluate(both, FileName(), draws=20).to_dict()["by_format"]
    assert set(found) == {"JPEG", "other"}
    assert sum(row[label] for row in found.values() for label in ("ai", "real")) == len(both)
    for row in found.values():
        assert set(row["roc_auc"]) == {view.name for view in CONDITIONS}
        assert all(one["value"] == 0.5 for one in row["roc_auc"].values())


def test_failures_are_the_most_wrong_pictures_worst_first(samples) -> None:
    content = evaluate(samples, Brightness(), draws=10).to_dict()
    for label, sign in (("real", -1), ("ai", 1)):
        rows = content["failures"][label]
        assert len(rows) == 8
        assert [sign * row["p_ai"] for row in rows] == sorted(sign * row["p_ai"] for row in rows)
        assert all(row["source"].startswith(label) and sum(row["verdicts"].values()) == 4 for row in rows)
    mean = {s.path.name: np.mean([Brightness().score(deliver(s, v)).p_ai for v in CONDITIONS]) for s in samples[:20]}
    worst = content["failures"][samples[0].label][0]
    assert worst["p_ai"] == pytest.approx(mean[worst["file"]], rel=1e-5)


def test_the_sweep_runs_on_an_even_share(samples) -> None:
    found = evaluate(samples, Brightness(), (CLEAN,), sweep=SWEEP, sweep_pictures=8, as_found=False, draws=10)
    content = found.to_dict()["robustness"]
    assert set(content) == {view.family for view in SWEEP}
    assert sum(len(points) for points in content.values()) == len(SWEEP)
    assert all(point["judgements"] == 8 for points in content.values() for point in points)


def test_figures_of_every_level_of_evidence() -> None:
    levels = ["good"] * 6 + ["limited"] * 3 + ["poor"]
    judged = [
        (
            Sample(Path(f"{i}.png"), "ai" if i % 2 else "real", "s", "", str(i), "test"),
            Prediction(i / 10, "inconclusive" if level == "poor" else "real", quality=level),
        )
        for i, level in enumerate(levels)
    ]
    found = panel("x", "x", judged, draws=5).by_quality
    assert {level: row["judgements"] for level, row in found.items()} == {"good": 6, "limited": 3, "poor": 1}
    assert {level: row["coverage"] for level, row in found.items()} == {"good": 1, "limited": 1, "poor": 0}


def test_thin_is_even_over_classes_and_sources(samples) -> None:
    few = thin(samples, 8, seed=3)
    assert sorted(s.source for s in few) == sorted(["real-one", "real-two", "ai-one", "ai-two"] * 2)
    assert thin(samples, 10**6) == samples
    skewed = [s for s in samples if s.source != "ai-two" or s.path.stem < "two002"]
    counts = [
        sum(s.source == source for s in thin(skewed, 16)) for source in ("real-one", "real-two", "ai-one", "ai-two")
    ]
    assert counts == [4, 4, 6, 2]


def test_refused_files_are_listed_and_the_rest_is_judged(samples) -> None:
    samples[0].path.write_bytes(b"not a picture")

    class Picky(Brightness):
        def score(self, picture) -> Prediction:
            if "two003" in picture.path:
                raise InputError("unsupported", "not this one")
            return super().score(picture)

    found = evaluate(samples, Picky(), (CLEAN,), draws=10)
    assert len(found.refused) == 3
    assert found.conditions[0].judgements == found.as_found.judgements == len(samples) - 3
    only_ai = [s for s in samples if s.label == "ai"]
    with pytest.raises(DatasetError, match="real one that can be judged"):
        evaluate([samples[0], *only_ai], Brightness(), draws=10)


def test_no_figure_depends_on_how_many_processes_judge(samples, tmp_path) -> None:
    torn = tmp_path / "torn.png"
    torn.write_bytes(samples[0].path.read_bytes()[:300])
    some = [*samples[:2], replace(samples[0], path=torn), *samples[-2:]]
    detector = ScannerDetector(Scanner())
    steps: list[tuple[int, int]] = []
    alone = evaluate(some, detector, (CLEAN,), draws=10)
    several = evaluate(some, detector, (CLEAN,), draws=10, workers=2, progress=lambda *step: steps.append(step))
    assert json.dumps(several.to_dict()) == json.dumps(alone.to_dict())
    assert [path for path, _ in several.refused] == [str(torn)]
    assert steps == [(2, 10), (4, 10), (6, 10), (8, 10), (10, 10)]


def test_the_pipeline_is_one_of_the_detectors(samples) -> None:
    class Fixed:
        def scan_bytes(self, data: bytes, path: str = "-") -> Finding:
            return Finding(
                path, "", len(data), "JPEG", 1, 1, "ai", 0.8, (0.7, 0.9), Quality("limited"), Provenance(), (), (),
                ModelRef("m", "1", ""), ToolRef("t", "1"), 0.0,
            )  # fmt: skip

    said = ScannerDetector(Fixed()).score(deliver(samples[0], HALF))
    assert said == Prediction(0.8, "ai", (0.7, 0.9), "limited")
