"""Shares of the splits."""

import shutil
from collections import Counter

import pytest

from aiforensics.lab.data.dataset import DatasetError, load_dataset
from aiforensics.lab.data.splits import parse_shares


def test_shares_are_those_that_were_asked_for(make_folder) -> None:
    samples = load_dataset(make_folder(50), shares=parse_shares("60/20/20"))
    counts = Counter((s.label, s.split) for s in samples)
    assert abs(counts["ai", "test"] - 20) <= 2
    assert abs(counts["real", "train"] - 60) <= 2


def test_a_picture_without_a_group_that_looks_like_one_with_a_group_is_of_it(make_folder) -> None:
    root = make_folder(6)
    lines = ["file,label,group"]
    for label in ("real", "ai"):
        lines += [f"{label}/{label}-one/one00{i}.png,{label},{label}-{i // 2}" for i in range(6)]
    for i in range(3):
        shutil.copy(root / f"real/real-one/one00{i}.png", root / f"real/real-two/copy{i}.png")
        lines.append(f"real/real-two/copy{i}.png,real,")
    lines += ["real/real-two/two000.png,real,", "real/real-two/two001.png,real,"]
    (root / "manifest.csv").write_text("\n".join(lines))
    groups = {s.path.stem: s.group for s in load_dataset(root, need=()) if s.source.endswith("-real")}
    assert [groups[f"copy{i}"] for i in range(3)] == ["real-0", "real-0", "real-1"]
    assert groups["one004"] == "real-2", "a group that is given stays"
    assert groups["two000"] != groups["two001"]


@pytest.mark.parametrize("text", ["80", "80/30", "a/b", "100/0", "25/25/25/25", "-20/120", ""])
def test_shares_that_make_no_sense_are_refused(text) -> None:
    with pytest.raises(DatasetError, match="shares"):
        parse_shares(text)
