"""Folds by family, and the balance of sources."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.data.folds import balance, family, family_folds, fold_slices, origins


@pytest.fixture
def samples():
    found = []
    for source, generator, count in [
        ("a", "flux.1-dev", 30), ("b", "flux.2", 10), ("c", "midjourney-v7", 25), ("d", "unknown-mixed", 12),
        ("e", "unknown", 9), ("f", "stylegan2", 20),
    ]:  # fmt: skip
        found += [
            Sample(Path(f"{source}{i}.png"), "ai", source, generator, f"{source}{i // 2}", "train")
            for i in range(count)
        ]
    for source, count in [("kodak", 24), ("phone", 100), ("film", 7), ("night", 40), ("art", 3)]:
        found += [
            Sample(Path(f"{source}{i}.jpg"), "real", source, "", f"{source}{i // 5}", "train") for i in range(count)
        ]
    return found


def test_a_family_is_never_split(samples):
    folds = family_folds(samples, 3)
    seen = defaultdict(set)
    for sample, fold in zip(samples, folds, strict=True):
        seen[family(sample)].add(int(fold))
    assert all(len(places) == 1 for places in seen.values())
    assert seen["ai:flux"]
    assert "ai:d" in seen, "pictures of unknown generators belong to their source"
    assert "ai:e" in seen


def test_every_fold_holds_both_classes(samples):
    folds = family_folds(samples, 3)
    for fold in range(3):
        assert {sample.label for sample, of in zip(samples, folds, strict=True) if of == fold} == {"ai", "real"}


def test_folds_are_reproducible(samples):
    assert (family_folds(samples, 3, seed=5) == family_folds(samples, 3, seed=5)).all()


def test_more_data_moves_no_family(samples):
    before = family_folds(samples, 3)
    known = {family(sample): int(fold) for sample, fold in zip(samples, before, strict=True)}
    more = [Sample(Path(f"g{i}.png"), "ai", "g", "dall-e", f"g{i}", "train") for i in range(60)]
    after = family_folds([*more, *samples], 3, known=known)
    assert (after[len(more) :] == before).all()
    assert len(set(after[: len(more)].tolist())) == 1
    loads = [sum(s.label == "ai" for s, of in zip(samples, before, strict=True) if of == fold) for fold in range(3)]
    assert after[0] == np.argmin(loads), "a new family goes where there is least"


def test_slices_cut_a_fold_and_split_neither_source_nor_family(samples):
    folds = family_folds(samples, 2)
    slices = fold_slices(samples, folds, 3)
    assert (slices // 3 == folds).all()
    assert len(set(slices.tolist())) == 6
    for names in (origins(samples), [family(sample) for sample in samples]):
        places = defaultdict(set)
        for name, one in zip(names, slices.tolist(), strict=True):
            places[name].add(one)
        assert all(len(found) == 1 for found in places.values())


def test_slices_follow_sources_where_folds_have_split_a_family(samples):
    folds = np.array([{"a": 0, "b": 1, "kodak": 0, "phone": 1}.get(sample.source, -1) for sample in samples])
    slices = fold_slices(samples, folds, 2)
    assert ((slices == -1) == (folds == -1)).all()
    assert [len(set(slices[folds == fold].tolist())) for fold in (0, 1)] == [2, 2]


def test_classes_weigh_the_same_and_sources_the_root_of_their_groups(samples):
    weights = balance(samples)
    ai = np.array([sample.label == "ai" for sample in samples])
    assert weights[ai].sum() == pytest.approx(weights[~ai].sum())
    total = {s: sum(w for w, x in zip(weights, samples, strict=True) if x.source == s) for s in ("phone", "film")}
    assert total["phone"] / total["film"] == pytest.approx((20 / 2) ** 0.5)


def test_an_emphasised_source_counts_so_many_times_within_its_class(samples):
    plain, twice = balance(samples), balance(samples, {"real/phone": 2.0})
    ai = np.array([sample.label == "ai" for sample in samples])
    assert twice[ai] == pytest.approx(plain[ai])
    assert twice[~ai].sum() == pytest.approx(plain[~ai].sum())
    phone = np.array([sample.source == "phone" for sample in samples])
    ratios = twice[~ai] / plain[~ai]
    assert ratios[phone[~ai]][0] / ratios[~phone[~ai]][0] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("generator", "expected"),
    [
        ("stable-diffusion-1.5", "stable-diffusion"), ("sdxl-turbo", "stable-diffusion"), ("sd3.5", "stable-diffusion"),
        ("sd-lora-mixed", "stable-diffusion"), ("instruct-pix2pix-visii", "stable-diffusion"),
        ("pix2pixhd", "translation"), ("cyclegan-monet", "translation"), ("dall-e-3", "dalle"), ("dalle2", "dalle"),
        ("bing-image-creator", "dalle"), ("microsoft-designer-dalle3", "dalle"), ("imagen-4", "google"),
        ("nano-banana-2", "google"), ("self-distilled-stylegan", "stylegan"), ("vqgan+clip", "clip-guided"),
        ("glid-3-xl", "latent-diffusion"), ("flux.1-dev-comfyui", "flux"), ("comfyui-flux-2025", "stable-diffusion"),
        ("midjourney-sd-mixed", "midjourney"), ("kolors", "kolors"), ("seedream-5-pro", "seedream"),
        ("unknown-2025", "gallery"), ("unknown(imagen/gemini)", "google"), ("", "gallery"), ("2025", "gallery"),
    ],
)  # fmt: skip
def test_generators_of_one_lineage_are_one_family(generator, expected):
    assert family(Sample(Path("a.png"), "ai", "gallery", generator, "g", "train")) == f"ai:{expected}"
