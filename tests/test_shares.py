"""What the shares of a score add up to, and that they move it the way they say, on real pictures."""

import math

import numpy as np
import pytest
from skimage import data as pictures

from aiforensics.explain import SHARES, score_words
from aiforensics.features import row
from aiforensics.image import from_array
from aiforensics.pipeline import Scanner, measure
from aiforensics_models.heads import EMBEDDING


@pytest.fixture(scope="module")
def scanner():
    return Scanner()


@pytest.fixture(scope="module", params=["astronaut", "coffee", "chelsea", "rocket"])
def picture(request):
    return from_array(getattr(pictures, request.param)())


def test_shares_and_start_make_the_score_that_is_calibrated(scanner, picture):
    finding = scanner.examine_picture(picture).finding
    told = finding.to_dict()
    score = sum(told["contributions"].values()) + told["start"]
    assert scanner.bundle.calibration.probability(score, finding.condition) == pytest.approx(finding.p_ai, abs=1e-4)
    assert score_words(finding).endswith(f"the score is {score:+.2f}.")


def test_without_a_cue_the_score_moves_as_its_share_says_where_that_is_not_small(scanner, picture):
    """Without: every measurement of it at the training mean."""
    names, head = scanner.bundle.features, scanner.bundle.head
    _, values, opinion = measure(picture, scanner.bundle.network(), scanner.bundle.enlargement)
    found = row(names, values)
    answer = head(found, opinion.embedding)
    owner = np.array([name.partition(".")[0] for name in names])
    mean = np.insert(head.joint.centre[: len(names) - 1], names.index(EMBEDDING), 0.0)
    for cue in sorted({*owner} - {"embedding"}):
        share = float(answer.shares[owner == cue].sum())
        moved = answer.log_odds - head(np.where(owner == cue, mean, found), opinion.embedding).log_odds
        if abs(share) >= 0.3:
            assert moved * share > 0.0, cue
    assert "by another amount, now and then the other way" in SHARES


def test_the_words_of_strength_are_those_that_are_told():
    assert f"double the odds ({math.log(2.0):.2f})" in SHARES
    assert f"tenfold ({math.log(10.0):.2f})" in SHARES
