"""A finding in words."""

from dataclasses import replace
from typing import get_args

import cv2
import numpy as np
import pytest
from skimage import data as pictures

from aiforensics.evidence import (
    Claim,
    Finding,
    ModelRef,
    Provenance,
    ProvenanceLevel,
    ProvenanceOrigin,
    Quality,
    QualityLevel,
    ToolRef,
    Verdict,
)
from aiforensics.explain import (
    HEADLINES,
    LADDER,
    LIMITS,
    NETWORK_CARD,
    ORIGIN_WORDS,
    QUALITY_WORDS,
    SHORT_VERDICTS,
    overall,
    percent,
)
from aiforensics.pipeline import Scanner


def _finding(verdict, level, origin):
    return Finding(
        path="a.jpg", sha256="00", bytes=1, format="JPEG", width=1, height=1, verdict=verdict, p_ai=0.5,
        interval=(0.4, 0.6), quality=Quality("good"), provenance=Provenance(level, origin), analyzers=(), reasons=(),
        model=ModelRef("m", "1", "00"), tool=ToolRef("t", "1"), seconds=0.0,
    )  # fmt: skip


def test_every_word_of_the_contract_is_explained():
    assert set(HEADLINES) == set(SHORT_VERDICTS) == set(get_args(Verdict))
    assert set(QUALITY_WORDS) == set(get_args(QualityLevel))
    assert set(ORIGIN_WORDS) == set(get_args(ProvenanceOrigin))
    assert [rung.level for rung in LADDER] == list(get_args(ProvenanceLevel))


def test_no_traces_are_said_to_be_lost_where_a_picture_is_merely_strange():
    assert not any(word in QUALITY_WORDS[level] for level in ("limited", "poor") for word in ("trace", "weak"))


def test_limits_speak_of_nothing_that_a_report_alone_shows():
    assert not any("numbered" in limit for limit in LIMITS)


def test_the_networks_map_does_not_claim_the_whole_share():
    assert "only the part that goes through the mean of the last layer" in NETWORK_CARD.map_key
    assert "can disagree with the whole" in NETWORK_CARD.map_key


@pytest.mark.parametrize("verdict", get_args(Verdict))
@pytest.mark.parametrize("origin", get_args(ProvenanceOrigin))
@pytest.mark.parametrize("level", get_args(ProvenanceLevel))
def test_only_a_trusted_signature_outweighs_the_pixels(verdict, level, origin):
    line = overall(_finding(verdict, level, origin))
    says_origin = origin != "unknown"
    assert ("outweighs" in line) == (level == "signed-trusted" and origin in ("ai", "camera"))
    assert ("not proof" in line) == (level in ("signed", "claimed", "watermark") and says_origin)
    compared = level not in ("none", "invalid")
    apart = compared and (origin, verdict) in {("ai", "real"), ("camera", "ai")}
    assert ("other way" in line) == apart
    assert ("disputed" in line) == (apart and "outweighs" not in line), (
        "what outweighs the pixels is not disputed by them"
    )
    assert ("same way" in line) == (compared and (origin, verdict) in {("ai", "ai"), ("camera", "real")})
    assert "{" not in line


@pytest.mark.parametrize(
    ("level", "claims", "words"),
    [
        (
            "signed-trusted",
            [Claim("source-type", "", "C2PA manifest", "ai", record="own")],
            "says that it was made by AI. This outweighs the pixel score.",
        ),
        (
            "signed-trusted",
            [Claim("source-type", "", "C2PA manifest (an earlier one)", "ai", record="other")],
            "who does not tell its making. What else it carries says that it was made by AI. Anyone can write metadata",
        ),
        ("signed-trusted", [Claim("generator", "", "PNG tEXt", "ai")], "who does not tell its making."),
        ("claimed", [Claim("signature", "", "C2PA manifest")], "announces Content Credentials that were not checked"),
        ("invalid", [Claim("signature-expired", "", "C2PA manifest")], "unchanged since it was signed"),
        ("invalid", [Claim("signature-invalid", "", "C2PA manifest")], "does not hold"),
    ],
)
def test_the_words_are_those_of_the_claims(level, claims, words):
    line = overall(replace(_finding("inconclusive", level, "ai"), provenance=Provenance(level, "ai", tuple(claims))))
    assert words in line


def test_a_file_with_texts_is_not_said_to_say_nothing():
    finding = _finding("inconclusive", "none", "unknown")
    assert overall(finding).startswith("The file says nothing of its origin.")
    told = Provenance("none", "unknown", (Claim("text", "AI-generated", "EXIF ImageDescription", private=True),))
    assert overall(replace(finding, provenance=told)).startswith("No claim of the origin was recognised")


def test_percent_never_claims_certainty():
    words = [percent(i / 1000) for i in range(1001)]
    assert not {"0%", "100%"} & set(words)
    assert (words[0], words[500], words[1000]) == ("<1%", "50%", ">99%")


@pytest.mark.parametrize(
    ("p", "words"),
    [(0.0099, "<1%"), (0.01, "1%"), (0.015, "2%"), (0.985, "98%"), (0.99, "99%"), (0.9901, ">99%")],
)
def test_percent_at_its_ends(p, words):
    assert percent(p) == words


def test_the_networks_map_is_as_rough_as_its_key_says():
    """A patch of noise moves the map beside its own place as often as not."""
    network, photo, rng = Scanner().bundle.network(), pictures.astronaut()[:256, :256], np.random.default_rng(3)
    before, off = network(photo).activation, []
    for _ in range(8):
        y, x = rng.integers(16, 200, 2)
        patched = photo.copy()
        patched[y : y + 40, x : x + 40] = rng.integers(0, 256, (40, 40, 3))
        moved = cv2.resize(np.abs(network(patched).activation - before), (256, 256), interpolation=cv2.INTER_CUBIC)
        down, across = np.unravel_index(moved.argmax(), moved.shape)
        off.append(np.hypot(down - y - 20, across - x - 20))
    assert 10.0 < np.median(off) < 256 / 5
    assert "Places are rough: off by up to a fifth of a window" in NETWORK_CARD.map_key
