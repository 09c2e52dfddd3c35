"""The card: what it says of pictures, sources, first weights and failures follows from manifest and metrics alone."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from aiforensics.evidence import Card
from aiforensics.explain import NETWORK_CARD
from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.judge.detector import Prediction
from aiforensics.lab.judge.evaluate import Judged, panel
from aiforensics.lab.pages import card as cards
from aiforensics.lab.pages.card import at_bounds, card


def judged() -> Judged:
    """20 pictures a class; `web` gives both classes, and nobody is called wrongly."""
    pairs = []
    for label, p in (("real", 0.1), ("ai", 0.9)):
        for i in range(20):
            source = "web" if i % 2 else f"{label}-alone"
            sample = Sample(Path(f"{label}{i}.png"), label, source, "", f"{label}{i}", "test")
            pairs.append((sample, Prediction(p, label, (p, p), "good")))
    return pairs


@pytest.fixture
def metrics() -> dict[str, Any]:
    failures = [{"file": f"{i}.png", "source": "web", "p_ai": 0.4, "verdicts": {"real": 4}} for i in range(8)]
    wrong = {"file": "w.png", "source": "real-alone", "p_ai": 0.95, "verdicts": {"ai": 1, "inconclusive": 3}}
    return {
        **panel("matched", "all", judged(), keys=True, draws=30).to_dict(),
        "conditions": {},
        "as_found": None,
        "failures": {"real": [wrong, *failures[:7]], "ai": [{**one, "verdicts": {"ai": 4}} for one in failures]},
        "pictures": {"judged": 40, "of": 100},
    }


@pytest.fixture
def manifest() -> dict[str, Any]:
    return {
        "name": "mine",
        "version": "1",
        "network": {"architecture": "tracenet", "parameters": 9},
        "head": {"kind": "xgboost", "mix": {"embedding": 0.4, "handcrafted": 0.5, "offset": 0.1}},
        "calibration": {"conditions": {"good": {"slope": 1.0, "offset": 0.0}}},
        "training": {"sources": {"ai": {"web": 3}, "real": {"real-alone": 3, "ai-alone": 3}}},
    }


def test_figures_have_an_interval_or_a_dash(manifest, metrics) -> None:
    text = card(manifest, metrics)
    assert "| ROC AUC | **1.000** (–) |" in text
    assert "| accuracy, answer forced at 50 % | **1.000** (0.912 to 1.000) |" in text
    assert "(0.000 to 0.000)" not in text
    assert "| ai/web | ai | 10 | 10 |" in text


def test_what_is_said_of_the_test_pictures_is_counted(manifest, metrics) -> None:
    text = card(manifest, metrics)
    assert "its own data (40 of 100 pictures): all" in text
    assert "Of the 4 sources of these pictures 2 are known from training." in text
    assert "(100 pictures, 3 of them seen in training)" in card(
        manifest, metrics | {"pictures": {"judged": 100, "of": 100}, "seen_in_training": 3}
    )


def test_false_alarms_are_counted_by_verdict(manifest, metrics) -> None:
    text = card(manifest, metrics)
    assert "False alarms gather in: real-alone (1)." in text
    assert "No ai picture of these was called real; the most wrong gather in: web (8)." in text


@pytest.mark.parametrize(
    ("training", "words"),
    [
        ({"weights": "none"}, None),
        ({"weights": "mine.safetensors", "weights_sha256": cards._TRACENET}, "learned without labels"),
        ({"weights": "tracenet.safetensors", "weights_sha256": "0" * 64}, "the file of weights `tracenet.safetensors`"),
        ({"weights": "other.safetensors"}, "the file of weights `other.safetensors`"),
        ({"weights": "imagenet"}, "torchvision's ImageNet weights"),
    ],
)
def test_only_the_projects_own_first_weights_have_its_pretraining(manifest, metrics, training, words) -> None:
    text = card(manifest | {"training": training}, metrics)
    assert words is None or words in text
    starts = [line for line in ("learned without labels", "the file of weights", "ImageNet") if line in text]
    assert len(starts) == (words is not None)


def test_the_sum_is_that_of_the_projects_first_weights() -> None:
    path = Path(__file__).parents[3] / "models" / "training" / "tracenet.safetensors"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == cards._TRACENET


def test_a_mix_or_a_line_at_its_bound_is_told(manifest, metrics) -> None:
    assert at_bounds(manifest) == []
    manifest["head"]["mix"] |= {"embedding": 0.0, "handcrafted": 0.0}
    manifest["calibration"]["conditions"]["small"] = {"slope": 0.05, "offset": 0.0}
    idle, flat = at_bounds(manifest)
    assert "gives the network and the handcrafted head no weight" in idle
    assert "(small)" in flat
    assert idle in card(manifest, metrics)
    assert at_bounds(manifest | {"head": {"kind": "none"}}) == [flat]


def test_the_networks_own_card_is_true_of_every_network() -> None:
    assert isinstance(NETWORK_CARD, Card)
    assert "residual" not in NETWORK_CARD.looks_for
    assert "Small-scale" not in NETWORK_CARD.looks_for


def test_a_bundle_that_went_on_tells_of_what_it_went_on_from(manifest, metrics) -> None:
    before = {
        "from": "first",
        "sha256": "abcdef0123456789",
        "command": "aiforensics train old",
        "sources": {"ai": {"web": 9, "gone": 7}, "real": {}},
        "generators": {"dalle": 7},
    }
    training = {**manifest["training"], "command": "aiforensics train old new --extend first", "extended": before}
    text = card(manifest | {"training": training | {"generators": {"flux": 3}}}, metrics)
    assert "AI sources: gone (7), web (3)." in text
    assert "In training: dalle (7), flux (3)." in text
    rebuild = text.partition("## Rebuild")[2]
    assert (
        rebuild.index("train old\n") < rebuild.index("`first` (sha256 abcdef012345)") < rebuild.index("--extend first")
    )


def test_what_a_bundle_went_on_from_is_told_beside_it(manifest, metrics) -> None:
    shares = dict.fromkeys(("false_alarms", "detections", "missed", "coverage", "selective_accuracy", "ece"), 0.25)
    one = {"roc_auc": {"fused": 0.918}, **shares}
    found = {
        "pictures": 40,
        "views": 160,
        "min_pictures": 8,
        "mean_source_auc": {"fused": 0.9},
        "roc_auc_by_ai_source": {},
        "false_alarms_by_real_source": {},
        "before": {"from": "first", **one, "roc_auc": {"fused": 0.937}},
        **one,
    }
    training = {**manifest["training"], "extended": {"from": "first", "sha256": "ab", "kept": True}}
    text = card(manifest | {"training": training, "metrics": {"out_of_fold": found}}, metrics)
    assert "by the head of `first`, and by a joint perceptron" in text
    assert "are those of `first`, the last stricter where" in text
    assert "On the same pictures it has AUC 0.937; 25.0 % of real pictures" in text


def test_larger_views_are_told_apart_where_they_were_judged(manifest, metrics) -> None:
    shares = dict.fromkeys(("false_alarms", "detections", "missed", "coverage", "selective_accuracy", "ece"), 0.25)
    found = {
        "pictures": 40,
        "views": 160,
        "min_pictures": 8,
        "roc_auc": {"fused": 0.9},
        "mean_source_auc": {"fused": 0.9},
        "roc_auc_by_ai_source": {"web": 0.9},
        "false_alarms_by_real_source": {"real-alone": 0.1},
        **shares,
    }
    apart = (
        "7 of these are files of more than 512 px along both sides. Cut to 1,024 px at most, instead of 248 (28 views)"
    )
    assert apart not in card(manifest | {"metrics": {"out_of_fold": found}}, metrics)
    large = {"pictures": 7, "views": 28, "roc_auc": {"fused": 0.95}, **shares, "coverage": 0.5}
    text = card(manifest | {"metrics": {"out_of_fold": found | {"large": large}}}, metrics)
    assert f"{apart}: AUC 0.950; 25.0 % of real pictures are called AI" in text
    assert "50.0 % answered" in text


def test_hardest_sources_are_named_where_there_are_any(manifest, metrics) -> None:
    found = {
        **dict.fromkeys(("false_alarms", "detections", "missed", "coverage", "selective_accuracy", "ece"), 0.25),
        **{"pictures": 40, "views": 160, "min_pictures": 5, "false_alarms_by_real_source": {"real-alone": 0.1}},
        **{"roc_auc": {"fused": 0.9}, "mean_source_auc": {"fused": None}, "roc_auc_by_ai_source": {}},
    }
    few = card(manifest | {"metrics": {"out_of_fold": found}}, metrics)
    assert "Hardest AI sources" not in few
    assert "mean AUC over AI sources of 5 pictures or more" in few
    enough = found | {"mean_source_auc": {"fused": 0.9}, "roc_auc_by_ai_source": {"web": 0.9, "other": 0.8}}
    text = card(manifest | {"metrics": {"out_of_fold": enough}}, metrics)
    assert "Hardest AI sources (AUC): other 0.800, web 0.900." in text
