"""Adaptation: both domains measured on held-out pictures, what is refused, and what an adapted bundle states."""

import io
import shutil
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

torch = pytest.importorskip("torch")

from aiforensics.lab import adapting  # noqa: E402
from aiforensics.lab.adapting import Adaptation, AdaptError, adapt  # noqa: E402
from aiforensics.lab.data import overlap  # noqa: E402
from aiforensics.lab.data.dataset import DatasetError, load_dataset  # noqa: E402
from aiforensics.lab.data.sums import sum_of  # noqa: E402
from aiforensics.lab.drafts import TrainingError  # noqa: E402
from aiforensics.lab.fit.knobs import FusionConfig  # noqa: E402
from aiforensics.lab.making import Job  # noqa: E402
from aiforensics.lab.pages.words import gap  # noqa: E402
from aiforensics.lab.retraining import retrained  # noqa: E402
from aiforensics.lab.train.recipes import RecipeError  # noqa: E402
from aiforensics_cli.lines import show_manifest  # noqa: E402
from aiforensics_models.bundle import Bundle, write_manifest  # noqa: E402
from aiforensics_models.lineage import ever  # noqa: E402

pytestmark = pytest.mark.train
FOUND = dict.fromkeys(adapting.FIGURES, 0.5) | {"pictures": {"judged": 20, "of": 20}}


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


@pytest.mark.parametrize("strategy", ["head", "full"])
def test_adapt_measures_both_domains(strategy, old, made, tmp_path, make_set):
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
    for domain, both in content["domains"].items():
        for name, change in content["changes"][domain].items():
            assert change["value"] == pytest.approx(both["after"][name] - both["before"][name], abs=2e-6), name
            low, high = change["interval"]
            assert low is high is None or low <= change["value"] <= high
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
    assert bundle.manifest["adapted"]["changes"] == content["changes"]
    change = content["changes"]["new"]["roc_auc"]
    assert " (".join(gap(change["value"], change["interval"])) in card
    assert "A change whose interval holds 0 is not shown by these pictures" in card
    from safetensors.numpy import load_file

    mine, first = (load_file(f / "network.safetensors") for f in (tmp_path / "adapted", made[0] / "mine"))
    moved = {name.split(".")[0] for name in mine if not np.array_equal(mine[name], first[name])}
    assert moved == ({"head"} if strategy == "head" else {"head", "body"})


def test_forgetting_is_measured_on_pictures_that_are_not_learned(old, made, tmp_path, make_set):
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
        retrained(manifest, tmp_path / "refits")
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


def test_adapt_refuses_what_train_refuses(made, tmp_path, make_set):
    leaking = load_dataset(make_set(tmp_path / "leak", ai_quality=30))
    job = Job(tmp_path / "a", tmp_path / "w")
    with pytest.raises(TrainingError, match=r"--augment delivery.*--force"):
        adapt(made[0] / "mine", leaking, None, Adaptation("head", epochs=1), job)
    assert not job.out.exists()
