"""From a data set to bundles: audit, figures, card, comparison, adaptation, Grad-CAM."""

import io
import json
import re
import shutil
import time
from dataclasses import asdict, replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

torch = pytest.importorskip("torch")

from aiforensics.image import read  # noqa: E402
from aiforensics.lab import adapting, making  # noqa: E402
from aiforensics.lab import compare as comparing  # noqa: E402
from aiforensics.lab.adapting import Adaptation, AdaptError, adapt  # noqa: E402
from aiforensics.lab.audit.remarks import cue_remarks  # noqa: E402
from aiforensics.lab.audit.report import AuditReport  # noqa: E402
from aiforensics.lab.compare import Contest, compare, write_comparison  # noqa: E402
from aiforensics.lab.data import overlap  # noqa: E402
from aiforensics.lab.data.dataset import DatasetError, load_dataset  # noqa: E402
from aiforensics.lab.data.sums import sum_of  # noqa: E402
from aiforensics.lab.data.views import CLEAN  # noqa: E402
from aiforensics.lab.fit.classifiers import train_classifier  # noqa: E402
from aiforensics.lab.fit.knobs import FusionConfig  # noqa: E402
from aiforensics.lab.judge.detector import Prediction  # noqa: E402
from aiforensics.lab.judge.metrics import Figure  # noqa: E402
from aiforensics.lab.making import (  # noqa: E402
    Job,
    TrainingError,
    check_data,
    check_output,
    classification_report,
    make_bundle,
    publish,
)
from aiforensics.lab.refit import refit  # noqa: E402
from aiforensics.lab.systems import System, fusion_config  # noqa: E402
from aiforensics.lab.train.batches import audited_view  # noqa: E402
from aiforensics.lab.train.recipes import RecipeError, recipe, settings  # noqa: E402
from aiforensics_cli.show import show_manifest  # noqa: E402
from aiforensics_models.bundle import Bundle, write_manifest  # noqa: E402
from aiforensics_models.lineage import ever  # noqa: E402

pytestmark = pytest.mark.train
CHANCE = Figure(0.5, 0.45, 0.55)
FOUND = dict.fromkeys(adapting.FIGURES, 0.5) | {"pictures": {"judged": 20, "of": 20}}
CONFIG = settings(recipe("cnn"), side=32, batch=8, epochs=1, seed=1)


def make_set(folder, period=4, *, ai_quality=None, seed=0):
    """12 + 10 + 10 noise pictures a class with a manifest; the AI ones carry a grid."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    lines = ["file,label,source,generator,group,split"]
    for label in ("real", "ai"):
        for i in range(32):
            pixels = np.full((40, 40, 3), rng.integers(60, 180, 3)) + rng.normal(0, 8, (40, 40, 3))
            pixels[::period] += 50 * (label == "ai")
            image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            name = f"{label}{i}.{'jpg' if label == 'ai' and ai_quality else 'png'}"
            image.save(folder / name, **({"quality": ai_quality} if name.endswith("jpg") else {}))
            split = "train" if i < 12 else "val" if i < 22 else "test"
            generator = f"gen-{i % 2}" if label == "ai" else ""
            lines.append(f"{name},{label},{label}-{i % 2},{generator},{label}{i},{split}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    return load_dataset(make_set(tmp_path_factory.mktemp("data") / "old"))


@pytest.fixture(scope="module")
def made(old, tmp_path_factory):
    """A bundle made the whole way: folder, work folder, figures, lines of progress."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("made")
    lines = []
    command = "aiforensics train old --out mine"
    drawn = {"split": "60/20/20", "drawn_by": 7}
    job = Job(folder / "mine", folder / "work", ["old"], command, force=True, test_pictures=20, **drawn)
    system = System(recipe("cnn"), CONFIG)
    metrics = make_bundle(old, job, system.trainer(old, "mine", lines.append), system.view, lines.append)
    return folder, metrics, lines


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


def test_leaks_and_duplicates_are_refused_unless_forced(tmp_path, old):
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


def test_an_audit_is_done_again_where_view_seed_data_or_a_file_changed(tmp_path):
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


@pytest.fixture
def torn(tmp_path):
    """A set that was read before three of its 20 test pictures were damaged."""
    samples = load_dataset(make_set(tmp_path / "torn", seed=7))
    for sample in [one for one in samples if one.split == "test"][:3]:
        sample.path.write_bytes(b"no picture")
    return samples


def test_a_comparison_tells_what_could_not_be_judged(torn, made, tmp_path):
    lines, job = [], Job(tmp_path, tmp_path, ["torn"])
    content = compare(torn, Contest([], [str(made[0] / "mine")]), job, lines.append)
    assert content["settings"]["test"] == "17"
    assert any(line.startswith("3 of the 20 test pictures cannot be judged and are left out; the") for line in lines)
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


