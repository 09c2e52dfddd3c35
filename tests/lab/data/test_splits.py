"""Shares of the splits."""

from collections import Counter

import pytest

from aiforensics.lab.data.dataset import DatasetError, load_dataset
from aiforensics.lab.data.splits import parse_shares


def test_shares_are_those_that_were_asked_for(make_folder) -> None:
    samples = load_dataset(make_folder(50), shares=parse_shares("60/20/20"))
    counts = Counter((s.label, s.split) for s in samples)
    assert abs(counts["ai", "test"] - 20) <= 2
    assert abs(counts["real", "train"] - 60) <= 2


@pytest.mark.parametrize("text", ["80", "80/30", "a/b", "100/0", "25/25/25/25", "-20/120", ""])
def test_shares_that_make_no_sense_are_refused(text) -> None:
    with pytest.raises(DatasetError, match="shares"):
        parse_shares(text)
