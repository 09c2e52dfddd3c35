"""From a data set to bundles: audit, figures, card, comparison, Grad-CAM."""

import json
import re
import shutil
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from aiforensics.image import read  # noqa: E402
from aiforensics.lab import compare as comparing  # noqa: E402
from aiforensics.lab import making  # noqa: E402
from aiforensics.lab.audit.remarks import cue_remarks  # noqa: E402
from aiforensics.lab.audit.report import AuditReport  # noqa: E402
from aiforensics.lab.compare import Contest, compare, write_comparison  # noqa: E402
from aiforensics.lab.data.dataset import load_dataset  # noqa: E402
from aiforensics.lab.data.views import CLEAN  # noqa: E402
from aiforensics.lab.drafts import TrainingError, check_output, publish  # noqa: E402
from aiforensics.lab.fit.classifiers import train_classifier  # noqa: E402
from aiforensics.lab.judge.detector import Prediction  # noqa: E402
from aiforensics.lab.judge.metrics import Figure  # noqa: E402
from aiforensics.lab.making import Job, check_data, classification_report  # noqa: E402
from aiforensics.lab.retraining import retrained  # noqa: E402
from aiforensics.lab.systems import System, fusion_config  # noqa: E402
from aiforensics.lab.train.batches import audited_view  # noqa: E402
from aiforensics.lab.train.recipes import RecipeError, recipe, settings  # noqa: E402
from aiforensics_models.bundle import Bundle, write_manifest  # noqa: E402

pytestmark = pytest.mark.train
CHANCE = Figure(0.5, 0.45, 0.55)
CONFIG = settings(recipe("cnn"), side=32, batch=8, epochs=1, seed=1)


