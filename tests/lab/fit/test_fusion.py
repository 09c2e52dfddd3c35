"""The fusion recipes, end to end on pictures that the tests make: networks, features, stack, bundle."""

import json
import multiprocessing
import shutil
from dataclasses import asdict, replace
from multiprocessing import connection
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aiforensics.lab.data.dataset import Sample

pytestmark = pytest.mark.train
torch = pytest.importorskip("torch")

from aiforensics.image import read  # noqa: E402
from aiforensics.lab.data.overlap import seen  # noqa: E402
from aiforensics.lab.fit import fusion, measure  # noqa: E402
from aiforensics.lab.fit.fusion import FusionConfig, train_fusion  # noqa: E402
from aiforensics.lab.fit.measure import NAMES, RANDOM, Table, TableError, measure_all  # noqa: E402
from aiforensics.lab.train import finetune as finetuning  # noqa: E402
from aiforensics.lab.train import run as running  # noqa: E402
from aiforensics.lab.train.cycles import FinetuneConfig  # noqa: E402
from aiforensics.lab.train.export import export_detector  # noqa: E402
from aiforensics.lab.train.finetune import finetune  # noqa: E402
from aiforensics.lab.train.loader import CropLoader  # noqa: E402
from aiforensics.lab.train.networks import NetworkJob, train_networks  # noqa: E402
from aiforensics.lab.train.recipes import RecipeError  # noqa: E402
from aiforensics.pipeline import Scanner  # noqa: E402
from aiforensics_models.bundle import Bundle  # noqa: E402
from aiforensics_models.networks import build_detector  # noqa: E402
from aiforensics_models.runtime import OnnxNetwork, Preparation  # noqa: E402
from aiforensics_models.weights import WeightsError  # noqa: E402

TINY = FinetuneConfig(steps=4, held_steps=2, batch=4, side=64, check_every=2, check_pictures=8)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Smooth pictures with noise are `real`, pictures of a coarse lattice are `ai`; four sources each."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    found = []
    for label in ("real", "ai"):
        for source in range(4):
            for index in range(8):
                coarse = Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).resize((176, 168), 3)
                pixels = np.asarray(coarse, float)
                pixels += (
                    rng.normal(0, 6, pixels.shape)
                    if label == "real"
                    else 12 * (np.indices((168, 176)).sum(0) % 2)[..., None]
                )
                path = folder / f"{label}-{source}-{index}.png"
                Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
                split = "val" if index < 2 else "train"
                generator = f"gen{chr(97 + source)}x" if label == "ai" else ""
                found.append(Sample(path, label, f"{label}{source}", generator, path.stem, split))
    return found


