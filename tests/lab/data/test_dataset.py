"""Labelled data sets: folders, manifests, splits by group, and one clear line for each thing that can be wrong."""

from __future__ import annotations

import re
import shutil
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aiforensics.lab.data.dataset import DatasetError, joined, load_dataset, sources_of, thin


def test_a_folder_gives_sources_generators_and_a_stratified_split(make_folder) -> None:
    samples = load_dataset(make_folder(60))
    assert len(samples) == 240
    assert Counter(s.label for s in samples) == {"real": 120, "ai": 120}
    assert {s.source for s in samples} == {"real-one", "real-two", "ai-one", "ai-two"}
    assert {s.generator for s in samples if s.label == "real"} == {""}
    assert {s.generator for s in samples if s.label == "ai"} == {"ai-one", "ai-two"}
    for source in {s.source for s in samples}:
        counts = Counter(s.split for s in samples if s.source == source)
        assert abs(counts["train"] - 42) <= 2
        assert abs(counts["val"] - 9) <= 2
        assert abs(counts["test"] - 9) <= 2


def test_hidden_files_and_folders_are_left_out(make_folder) -> None:
    root = make_folder(3)
    found = load_dataset(root, need=())
    one = root / "real/real-one/one000.png"
    hidden = ("real/real-one/._one000.png", "real/.cache/x.png", "ai/ai-one/.thumbs/deep/x.png", "ai/.x.png")
    for name in hidden:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(one, root / name)
    assert load_dataset(root, need=()) == found
    assert sources_of(root) == ("ai/ai-one", "ai/ai-two", "real/real-one", "real/real-two")
    shutil.move(root, root.with_name(".set"))  # a set in a hidden folder is meant when it is named
    assert len(load_dataset(root.with_name(".set"), need=())) == len(found)


def test_links_to_sources_are_followed_each_folder_once(make_folder, tmp_path) -> None:
    root = make_folder(3)
    found = load_dataset(root, need=())
    away = shutil.move(root / "real/real-two", tmp_path / "away")
    (away / "deep").mkdir()
    (root / "real/real-two").symlink_to(away)
    assert [(s.key, s.split) for s in load_dataset(root, need=())] == [(s.key, s.split) for s in found]
    for name, place in (("again", away), ("inside", away / "deep"), ("one", root / "real/real-one"), ("up", root)):
        (root / "real" / name).symlink_to(place)
    (root / "real/real-one/deeper").symlink_to(tmp_path)
    lines = []
    again = load_dataset(root, need=(), report=lines.append)
    assert sorted(s.path.name for s in again) == sorted(s.path.name for s in found), "no picture twice, and no loop"
    assert lines == [f"{root}: 1 other file left out (1 links to folders)"]


@pytest.mark.parametrize("listed", [False, True])
def test_the_name_of_the_data_sets_folder_tells_nothing(make_folder, listed) -> None:
    root = make_folder(3)
    lines = ["file,label,source"]
    for label in ("real", "ai"):
        shutil.move(root / f"{label}/{label}-one", root / "away")
        for path in (root / "away").iterdir():
            shutil.move(path, root / label / path.name)
        (root / "away").rmdir()
        lines += [f"{path.relative_to(root)},{label}," for path in sorted((root / label).glob("*.png"))]
        lines += [f"{label}/{label}-two/two000.png,{label},named"]
    if listed:
        manifest(root, "\n".join(lines))
    before = load_dataset(root, need=())
    after = load_dataset(root.rename(root.with_name("moved")), need=())
    assert [(s.key, s.split, s.group) for s in after] == [(s.key, s.split, s.group) for s in before]
    assert [s.key for s in thin(after, 5)] == [s.key for s in thin(before, 5)]
    assert {s.source for s in before} != {s.source for s in after}
    assert {s.key.split("/")[1] for s in after} == {"", *(("named",) if listed else ("real-two", "ai-two"))}