def test_an_adaptation_tells_what_could_not_be_judged(old, torn, made, tmp_path):
    torch.set_num_threads(1)
    lines, job = [], Job(tmp_path / "out", tmp_path / "work")
    mine, how = made[0] / "mine", Adaptation("head", epochs=1)
    content = adapt(mine, old, torn, how, job, lines.append, audited=True)
    assert sum(line.startswith("old domain: 3 of the 20 test pictures cannot be judged") for line in lines) == 2
    for when in ("before", "after"):
        found = content["domains"]["old"][when]
        assert (found["pictures"], len(found["refused"])) == ({"judged": 17, "of": 20}, 3)
        assert content["domains"]["new"][when]["refused"] == []
    card = (job.out / "CARD.md").read_text()
    assert "Of the 20 test pictures of the old domain, 17 were judged; the others could not be." in card
    assert "of the new domain, " not in card
    for sample in torn:
        if sample.label == "ai":
            sample.path.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="is a ai one that can be judged"):
        adapt(mine, old, torn, how, job, audited=True)


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


@pytest.mark.parametrize("strategy", ["head", "full"])
def test_adapt_measures_both_domains(strategy, old, made, tmp_path):
    torch.set_num_threads(1)
    new = load_dataset(make_set(tmp_path / "new", period=3, seed=5))
    lines = []
    job = Job(tmp_path / "adapted", tmp_path / "work", ["new"], "aiforensics adapt", seed=7)
    shutil.copytree(made[0] / "mine", job.out)
    (job.out / "head.ubj").write_bytes(b"the head of the bundle that was here")
    here = Bundle.load(job.out).manifest
    write_manifest(job.out, {key: value for key, value in here.items() if key not in ("schema", "files")})
    content = adapt(made[0] / "mine", new, old, Adaptation(strategy, epochs=1), job, lines.append)
    assert set(content["domains"]) == {"new", "old"}
    assert not any("test pictures of the old data" in line for line in lines)
    before, after = content["domains"]["old"]["before"], content["domains"]["old"]["after"]
    assert content["forgetting"]["accuracy"] == pytest.approx(before["accuracy"] - after["accuracy"])
    bundle = Bundle.load(tmp_path / "adapted")
    assert bundle.manifest["adapted"]["from"] == "mine"
    assert bundle.manifest["adapted"]["strategy"] == strategy
    assert "remarks" not in bundle.manifest["adapted"]
    told, before = bundle.manifest["adapted"], Bundle.load(made[0] / "mine").manifest["training"]
    assert (told["command"], told["data"], told["seed"]) == ("aiforensics adapt", ["new"], 7)
    assert told["sources"] == bundle.manifest["training"]["sources"]
    assert told["training_before"] == before
    training = bundle.manifest["training"]
    assert (training["command"], training["config"]["seed"]) == ("aiforensics adapt", 7)
    assert overlap.seen(bundle) == {sum_of(s.path)[: overlap.DIGITS] for s in (*old, *new) if s.split != "test"}
    assert {path.name for path in job.out.iterdir()} == {*bundle.manifest["files"], "bundle.json"}
    assert "head.ubj" not in bundle.manifest["files"], "nothing of the old bundle stays"
    card = (job.out / "CARD.md").read_text()
    assert f"adapted with the strategy `{strategy}`" in card
    assert f"| accuracy | {content['domains']['new']['before']['accuracy']:.3f} |" in card
    from safetensors.numpy import load_file

    mine, first = (load_file(f / "network.safetensors") for f in (tmp_path / "adapted", made[0] / "mine"))
    moved = {name.split(".")[0] for name in mine if not np.array_equal(mine[name], first[name])}
    assert moved == ({"head"} if strategy == "head" else {"head", "body"})


def test_forgetting_is_measured_on_pictures_that_are_not_learned(old, made, tmp_path):
    """Of the old test pictures half are among the new data, which draws a split of its own."""
    torch.set_num_threads(1)
    new = load_dataset(make_set(tmp_path / "new", period=3, seed=5))
    again = [replace(one, split="train") for one in old if one.split == "test" and int(one.path.stem[-1]) % 2]
    job, lines = Job(tmp_path / "out", tmp_path / "work"), []
    how = Adaptation("head", epochs=1)
    content = adapt(made[0] / "mine", [*new, *again], old, how, job, lines.append, audited=True)
    assert len(again) == 10
    for when in ("before", "after"):
        assert content["domains"]["old"][when]["pictures"] == {"judged": 10, "of": 10}
    assert content["held_out"] == {"new": {"pictures": 20, "of": 20}, "old": {"pictures": 10, "of": 20}}
    assert Bundle.load(job.out).manifest["adapted"]["held_out"] == content["held_out"]
    assert any(line.startswith("mind: 10 of the 20 test pictures of the old data are left out") for line in lines)
    card = (job.out / "CARD.md").read_text()
    assert "Of the 20 test pictures of the old domain, 10 were left out: the bundle had learned from" in card
    assert "of the new domain, " not in card