@pytest.fixture(scope="module")
def trained(samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    return folder, finetune(train, val, folder / "network.safetensors", TINY)


def test_a_batch_depends_on_seed_and_step_alone(samples):
    loader = CropLoader([s.path for s in samples], lambda rng: rng.integers(len(samples), size=3), 64, 7)
    all_at_once = list(loader.batches(0, 5))
    later = list(loader.batches(3, 5))
    assert len(all_at_once) == 5
    for (indices, pixels), (again, same) in zip(all_at_once[3:], later, strict=True):
        assert (indices == again).all()
        assert torch.equal(pixels, same)
        assert pixels.shape == (3, 3, 64, 64)
    several = CropLoader([s.path for s in samples], lambda rng: rng.integers(len(samples), size=3), 64, 7, threads=4)
    for (_, pixels), (_, same) in zip(all_at_once, several.batches(0, 5), strict=True):
        assert torch.equal(pixels, same)


def test_finetuning_keeps_a_history_and_resumes_where_it_stopped(samples, trained, tmp_path):
    folder, history = trained
    assert [row["step"] for row in history] == [2.0, 4.0, 6.0], "two cycles, one after the other"
    assert {"loss", "accuracy", "val_auc", "val_loss"} < set(history[0])
    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    again = finetune(train, val, folder / "network.safetensors", TINY)
    assert again == history, "a finished run has nothing left to do"
    with pytest.raises(WeightsError, match="no such file of weights"):
        finetune(train, val, tmp_path / "x.safetensors", TINY, weights=str(tmp_path / "lost.safetensors"))


def test_the_members_weigh_sources_of_one_name_by_their_class(samples, tmp_path, monkeypatch):
    drawn = []
    real = finetuning._member_weights
    monkeypatch.setattr(finetuning, "_member_weights", lambda names, *rest: drawn.append(names) or real(names, *rest))
    shared = [replace(s, source="shared") for s in samples]
    train, val = ([s for s in shared if s.split == split] for split in ("train", "val"))
    finetune(train, val, tmp_path / "n.safetensors", replace(TINY, steps=2, held_steps=0))
    assert len(set(drawn[0])) == 2


def test_an_interrupted_network_ends_as_one_that_was_not(samples, trained, tmp_path, monkeypatch):
    def learn(run, *batch):
        if run.cycle.title == "first" and run.step == 3:
            raise KeyboardInterrupt
        real(run, *batch)

    real = running.Run.learn
    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(running.Run, "learn", learn)
        finetune(train, val, tmp_path / "n.safetensors", TINY)
    assert finetune(train, val, tmp_path / "n.safetensors", TINY) == trained[1]


def test_a_network_that_diverges_is_one_line(samples, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "score", lambda _network, views: np.full(len(views), np.nan))
    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    with pytest.raises(RecipeError, match=r"diverged by step 2: give other first --weights"):
        finetune(train, val, tmp_path / "n.safetensors", TINY)


def test_other_first_weights_start_anew(samples, tmp_path):
    from safetensors.torch import save_file

    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    first, config = tmp_path / "first.safetensors", replace(TINY, steps=2, held_steps=0)
    steps = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        save_file(build_detector("tracenet").backbone.state_dict(), first)
        finetune(train, val, tmp_path / "n.safetensors", config, weights=str(first), report=steps.append)
    assert len(steps) == 2, "trained, kept, trained again"


def test_a_first_cycle_that_stopped_early_is_not_trained_on(samples, tmp_path, monkeypatch):
    monkeypatch.setattr("aiforensics.lab.train.run.roc_auc", lambda *_: 0.5)
    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    config = replace(TINY, steps=8, patience=1)
    first = finetune(train, val, tmp_path / "n.safetensors", config)
    assert [row["step"] for row in first] == [2.0, 4.0, 6.0], "stopped at 4 of 8, then the second cycle"
    assert finetune(train, val, tmp_path / "n.safetensors", config) == first


def test_the_second_cycle_holds_the_first_blocks(trained):
    from safetensors.torch import load_file

    first, last = (load_file(trained[0] / name) for name in ("network.first.safetensors", "network.safetensors"))
    changed = {name for name, tensor in last.items() if not torch.equal(tensor, first[name])}
    held = ("backbone.residuals", "backbone.stem", "backbone.blocks.0.", "backbone.blocks.1.", "backbone.blocks.2.")
    assert not [name for name in changed if name.startswith(held)]
    assert {"heads.weight", "backbone.blocks.3.body.0.0.weight", "backbone.blocks.3.body.0.1.running_mean"} <= changed


def test_a_last_cycle_holds_nothing_and_the_mean_is_kept(samples, tmp_path):
    from safetensors.torch import load_file

    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    history = finetune(train, val, tmp_path / "n.safetensors", replace(TINY, steps=2, free_steps=2))
    assert [row["step"] for row in history] == [2.0, 4.0, 6.0], "three cycles"
    mean, held, free = (load_file(tmp_path / f"n{part}.safetensors") for part in ("", ".held", ".free"))
    stem = "backbone.stem.0.weight" if "backbone.stem.0.weight" in free else "backbone.stem.1.weight"
    assert not torch.equal(held[stem], free[stem])
    for name, tensor in mean.items():
        if tensor.is_floating_point():
            assert torch.allclose(tensor, (held[name] + free[name]) / 2)


def test_only_what_was_never_compressed_gets_a_first_jpeg(samples, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("aiforensics.lab.train.loader.with_history", lambda pixels, rng: seen.append(1) or pixels)
    Image.open(samples[0].path).save(tmp_path / "a.jpg")
    for path, expected in ((tmp_path / "a.jpg", 0), (samples[0].path, 6)):
        seen.clear()
        list(CropLoader([path], lambda _rng: np.zeros(3, np.int64), 64, 7).batches(0, 2))
        assert len(seen) == expected


def test_training_is_reproducible(samples, trained, tmp_path):
    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    assert finetune(train, val, tmp_path / "again.safetensors", TINY) == trained[1]


def test_compiling_is_asked_for_and_changes_no_name(samples, trained, tmp_path, monkeypatch):
    from safetensors.torch import load_file

    asked = []
    monkeypatch.setattr("torch.nn.Module.compile", lambda self: asked.append(type(self).__name__))
    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    assert finetune(train, val, tmp_path / "c.safetensors", TINY, compiled=True) == trained[1]
    assert asked == ["TraceNet", "TraceNet"], "once for each cycle"
    assert load_file(tmp_path / "c.safetensors").keys() == load_file(trained[0] / "network.safetensors").keys()


@pytest.mark.parametrize("architecture", ["tracenet", "mobilenet_v3_small"])
def test_onnx_and_torch_agree(architecture, trained, tmp_path):
    """Parity of the exported network, at several sizes, against PyTorch."""
    from safetensors.torch import load_file, save_file

    weights = trained[0] / "network.safetensors"
    detector = build_detector(architecture).eval()
    if architecture != "tracenet":
        weights = tmp_path / "random.safetensors"
        save_file(detector.state_dict(), weights)
    export_detector(weights, architecture, tmp_path)
    network = OnnxNetwork(tmp_path / "network.onnx", Preparation("window", 0))
    detector.load_state_dict(load_file(weights))
    rng = np.random.default_rng(1)
    for size in ((64, 64), (256, 256), (100, 173)):
        pixels = rng.integers(0, 256, (*size, 3), np.uint8)
        with torch.no_grad():
            expected = detector(torch.from_numpy(pixels).permute(2, 0, 1)[None].float())
        found = network(pixels)
        for one, other in zip(expected, (found.logits, found.embedding, found.activation), strict=True):
            assert np.abs(one[0].numpy() - other).max() < 2e-3


def test_networks_side_by_side_are_the_same_as_one_by_one(samples, tmp_path):
    def jobs(name):
        return [NetworkJob(f"{k}", tmp_path / name / str(k), samples, replace(TINY, seed=k)) for k in range(2)]

    lines = []
    side_by_side = train_networks(jobs("a"), 2, lines.append)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        one_by_one = train_networks(jobs("b"), 1, lines.append)
    finally:
        torch.set_num_threads(threads)
    assert side_by_side == one_by_one
    assert any("val AUC" in line for line in lines)


def test_an_error_ends_the_networks_beside_it(samples, tmp_path):
    long = replace(TINY, steps=400, check_every=200)
    jobs = [NetworkJob(f"{k}", tmp_path / str(k), samples, replace(long, seed=k)) for k in range(3)]
    jobs[0] = replace(jobs[0], weights=str(tmp_path / "lost.safetensors"))
    with pytest.raises(FileNotFoundError):
        train_networks(jobs, 2, lambda _line: None)
    for worker in multiprocessing.active_children():
        assert connection.wait([worker.sentinel], 20), "it goes on"
    assert not list(tmp_path.glob("*/history.json"))


def test_tables_survive_being_written_down(samples, trained, tmp_path):
    export_detector(trained[0] / "network.safetensors", "tracenet", tmp_path)
    table = measure_all(samples[:3], [tmp_path / "network.onnx"], [0, 0, 0], [RANDOM, "half"], workers=1)
    assert table.values.shape == (6, len(NAMES))
    assert np.isfinite(table.values).all()
    table.save(tmp_path / "t.npz")
    again = Table.load(tmp_path / "t.npz")
    assert (again.values == table.values).all()
    assert again.view.tolist() == ["random", "half"] * 3


def test_what_was_measured_is_not_measured_again(samples, trained, tmp_path):
    network, keep, told = tmp_path / "network.onnx", tmp_path / "t.npz", []
    export_detector(trained[0] / "network.safetensors", "tracenet", tmp_path)

    def again(some, by=network):
        told.clear()
        return measure_all(
            some, [by], [0] * len(some), [RANDOM], workers=1, keep=keep, progress=lambda *at: told.append(at)
        )

    first = again(samples[:3])
    more = again(samples[4:0:-1])
    assert told == [(0, 2), (2, 2)], "two of the four are new"
    assert more.sample.tolist() == [0, 1, 2, 3]
    assert (more.values[2:] == first.values[2:0:-1]).all()
    assert again(samples[4:0:-1]).values.tolist() == more.values.tolist()
    assert told == [(0, 0)]
    other = shutil.copy(network, tmp_path / "other.onnx")
    with other.open("ab") as stream:
        stream.write(b"\x92\x03\x00")  # an empty field that no reader knows: other bytes, the same network
    again(samples[1:2], other)
    assert told == [(0, 1), (1, 1)], "another network has not judged it"

    pixels = np.random.default_rng(5).integers(0, 256, (2, 96, 96, 3), np.uint8)
    namesakes = []
    for folder, one in zip("ab", pixels, strict=True):
        (tmp_path / folder).mkdir()
        Image.fromarray(one).save(tmp_path / folder / "same.bmp")
        namesakes.append(replace(samples[0], path=tmp_path / folder / "same.bmp"))
    values = again(namesakes).values
    assert told[-1] == (2, 2)
    assert (values[0] != values[1]).any(), "of one name and one size, and yet two pictures"


def test_measuring_that_was_stopped_goes_on_where_it_was_saved(samples, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "_CHUNK", 1)
    monkeypatch.setattr(measure, "_SAVE_EVERY", 2)
    export_detector(trained[0] / "network.safetensors", "tracenet", tmp_path)
    told = []

    def stop(done, total):
        told.append((done, total))
        if done == 3:
            raise KeyboardInterrupt

    def run(progress):
        network = [tmp_path / "network.onnx"]
        return measure_all(
            samples[:4], network, [0] * 4, [RANDOM, "half"], workers=1, keep=tmp_path / "t.npz", progress=progress
        )

    with pytest.raises(KeyboardInterrupt):
        run(stop)
    table = run(lambda *at: told.append(at))
    assert told[4:] == [(0, 2), (1, 2), (2, 2)], "two of the four had been saved"
    assert table.view.tolist() == [RANDOM, "half"] * 4


def test_rows_of_another_edition_are_refused(samples, trained, tmp_path, monkeypatch):
    export_detector(trained[0] / "network.safetensors", "tracenet", tmp_path)
    table = measure_all(samples[:1], [tmp_path / "network.onnx"], [0], [RANDOM], workers=1)
    monkeypatch.setattr(measure, "_EDITION", 1)
    table.save(tmp_path / "t.npz")
    monkeypatch.undo()
    with pytest.raises(TableError, match="remove it to measure again"):
        Table.load(tmp_path / "t.npz")


def test_a_finished_network_of_other_settings_or_pictures_is_refused(samples, tmp_path):
    lines = []
    job = NetworkJob("one", tmp_path, samples, TINY)
    history = train_networks([job], 1, lines.append)
    assert train_networks([job], 1, lines.append) == history
    cut = [replace(samples[0], split="test"), *samples[1:]]
    for others in (samples[1:], [s for s in cut if s.split != "test"]):
        with pytest.raises(RecipeError, match=r"trained on other pictures or another split: name another --work"):
            train_networks([replace(job, samples=others)], 1, lines.append)
    with pytest.raises(RecipeError, match=r"steps 4, now 5.*--work"):
        train_networks([replace(job, config=replace(TINY, steps=5))], 1, lines.append)


def test_knobs_of_a_later_version_are_left_out():
    stated = {**asdict(FusionConfig(folds=3)), "later": 1}
    stated["network"] = {**stated["network"], "steps": 7, "later": 1}
    assert FusionConfig.stated(stated) == FusionConfig(folds=3, network=FinetuneConfig(steps=7))


def test_too_few_sources_for_a_fusion_are_told_before_anything_is_trained(samples, tmp_path):
    config = FusionConfig(network=TINY, workers=1).shortened(2)
    plain = [replace(s, source=s.label, generator="") for s in samples]
    with pytest.raises(RecipeError, match=r"there are 1 and 1; add sources .*such as cnn"):
        train_fusion(plain, tmp_path / "bundle", tmp_path / "work", config)
    assert not (tmp_path / "work").exists()
    # Two sources a class, and all real pictures of `val` in one of them: the fold without it cannot be looked at.
    two = [s for s in samples if s.source[-1] in "01" and not (s.source == "real1" and s.split == "val")]
    with pytest.raises(RecipeError, match=r"without real:real0 the split val has no real picture: add sources"):
        train_fusion(two, tmp_path / "bundle", tmp_path / "work", config)
    assert not list((tmp_path / "work").glob("fold-*"))


@pytest.mark.parametrize(("ai", "real", "wanted", "count"), [(5, 3, 4, 3), (2, 6, 4, 2), (9, 9, 4, 4)])
def test_no_more_folds_than_the_smaller_class_has_families(ai, real, wanted, count):
    names = "abcdefghi"
    found = [Sample(Path("x"), "ai", name, name, f"ai-{name}", "train") for name in names[:ai]]
    found += [Sample(Path("x"), "real", name, "", f"real-{name}", "train") for name in names[:real]]
    assert fusion.fold_count(found, wanted) == count


def test_a_fusion_of_few_sources_takes_fewer_folds(samples, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(fusion, "train_networks", lambda jobs, *_: asked.append([j.name for j in jobs]) or 1 / 0)
    config = FusionConfig(network=TINY, workers=1)
    for sources in ("0123", "012", "01"):  # a run that goes on with fewer sources keeps the folds that they have
        few = [s for s in samples if s.source[-1] in sources]
        with pytest.raises(ZeroDivisionError):
            train_fusion(few, tmp_path / "bundle", tmp_path / sources, config)
        with pytest.raises(ZeroDivisionError):
            train_fusion(few, tmp_path / "bundle", tmp_path / "0123", config)
    assert [len(names) - 1 for names in asked[::2]] == [4, 3, 2]
    known = json.loads((tmp_path / "0123" / "folds.json").read_text())
    assert len(asked[-1]) - 1 == 1 + max(known[name] for name in ("real:real0", "real:real1", "ai:genax", "ai:genbx"))


@pytest.mark.parametrize(("head", "architecture"), [("xgboost", "mobilenet_v3_small"), ("deep", "tracenet")])
def test_a_fusion_bundle_scans(samples, tmp_path, head, architecture):
    source = samples[0].source
    network = replace(TINY, architecture=architecture, emphasis={f"{samples[0].label}/{source}": 3.0})
    config = FusionConfig(head, folds=2, per_source=4, network=network, workers=1).shortened(2)
    told = train_fusion(samples, tmp_path / "bundle", tmp_path / "work", config)
    assert set(told["history"]) == {"fold-0", "fold-1", "final"}
    assert {"handcrafted", "deep", "fused"} == set(told["out_of_fold"]["roc_auc"])
    if head == "deep":  # the trees want more rows than these before they split
        assert told["out_of_fold"]["roc_auc"]["handcrafted"] > 0.8, "a lattice is easy to see"
    bundle = Bundle.load(tmp_path / "bundle")
    assert bundle.manifest["head"]["kind"] == head
    assert len(seen(bundle) or ()) == sum(sample.split != "test" for sample in samples)
    assert bundle.reference is not None
    stated = json.loads(json.dumps(bundle.manifest))["training"]["config"]["network"]
    assert FinetuneConfig(**stated).emphasis == network.emphasis, "a bundle states what it was fitted with"
    assert set(json.loads((tmp_path / "work" / "folds.json").read_text()).values()) == {0, 1}
    finding = Scanner(tmp_path / "bundle").scan(samples[0].path)
    assert finding.model.name == "bundle"
    assert finding.reasons
    pytest.importorskip("pytorch_grad_cam")
    from aiforensics_models.gradcam import GradCam

    assert np.isfinite(GradCam(bundle)(read(samples[0].path).windows[0].pixels)).all()