def test_what_a_folder_holds_beside_pictures_is_told(make_folder) -> None:
    root, lines = make_folder(3), []
    load_dataset(root, need=(), report=lines.append)
    assert lines == []
    for name in ("real/a.txt", "real/real-one/b.TXT", "ai/ai-one/c", "ai/.hidden"):
        (root / name).write_text("no picture")
    (root / "Fake").mkdir()
    (root / ".git").mkdir()
    found = load_dataset(root, need=(), report=lines.append)
    told = "3 other files left out (2 .txt, 1 without ending); the folder Fake beside real/ and ai/ left out"
    assert (len(found), lines) == (12, [f"{root}: {told}"])
    shutil.rmtree(root / "Fake")
    (root / "ai").rename(root / "FAKE")
    with pytest.raises(DatasetError, match=r"no pictures labelled ai .*FAKE is neither real/ nor ai/: rename it, or u"):
        load_dataset(root, need=())


def test_folders_of_a_class_that_differ_in_case_are_joined(make_folder) -> None:
    root = make_folder(3)
    if (root / "AI").exists():
        pytest.skip("this file system takes AI for ai")
    (root / "AI").mkdir()
    shutil.move(root / "ai" / "ai-two", root / "AI" / "ai-two")
    assert sources_of(root) == ("ai/ai-one", "ai/ai-two", "real/real-one", "real/real-two")


def test_groups_of_sets_that_were_read_apart_stay_apart(make_folder) -> None:
    samples = load_dataset(make_folder(3), need=())
    stated = [replace(samples[0], group="a prompt")]
    both = joined([*samples, *stated], [*samples, *stated])
    assert len({s.group for s in both}) == 2 * len({s.group for s in samples}) + 1, "a stated group is one of both"
    assert [replace(s, group="") for s in both] == [replace(s, group="") for s in [*samples, *stated] * 2]


def test_the_split_follows_the_seed_alone(make_folder) -> None:
    root = make_folder(40)
    assert load_dataset(root, need=()) == load_dataset(root, need=())
    assert load_dataset(root, need=()) != load_dataset(root, seed=1, need=())


def test_pictures_that_look_alike_share_a_group_and_a_split(make_folder) -> None:
    root = make_folder(40)
    for i in range(20):
        with Image.open(root / "real/real-one" / f"one{i:03d}.png") as image:
            image.resize((60, 60)).save(root / "real/real-two" / f"other{i}.jpg", quality=70)
        shutil.copy(root / "ai/ai-one" / f"one{i:03d}.png", root / "ai/ai-one" / f"one{i:03d}_q75.png")
    samples = load_dataset(root, need=())
    splits, sizes = defaultdict(set), Counter()
    for sample in samples:
        splits[sample.group].add(sample.split)
        sizes[sample.group] += 1
    assert all(len(found) == 1 for found in splits.values())
    assert Counter(sizes.values()) == {2: 40, 1: 120}


def test_files_named_by_a_sum_are_one_family_in_whatever_folder(tmp_path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3), np.uint8)
    for i, name in enumerate(["a/0123456789abcdef-crop0", "b/0123456789abcdef-resized", "a/photo", "b/photo"]):
        path = tmp_path / "real" / "web" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise[i]).save(path)
    (tmp_path / "ai" / "web").mkdir(parents=True)
    Image.fromarray(noise[4]).save(tmp_path / "ai" / "web" / "0.png")
    groups = {sample.path.stem: sample.group for sample in load_dataset(tmp_path, need=()) if sample.label == "real"}
    assert groups["0123456789abcdef-crop0"] == groups["0123456789abcdef-resized"]
    places = [s.group for s in load_dataset(tmp_path, need=()) if s.path.stem == "photo"]
    assert len(set(places)) == 2


def manifest(root, lines: str):
    path = root / "manifest.csv"
    path.write_text(lines)
    return path