def test_a_domain_whose_test_pictures_were_all_learned_is_refused_before_any_training(old, made, tmp_path, monkeypatch):
    monkeypatch.setattr(adapting, "train_classifier", lambda *_, **__: 1 / 0)
    swapped = [replace(one, split={"train": "test", "test": "train"}.get(one.split, one.split)) for one in old]
    with pytest.raises(DatasetError, match="mine had learned from every real test picture of the old data"):
        adapt(made[0] / "mine", old, swapped, Adaptation("head"), Job(tmp_path / "o", tmp_path / "w"), audited=True)


def test_a_classifier_is_fitted_again_for_leave_one_source_out(old, made, tmp_path):
    torch.set_num_threads(1)
    fit = refit(Bundle.load(made[0] / "mine").manifest, tmp_path)
    train = [sample for sample in old if sample.split != "test" and sample.source != "ai-1"]
    test = [sample for sample in old if sample.split == "test"][:4]
    found = fit(train)(test, CLEAN)
    assert [0 <= one.p_ai <= 1 for one in found] == [True] * 4
    (kept,) = tmp_path.glob("*/bundle/bundle.json")
    assert "ai-1" not in json.loads(kept.read_text())["training"]["sources"]["ai"]


def test_full_adaptation_needs_the_old_data(old, made, tmp_path):
    with pytest.raises(AdaptError, match="give --old DATA"):
        adapt(made[0] / "mine", old, None, Adaptation("full"), Job(tmp_path / "a", tmp_path / "w"))


def test_an_adaptation_that_fails_leaves_the_bundles_alone(old, made, tmp_path, monkeypatch):
    def fail(*_args, **_knobs):
        raise KeyboardInterrupt

    monkeypatch.setattr(adapting, "train_classifier", fail)
    monkeypatch.setattr(adapting, "judged", lambda *_: {})
    shutil.copytree(made[0] / "mine", tmp_path / "work" / "bundle")
    shutil.copytree(made[0] / "mine", tmp_path / "out")
    source, how = tmp_path / "work" / "bundle", Adaptation("head", epochs=1)
    with pytest.raises(AdaptError, match="is the bundle that is adapted: name another folder"):
        adapt(source, old, None, how, Job(source / ".." / "bundle", tmp_path / "w"), audited=True)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("keep me")
    with pytest.raises(TrainingError, match="holds no bundle"):
        adapt(source, old, None, how, Job(tmp_path / "notes", tmp_path / "w"), audited=True)
    with pytest.raises(KeyboardInterrupt):
        adapt(source, old, None, how, Job(tmp_path / "out", tmp_path / "work"), audited=True)
    for folder in (source, tmp_path / "out"):
        assert Bundle.load(folder).sha256 == Bundle.load(made[0] / "mine").sha256


@pytest.fixture
def fusion(made, tmp_path, monkeypatch):
    """A folder that passes for a fusion's bundle, which nobody asks for figures."""
    source = shutil.copytree(made[0] / "mine", tmp_path / "fusion")
    (source / "head.ubj").write_bytes(b"trees")
    manifest = {key: value for key, value in Bundle.load(source).manifest.items() if key not in ("schema", "files")}
    training = manifest["training"] | {"config": asdict(FusionConfig()), "weights": "first.safetensors"}
    head = {"kind": "xgboost", "file": "head.ubj"}
    write_manifest(source, {**manifest, "recipe": "fusion-xgboost", "head": head, "training": training})
    monkeypatch.setattr(adapting, "open_detector", lambda _model: None)
    monkeypatch.setattr(adapting, "judged", lambda *_: {"old": FOUND})
    return source