def test_the_bundle_carries_figures_and_card(made):
    folder, metrics, _ = made
    bundle = Bundle.load(folder / "mine")  # checks every sha256
    assert {"metrics.json", "CARD.md", "network.onnx", "network.safetensors"} <= set(bundle.manifest["files"])
    kept = json.loads((folder / "mine" / "metrics.json").read_text())
    wanted = (
        "accuracy balanced_accuracy precision recall f1 roc_auc average_precision ece brier confusion_matrix per_source"
    )
    for key in wanted.split():
        assert kept[key] == metrics[key]
        assert key in ("confusion_matrix", "per_source") or len(kept["intervals"][key]) == 2
    assert bundle.manifest["metrics"]["test"]["roc_auc"] == metrics["roc_auc"]
    assert bundle.manifest["training"]["generators"] == {"gen-0": 22 // 2, "gen-1": 22 // 2}
    assert kept["pictures"] == {"judged": 20, "of": 20}
    assert kept["seen_in_training"] == 0
    assert bundle.manifest["training"]["split"] == {"seed": 7, "shares": "60/20/20"}
    assert "seconds" not in bundle.manifest["training"]
    card = (folder / "mine" / "CARD.md").read_text()
    for words in ("aiforensics train old --out mine", "ai-0", "real-1", "gen-0", "What not to use it for", "## Limits"):
        assert words in card
    assert f"**{metrics['roc_auc']:.3f}**" in card
    assert str(folder) not in card + (folder / "mine" / "bundle.json").read_text()


def test_the_work_folder_has_history_plots_and_reports(made):
    folder, _, lines = made
    names = {path.name for path in (folder / "work").iterdir()}
    wanted = {"audit.json", "history.json", "history.png", "augmentation.png", "evaluation.html", "metrics.json"}
    assert wanted | {"confusion-matched.png", "classification-as-found.txt"} <= names
    assert any(line.startswith("judging: ") for line in lines)


def test_leaks_and_duplicates_are_refused_unless_forced(tmp_path, old, make_set):
    system = System(recipe("cnn"), CONFIG)
    leaking = load_dataset(make_set(tmp_path / "leak", ai_quality=30))
    job = Job(tmp_path / "out", tmp_path / "work")
    job.work.mkdir()
    with pytest.raises(TrainingError, match=r"--augment delivery.*--force"):
        check_data(leaking, job, system.view, lambda _line: None)
    lines = []
    check_data(leaking, replace(job, force=True), system.view, lines.append)
    assert any("done already" in line for line in lines)
    assert any(line.startswith("forced, although") for line in lines)
    leak = Figure(0.9, 0.8, 1.0)
    for size, words in ((leak, r"bring both classes to one size, larger than the view"), (CHANCE, r"--augment deliv")):
        prepared = AuditReport(
            {}, {"size": size}, remarks=tuple(cue_remarks({"size": size, "all": leak}, prepared=True))
        )
        lines = making._refusals(AuditReport({}, {}), prepared)
        assert re.search(words, lines[-1])
        assert ("--augment" in " ".join(lines)) is (size is CHANCE), "who delivers already need not be told to"
    twice = [*old, replace(old[0], split="test")]
    grouped = [replace(old[0], group=old[31].group), *old[1:]]
    assert (grouped[0].split, grouped[31].split) == ("train", "test")
    for contaminated in (twice, grouped):
        with pytest.raises(TrainingError, match="several splits"):
            check_data(contaminated, job, system.view, lambda _line: None)


def test_an_audit_is_done_again_where_view_seed_data_or_a_file_changed(tmp_path, make_set):
    samples = load_dataset(make_set(tmp_path / "data"))
    job = Job(tmp_path / "out", tmp_path / "work", force=True)
    job.work.mkdir()
    plain, delivered = (partial(audited_view, on) for on in (False, True))

    def audits(samples, job, view):
        lines = []
        check_data(samples, job, view, lines.append)
        return any(line.startswith("auditing") for line in lines)

    assert audits(samples, job, plain)
    assert not audits(samples, job, partial(audited_view, False)), "the same view, made anew"
    assert audits(samples, job, delivered)
    assert audits(samples, replace(job, seed=1), delivered)
    regrouped = [replace(samples[0], group="other"), *samples[1:]]
    assert audits(regrouped, replace(job, seed=1), delivered)
    assert not audits(regrouped, replace(job, seed=1), delivered)
    Image.new("RGB", (40, 40), "red").save(samples[0].path)
    assert audits(regrouped, replace(job, seed=1), delivered)


def test_a_folder_that_is_no_bundle_is_left_alone(tmp_path, made):
    check_output(made[0] / "mine")
    check_output(tmp_path / "new")
    (tmp_path / "notes.txt").write_text("keep me")
    with pytest.raises(TrainingError, match="holds no bundle"):
        check_output(tmp_path)
    with pytest.raises(TrainingError, match="is a file"):
        check_output(tmp_path / "notes.txt")


def test_compare_judges_all_on_the_same_pictures(old, made, tmp_path):
    torch.set_num_threads(1)
    scratch = settings(recipe("scratch-cnn-numpy"), epochs=1, batch=8)
    systems = [System(recipe("cnn"), CONFIG), System(recipe("scratch-cnn-numpy"), scratch)]
    job = Job(tmp_path, tmp_path, ["old"], "aiforensics compare old", force=True)
    twin = shutil.copytree(made[0] / "mine", tmp_path / "twin")
    stated = {k: v for k, v in Bundle.load(twin).manifest.items() if k not in ("schema", "files")}
    write_manifest(twin, {**stated, "note": "the same, and yet another"})
    bundles = [str(made[0] / "mine"), str(twin), str(made[0] / "mine")]
    content = compare(old, Contest(systems, bundles, sensitivity=False), job)
    write_comparison(content, tmp_path)
    sums = [Bundle.load(path).sha256[:6] for path in (made[0] / "mine", twin)]
    assert set(content["entries"]) == {"cnn", "scratch-cnn-numpy", *(f"mine {one} (bundle)" for one in sums)}
    assert len(list(tmp_path.glob("bundle-mine_*"))) == 2
    card = (tmp_path / "cnn" / "bundle" / "CARD.md").read_text()
    assert "(20 pictures)" in card
    for name, title in (("cnn", "cnn"), *((f"bundle-mine_{one}", f"mine {one}") for one in sums)):
        assert f"{title} on the split test" in (tmp_path / name / "evaluation.html").read_text()
    for entry in content["entries"].values():
        assert entry["as_found"]["judgements"] == 20
        assert entry["parameters"] > 0
        assert entry["milliseconds"] > 0
    page = (tmp_path / "comparison.html").read_text()
    assert "scratch-cnn-numpy" in page
    assert "<script" not in page
    assert json.loads((tmp_path / "metrics.json").read_text())["schema"] == "aiforensics.comparison/1"


def test_a_comparison_tells_what_could_not_be_judged(torn, made, tmp_path):
    lines, job = [], Job(tmp_path, tmp_path, ["torn"])
    content = compare(torn, Contest([], [str(made[0] / "mine")]), job, lines.append)
    assert content["settings"]["test"] == "17"
    start = "mine (bundle): 3 of the 20 test pictures cannot be judged and are left out; the"
    assert any(line.startswith(start) for line in lines)
    write_comparison(content, tmp_path)
    page = (tmp_path / "comparison.html").read_text()
    assert "judged on the same 17 test pictures (3 could not be judged and are left out);" in page


def test_the_time_of_a_judgement_is_the_detectors_own(old, made, tmp_path, monkeypatch):
    class Slow:
        def score(self, _picture):
            time.sleep(0.02)
            return Prediction(0.5, "inconclusive")

    def late(*_args, **_knobs):
        time.sleep(3)

    monkeypatch.setattr(comparing, "open_detector", lambda _folder: Slow())
    monkeypatch.setattr(making, "evaluation_page", late)
    few = [one for one in old if one.group in ("ai22", "real22")]
    content = compare(few, Contest([], [str(made[0] / "mine")]), Job(tmp_path, tmp_path))
    (entry,) = content["entries"].values()
    assert 19 < entry["milliseconds"] < 60


def test_a_contest_of_nothing_or_of_a_recipe_twice_is_refused():
    one = System(recipe("cnn"), CONFIG)
    with pytest.raises(RecipeError, match="nothing to compare"):
        Contest([])
    with pytest.raises(RecipeError, match="cnn is named twice"):
        Contest([one, one])


def test_a_comparison_refuses_a_fusion_of_too_few_sources_before_it_trains_anything(old, tmp_path):
    fusion = System(recipe("fusion-xgboost"), fusion_config(recipe("fusion-xgboost")))
    lines, alone = [], [replace(one, source="", generator="") for one in old]
    with pytest.raises(RecipeError, match="there are 1 and 1"):
        compare(alone, Contest([System(recipe("cnn"), CONFIG), fusion]), Job(tmp_path, tmp_path), lines.append)
    assert not lines


def test_a_classifier_is_fitted_again_for_leave_one_source_out(old, made, tmp_path):
    torch.set_num_threads(1)
    fit = retrained(Bundle.load(made[0] / "mine").manifest, tmp_path)
    train = [sample for sample in old if sample.split != "test" and sample.source != "ai-1"]
    test = [sample for sample in old if sample.split == "test"][:4]
    found = fit(train)(test, CLEAN)
    assert [0 <= one.p_ai <= 1 for one in found] == [True] * 4
    (kept,) = tmp_path.glob("*/bundle/bundle.json")
    assert "ai-1" not in json.loads(kept.read_text())["training"]["sources"]["ai"]


def test_gradcam_maps_any_bundle(old, made):
    pytest.importorskip("pytorch_grad_cam")
    from aiforensics_models.gradcam import GradCam

    look = GradCam(Bundle.load(made[0] / "mine"))
    pixels = read(old[0].path).windows[0].pixels
    before = pixels.copy()
    found = look(pixels)
    assert found.ndim == 2
    assert found.dtype == np.float32
    assert float(np.abs(found).max()) <= 1
    assert found.any()
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(look(pixels), found)


def test_gradcam_works_where_the_body_is_frozen(old, tmp_path):
    pytest.importorskip("pytorch_grad_cam")
    from aiforensics_models.gradcam import GradCam

    torch.set_num_threads(1)
    config = settings(recipe("resnet18-frozen"), weights="none", epochs=1, batch=8)
    train_classifier(old, tmp_path / "b", tmp_path / "w", config, recipe="resnet18-frozen")
    assert np.isfinite(GradCam(Bundle.load(tmp_path / "b"))(read(old[-1].path).windows[0].pixels)).all()


def test_the_classification_report_adds_up():
    text = classification_report({"real": {"real": 8, "ai": 2}, "ai": {"real": 1, "ai": 9}})
    assert "0.850" in text.splitlines()[-1]
    assert text.splitlines()[2].split() == ["ai", "0.818", "0.900", "0.857", "10"]


def test_a_new_bundle_replaces_the_files_of_the_old_one_alone(made, tmp_path):
    shutil.copytree(made[0] / "mine", tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("of its owner")
    draft = shutil.copytree(made[0] / "mine", tmp_path / "draft")
    (draft / "seen.bin").rename(draft / "later.bin")
    publish(draft, tmp_path / "out")
    there = {path.name for path in (tmp_path / "out").iterdir()}
    assert there == {path.name for path in draft.iterdir()} | {"notes.txt"}