def test_a_manifest_is_followed_and_extra_columns_ignored(make_folder) -> None:
    root = make_folder(15)
    lines = ["file,label,split,group,source,generator,licence"]
    for label in ("real", "ai"):
        for source in ("one", "two"):
            lines += [
                f"{label}/{label}-{source}/{source}{i:03d}.png,{label.upper()},{('train', 'val', 'test')[i % 3]},"
                f"{label}{source}{i},s-{label}-{source},{'g' if label == 'ai' else ''},MIT"
                for i in range(15)
            ]
    by_folder = load_dataset(root, need=()) if not manifest(root, "\n".join(lines)) else load_dataset(root)
    assert by_folder == load_dataset(root / "manifest.csv")
    assert Counter(s.split for s in by_folder) == {"train": 20, "val": 20, "test": 20}
    assert by_folder[0].group == "realone0"
    assert by_folder[0].source == "s-real-one"
    assert {s.generator for s in by_folder} == {"", "g"}


def test_a_manifest_without_splits_gets_them_by_group(make_folder) -> None:
    root = make_folder(60)
    lines = ["file,label,group"]
    for label in ("real", "ai"):
        lines += [f"{label}/{label}-one/one{i:03d}.png,{label},{label}{i // 3}" for i in range(60)]
    samples = load_dataset(manifest(root, "\n".join(lines)), need=("train",))
    assert {(s.group, s.split) for s in samples} == {(s.group, s.split) for s in samples[::3]}
    assert Counter(s.split for s in samples)["train"] == pytest.approx(84, abs=6)


def test_a_picture_without_a_split_takes_the_first_of_its_group(make_folder) -> None:
    rows = ["real-one/one000.png,real,a,val", "real-one/one001.png,real,a,", "real-two/one000.png,real,a,test"]
    lines = ["file,label,group,split", *(f"real/{row}" for row in rows), "ai/ai-one/one000.png,ai,d,test"]
    samples = load_dataset(manifest(make_folder(2), "\n".join(lines).replace("two/one", "two/two")), need=())
    assert [s.split for s in samples] == ["val", "val", "test", "test"]


def test_sets_are_joined(make_folder, tmp_path) -> None:
    root = make_folder(30)
    other = tmp_path / "more"
    shutil.copytree(root / "real/real-one", other / "real/third")
    first = load_dataset(root, need=())
    both = load_dataset([root, other], need=())
    assert len(both) == len(first) + 30
    assert "third" in {s.source for s in both}
    assert len({s.group for s in both}) == len({s.group for s in first})
    assert set(sources_of(root)) == {f"{s.label}/{s.source}" for s in first}
    assert sources_of(other) == ("real/third",)