def test_a_fusion_with_another_head_says_what_made_which_part(old, fusion, tmp_path, monkeypatch):
    def save(folder):
        (folder / "head.ubj").write_bytes(b"other trees")
        mix = {"embedding": 0.0, "handcrafted": 1.0, "offset": 0.0}
        return {"kind": "xgboost", "file": "head.ubj", "mix": mix}

    stack = SimpleNamespace(save=save)
    calibration = Bundle.load(fusion).calibration
    monkeypatch.setattr(adapting, "measure_all", lambda *_args, **_knobs: None)
    monkeypatch.setattr(adapting, "fit", lambda *_, **_kept: (stack, calibration, {"roc_auc": {}}))
    monkeypatch.setattr(adapting.Kept, "of", lambda _bundle: None)
    job, lines = Job(tmp_path / "out", tmp_path / "work", ["new"], "aiforensics adapt", seed=3), []
    named = {"gen-0": "biggan", "gen-1": "midjourney", "": ""}
    new = [replace(one, source=f"new-{one.source}", generator=named[one.generator]) for one in old]
    adapt(fusion, new, None, Adaptation("head"), job, lines.append, audited=True)
    manifest, before = Bundle.load(job.out).manifest, Bundle.load(fusion).manifest["training"]
    training = manifest["training"]
    assert (training["command"], training["data"], training["head_only"]) == ("aiforensics adapt", ["new"], True)
    assert (training["config"]["seed"], training["weights"]) == (3, "first.safetensors")
    assert set(training["sources"]["ai"]) == {"new-ai-0", "new-ai-1"}
    assert training["generators"] == {"biggan": 11, "midjourney": 11}
    assert set(ever(training)["sources"]["ai"]) == {"ai-0", "ai-1", "new-ai-0", "new-ai-1"}
    assert set(ever(training)["generators"]) == {"gen-0", "gen-1", "biggan", "midjourney"}
    assert manifest["adapted"]["training_before"] == before
    assert manifest["adapted"]["sources"] == training["sources"]
    assert any("The mix gives the network no weight" in line for line in lines)
    assert any("are known to mine" in line for line in lines), "it was made of these very pictures"
    assert set(manifest["metrics"]) == {"not_out_of_fold"}
    with pytest.raises(DatasetError, match="leave sources out of the bundle that it was adapted from"):
        refit(manifest, tmp_path / "refits")
    console = Console(width=100, file=io.StringIO())
    show_manifest(console, manifest)
    assert "training_before" in console.file.getvalue()


def test_of_a_bundle_that_says_not_what_it_had_seen_the_adapted_one_says_nothing(old, fusion, tmp_path, monkeypatch):
    def train_fusion(_samples, out, *_args, **_knobs):
        shutil.copytree(fusion, out, dirs_exist_ok=True)
        overlap.record(out, old[:3])
        write_manifest(out, manifest | {"metrics": {"out_of_fold": {}}})

    manifest = {key: value for key, value in Bundle.load(fusion).manifest.items() if key not in ("schema", "files")}
    (fusion / overlap.FILE).unlink()
    write_manifest(fusion, manifest)
    monkeypatch.setattr(adapting, "train_fusion", train_fusion)
    two = [replace(one, generator="") for one in old]
    adapt(fusion, two, two, Adaptation("full"), Job(tmp_path / "out", tmp_path / "work"), audited=True)
    assert overlap.seen(Bundle.load(tmp_path / "out")) is None


def test_a_fusion_that_is_adapted_whole_says_that_its_figures_are_not_out_of_fold(old, fusion, tmp_path, monkeypatch):
    def train_fusion(_samples, out, _work, config, *, name, **_knobs):
        shutil.copytree(fusion, out, dirs_exist_ok=True)
        kept = {**manifest, "name": name, "head": {"kind": config.head, "file": "head.ubj"}}
        write_manifest(out, {**kept, "metrics": {"out_of_fold": {"roc_auc": 0.99}}})

    lines = []
    manifest = {key: value for key, value in Bundle.load(fusion).manifest.items() if key not in ("schema", "files")}
    monkeypatch.setattr(adapting, "train_fusion", train_fusion)
    job = Job(tmp_path / "out", tmp_path / "work")
    monkeypatch.setattr(adapting, "check_data", lambda *_: 1 / 0)
    with pytest.raises(RecipeError, match="there are 1 and 1"):
        adapt(fusion, [replace(one, source="", generator="") for one in old], None, Adaptation("head"), job)
    two = [replace(one, generator="") for one in old]  # each source is a family of its own
    content = adapt(fusion, two, two, Adaptation("full"), job, lines.append, audited=True)
    adapted = Bundle.load(job.out).manifest
    assert content["remarks"] == adapted["adapted"]["remarks"] == [adapting.SEEN]
    assert adapted["metrics"] == {"not_out_of_fold": {"roc_auc": 0.99}}
    assert any(adapting.SEEN in line for line in lines)
    both = "mind: 20 of the 20 test pictures of the old data are test pictures of the new data as well: on them no "
    assert any(line.startswith(both) for line in lines)


def test_adapt_refuses_what_train_refuses(made, tmp_path):
    leaking = load_dataset(make_set(tmp_path / "leak", ai_quality=30))
    job = Job(tmp_path / "a", tmp_path / "w")
    with pytest.raises(TrainingError, match=r"--augment delivery.*--force"):
        adapt(made[0] / "mine", leaking, None, Adaptation("head", epochs=1), job)
    assert not job.out.exists()


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
