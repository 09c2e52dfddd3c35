"""Small labelled folders of pictures that the tests make themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from aiforensics.lab.data.dataset import Sample, load_dataset
from aiforensics.lab.train.cycles import FinetuneConfig
from aiforensics.lab.train.recipes import recipe, settings


def scene(seed: int, side: int = 96) -> NDArray[np.uint8]:
    """A smooth random scene: pictures of different seeds look different to any perceptual hash."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 7, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.fixture
def make_folder(tmp_path) -> Callable[..., Path]:
    """Makes `real/` and `ai/` with `per_source` pictures in each of two sources a class, by `save(pixels, path)`."""

    def build(per_source: int = 40, save: Callable[[NDArray[np.uint8], Path, str], None] | None = None) -> Path:
        seed = 0
        for label in ("real", "ai"):
            for source in ("one", "two"):
                folder = tmp_path / "set" / label / f"{label}-{source}"
                folder.mkdir(parents=True)
                for i in range(per_source):
                    seed += 1
                    path = folder / f"{source}{i:03d}.png"
                    if save is None:
                        Image.fromarray(scene(seed)).save(path)
                    else:
                        save(scene(seed), path, label)
        return tmp_path / "set"

    return build


@pytest.fixture
def bright(tmp_path):
    """16 pictures a class of 40 px, the AI ones brighter and with a grid on them: 6 train, 5 val and 5 test."""
    rng = np.random.default_rng(0)
    found = []
    for label in ("real", "ai"):
        for i in range(16):
            pixels = np.full((40, 40, 3), rng.integers(60, 100, 3)) + rng.normal(0, 8, (40, 40, 3))
            if label == "ai":
                pixels[::4] += 40
                pixels += 70
            path = tmp_path / f"{label}{i}.png"
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
            split = "train" if i < 6 else "val" if i < 11 else "test"
            source = f"{label}-{i % 2}"
            found.append(Sample(path, label, source, source if label == "ai" else "", f"{label}{i}", split))
    return found


@pytest.fixture(scope="session")
def small():
    """(name of a recipe, **knobs) → its settings for 32 px and one pass."""

    def one(name, **changes):
        side = 32
        return settings(recipe(name), side=side, **{"weights": "none", "batch": 6, "epochs": 1, **changes})

    return one


@pytest.fixture(scope="session")
def lattices(tmp_path_factory):
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


@pytest.fixture(scope="session")
def tiny():
    """A few steps of a small training."""
    return FinetuneConfig(steps=4, held_steps=2, batch=4, side=64, check_every=2, check_pictures=8)


@pytest.fixture(scope="session")
def trained(lattices, tiny, tmp_path_factory):
    """A folder with a network of a few steps, and its history."""
    pytest.importorskip("torch")
    from aiforensics.lab.train.finetune import finetune

    folder = tmp_path_factory.mktemp("trained")
    train, val = ([s for s in lattices if s.split == split] for split in ("train", "val"))
    return folder, finetune(train, val, folder / "network.safetensors", tiny)


@pytest.fixture
def one_thread():
    """PyTorch on one thread, so that its sums do not depend on the machine."""
    pytest.importorskip("torch").set_num_threads(1)


@pytest.fixture(scope="session")
def make_set():
    """(folder, …) → a manifest of 12 + 10 + 10 noise pictures a class; the AI ones carry a grid of `period` rows."""

    def build(folder, period=4, *, ai_quality=None, seed=0):
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

    return build


@pytest.fixture(scope="session")
def old(make_set, tmp_path_factory):
    """What the bundle of `made` learned from."""
    return load_dataset(make_set(tmp_path_factory.mktemp("data") / "old"))


@pytest.fixture
def torn(make_set, tmp_path):
    """A set that was read before three of its 20 test pictures were damaged."""
    samples = load_dataset(make_set(tmp_path / "torn", seed=7))
    for sample in [one for one in samples if one.split == "test"][:3]:
        sample.path.write_bytes(b"no picture")
    return samples


@pytest.fixture(scope="session")
def made(old, tmp_path_factory):
    """A bundle made the whole way: folder, figures, lines of progress."""
    torch = pytest.importorskip("torch")
    from aiforensics.lab.making import Job, make_bundle
    from aiforensics.lab.systems import System

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("made")
    lines = []
    command = "aiforensics train old --out mine"
    drawn = {"split": "60/20/20", "drawn_by": 7}
    job = Job(folder / "mine", folder / "work", ["old"], command, force=True, test_pictures=20, **drawn)
    system = System(recipe("cnn"), settings(recipe("cnn"), side=32, batch=8, epochs=1, seed=1))
    metrics = make_bundle(old, job, system.trainer(old, "mine", lines.append), system.view, lines.append)
    return folder, metrics, lines