def test_rows_stay_in_the_order_of_the_manifest_even_when_a_file_is_listed_in_two_splits(make_folder) -> None:
    rows = ["real-one/one001.png,real,a,train", "real-one/one001.png,real,b,test", "real-one/one000.png,real,c,val"]
    lines = ["file,label,group,split", *(f"real/{row}" for row in rows), "ai/ai-one/one000.png,ai,d,test"]
    path = manifest(make_folder(2), "\n".join(lines))
    samples = load_dataset(path, need=())
    assert [s.group for s in samples] == ["a", "b", "c", "d"]
    assert load_dataset([path, path], need=()) == samples


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("file,label\nreal/real-one/one000.png,reel\n", ["line 2", "'reel'", "ai or real"]),
        ("file,label,split\nreal/real-one/one000.png,real,tset\n", ["line 2", "'tset'"]),
        ("file,klass\nreal/real-one/one000.png,real\n", ["no column label"]),
        ("file,label\n\n,real\n", ["line 3", "no file"]),
        ("file,label\nreal/real-one/one000.png,real\n", ["no pictures labelled ai"]),
        ("file,label\n", ["no pictures"]),
        ("file;label\nreal/real-one/one000.png;real\n", ["no column file and no column label", "file;label", "commas"]),
        ("file\tlabel\na\treal\n", ["no column file", r"file\tlabel", "commas"]),
        ("File,Label\na,real\n", ["no column file", "'File', 'Label'", "small letters"]),
        ("file, label\na,real\n", ["no column label", "' label'", "without spaces"]),
        ("file,label,label\na,real,ai\n", ["the column label twice"]),
        ("file,label\nreal/real-one/one000.png,real\ngone.png,ai\nlost.png,ai\n", ["2 of 3", "gone.png"]),
        (
            "file,label\nreal\\real-one\\one000.png,real\ngone.png,ai\n",
            ["2 of 2", "(write / for \\ between its folders)"],
        ),
        ("file,label\nreal/real-one/one000.png,real\nreal/real-one/one000.png,ai\n", ["both classes"]),
    ],
)
def test_a_bad_manifest_is_named_in_one_line(make_folder, lines, words) -> None:
    path = manifest(make_folder(1), lines)
    with pytest.raises(DatasetError) as caught:
        load_dataset(path)
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_splits_that_are_stated_are_said_to_be_so_where_one_is_too_small(make_folder) -> None:
    root = make_folder(12)
    lines = ["file,label,group,split"]
    for label in ("real", "ai"):
        splits = ("train", "test")
        lines += [f"{label}/{label}-{s}/{s}{i:03d}.png,{label},{label}{s}{i},{splits[s == 'two']}"
                  for s in ("one", "two") for i in range(12)]  # fmt: skip
    path = manifest(root, "\n".join(lines))
    with pytest.raises(DatasetError, match=r"0 pictures in the val split .*more of its rows the split val, or leave"):
        load_dataset(path)
    path.write_text(path.read_text().replace(",test", ","))
    with pytest.raises(DatasetError, match=r"split and needs 10 \(about 67 per class in all"):
        load_dataset(path)


def test_a_bad_folder_is_named_in_one_line(make_folder, tmp_path) -> None:
    with pytest.raises(DatasetError, match="expected subfolders real/ and ai/"):
        load_dataset(tmp_path)
    with pytest.raises(DatasetError, match="nowhere: no such file or folder"):
        load_dataset(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("no set")
    with pytest.raises(DatasetError, match="not a folder or a manifest"):
        load_dataset(tmp_path / "notes.txt")
    root = make_folder(6)
    with pytest.raises(DatasetError, match=r"class real has \d pictures in the \w+ split and needs 10"):
        load_dataset(root)
    shutil.copy(root / "real/real-one/one000.png", root / "ai/ai-two/copy.png")
    with pytest.raises(DatasetError, match=r"both classes.*copy.png \(ai\).*one000.png \(real\)"):
        load_dataset(root, need=())
    shutil.rmtree(root / "ai")
    with pytest.raises(DatasetError, match="no pictures labelled ai"):
        load_dataset(root)


def test_a_set_under_several_spellings_counts_once(make_folder, tmp_path, monkeypatch) -> None:
    root = make_folder(3)
    alone = load_dataset(root, need=())
    (tmp_path / "link").symlink_to(root)
    monkeypatch.chdir(tmp_path)
    assert load_dataset([root, Path("set"), tmp_path / "link", tmp_path / "set" / ".." / "set"], need=()) == alone


def test_broken_pictures_are_listed_five_at_most(make_folder) -> None:
    root = make_folder(12)
    for i in range(7):
        (root / f"real/real-one/one{i:03d}.png").write_bytes(b"nothing of a picture %d" % i)
    with pytest.raises(DatasetError) as caught:
        load_dataset(root, need=())
    assert re.match(r"7 pictures cannot be read: .*one000.*one004.* and 2 more$", str(caught.value))
    assert "one005" not in str(caught.value)
    assert len(load_dataset(root, need=(), keep_broken=True)) == 48
