"""The audit: it finds each shortcut that is planted, names duplicates, and finds nothing in a clean set."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from skimage import data

from aiforensics.lab.audit.auditing import audit, audit_prepared
from aiforensics.lab.audit.filefacts import separabilities, separability
from aiforensics.lab.audit.lastjpeg import last_quality
from aiforensics.lab.audit.remarks import balance_remarks, cue_remarks, misplaced
from aiforensics.lab.audit.report import AuditReport, Duplicates, SourceRow, leaks
from aiforensics.lab.data.dataset import DatasetError, Sample, load_dataset
from aiforensics.lab.data.views import CLEAN, JPEG75, Codec, resize, training_view, webp
from aiforensics.lab.judge.metrics import Figure


def leaking(report) -> set[str]:
    return {name for name, auc in report.cues.items() if auc.value > 0.55 and auc.low > 0.5}


def test_a_clean_set_has_no_leak(make_folder) -> None:
    report = audit(load_dataset(make_folder(40), need=()))
    assert leaking(report) <= {"bytes"}  # scenes differ in size by chance
    assert report.duplicates.near == 0
    assert not report.contaminated
    assert report.pictures == {"real": 80, "ai": 80}
    assert {row.source: row.pictures for row in report.sources}["ai-one"] == 40
    assert report.sizes == {"ai": (96, 96, 96), "real": (96, 96, 96)}


def matched(condition):
    """A matched condition as what is made of a decoded file."""
    return lambda picture, rng: condition(np.asarray(picture.image), rng)


def by_quality(pixels, path, label) -> None:
    Image.fromarray(pixels).save(path.with_suffix(".jpg"), quality=95 if label == "ai" else 80)


def by_format(pixels, path, label) -> None:
    Image.fromarray(pixels).save(path.with_suffix(".webp" if label == "ai" else ".png"), lossless=True)


def by_size(pixels, path, label) -> None:
    Image.fromarray(pixels[: 64 if label == "ai" else 96]).save(path)


def by_name(pixels, path, label) -> None:
    Image.fromarray(pixels).save(path.with_stem(f"DSC_{path.stem}" if label == "real" else f"{path.stem}-gen"))


def by_metadata(pixels, path, label) -> None:
    exif = Image.Exif()
    exif[0x010F] = "A camera maker"
    Image.fromarray(pixels).save(path, exif=exif if label == "real" else Image.Exif())


@pytest.mark.parametrize(
    ("save", "cue"),
    [(by_quality, "quality"), (by_format, "format"), (by_size, "size"), (by_name, "name"), (by_metadata, "metadata")],
)
def test_each_planted_shortcut_is_found(make_folder, save, cue) -> None:
    report = audit(load_dataset(make_folder(30, save), need=()))
    assert report.cues[cue].value > 0.95
    assert report.cues["all"].value > 0.95
    assert report.leaks
    remark = next(r for r in report.remarks if r.level == "leak")
    assert "AUC" in remark.text
    assert remark.advice
    assert report.remarks[0].level == "leak"
    innocent = {"quality", "format", "name", "metadata"} - {cue}
    assert not leaking(report) & innocent


@pytest.mark.parametrize("view", [training_view, matched(CLEAN), matched(JPEG75)], ids=["random", "clean", "jpeg75"])
def test_a_view_takes_the_shortcuts_away(make_folder, view) -> None:
    def different(pixels, path, label) -> None:
        large = resize(pixels, 3.0, "cubic")
        Image.fromarray(large if label == "ai" else large[:280]).save(
            path.with_suffix(".jpg"), quality=95 if label == "ai" else 60
        )

    samples = load_dataset(make_folder(30, different), need=())
    assert audit(samples).cues["all"].value > 0.95
    prepared = audit_prepared(samples, view)
    assert not prepared.leaks
    assert prepared.cues["size"].value <= 0.6


def test_an_unmatched_view_is_caught(make_folder) -> None:
    def textured(pixels, path, label) -> None:
        grain = np.random.default_rng(len(path.stem)).normal(0, 15, pixels.shape)
        noisy = np.clip(pixels + grain, 0, 255).astype(np.uint8)
        Image.fromarray(noisy[: 80 if label == "ai" else 96]).save(path)

    def unfair(picture, _rng):
        pixels = np.asarray(picture.image)
        return Codec("JPEG", 70 if len(pixels) == 80 else 85).pass_through(np.ascontiguousarray(pixels[:64, :64]))

    report = audit_prepared(load_dataset(make_folder(30, textured), need=()), unfair)
    assert report.cues["size"].value == pytest.approx(0.5, abs=0.1)
    assert report.cues["quality"].value > 0.95
    assert report.leaks
    assert "aiforensics.lab" not in " ".join(remark.advice for remark in report.remarks)
    assert "one distribution of qualities" in report.remarks[0].advice


def test_of_several_cues_each_has_to_show_more() -> None:
    labels = np.arange(80) % 2
    groups = [str(i) for i in range(80)]
    table = np.random.default_rng(0).normal(0, 1, (80, 1)) + 0.7 * labels[:, None]
    (alone,) = separabilities({"quality": table}, labels, groups).values()
    among = separabilities({"size": table, "quality": table, "all": table}, labels, groups)["quality"]
    assert alone.low == pytest.approx(separability(table, labels, groups).low)
    assert among.value == alone.value
    wider = pytest.approx(2.394 / 1.96, abs=0.001)  # both sides of a normal distribution: 1 - 0.05/3 against 0.95
    assert ((among.value - among.low) / (alone.value - alone.low)) == wider
    assert leaks(alone)
    assert not leaks(among)
    (remark,) = cue_remarks({"quality": among}, prepared=True)
    assert (remark.level, remark.text.endswith("chance can explain it")) == ("note", True)


@pytest.mark.parametrize(("ai", "real"), [(48, 8), (300, 10), (20, 1000), (5000, 55)])
def test_a_shortcut_of_uneven_classes_is_found(ai, real) -> None:
    labels = np.r_[np.ones(ai, np.int64), np.zeros(real, np.int64)]
    side = np.where(labels == 1, 1024.0, 4032.0)[:, None]
    found = separability(side, labels, [str(i) for i in range(len(labels))])
    assert found.value == 1.0
    assert leaks(found)


def test_a_cue_of_too_few_pictures_has_no_interval_and_is_no_leak() -> None:
    labels = np.r_[np.ones(48, np.int64), np.zeros(3, np.int64)]
    cues = separabilities({"size": labels[:, None] * 1.0}, labels, [str(i) for i in range(51)])
    assert np.isnan(cues["size"].low)
    (remark,) = cue_remarks(cues, prepared=False)
    assert remark.level == "note"
    assert remark.text.endswith("AUC 1.000; a class has too few pictures to say how surely")
    report = AuditReport({"ai": 48, "real": 3}, cues, remarks=(remark,))
    assert report.to_dict()["cues"]["size"] == {"value": 1.0, "low": None, "high": None, "leaks": False}


def test_a_cue_that_no_picture_has_gets_no_figure(make_folder) -> None:
    samples = load_dataset(make_folder(10), need=())
    for report, absent in (
        (audit(samples), {"quality", "metadata"}),
        (audit_prepared(samples, matched(CLEAN)), {"quality"}),
    ):
        assert {name for name, cue in report.to_dict()["cues"].items() if cue["value"] is None} == absent
        texts = [remark.text for remark in report.remarks if remark.text.endswith("was not tested: no picture has any")]
        assert len(texts) == len(absent)
        same = {"value": 0.5, "low": None, "high": None, "leaks": False}
        assert report.to_dict()["cues"]["size"] == same, "of what is the same for all no interval is measured"
    assert not report.leaks


@pytest.mark.parametrize(
    "groups", [["one"] * 20, ["real", "ai"] * 10, [str(max(i, 1) if i % 2 else 0) for i in range(20)]]
)
def test_where_nothing_could_be_learned_no_cue_has_a_figure(groups) -> None:
    labels = np.arange(20) % 2
    cues = separabilities({"size": labels[:, None] + 1.0, "all": labels[:, None] + 1.0}, labels, groups)
    assert all(np.isnan(cue.value) for cue in cues.values())
    (remark,) = cue_remarks(cues, prepared=False)
    assert remark.text == "No cue was tested: a class has too few groups of pictures"


def test_what_a_view_leaves_is_not_told_to_be_given_a_view() -> None:
    leak = Figure(0.9, 0.8, 1.0)
    remarks = list(cue_remarks({"size": leak, "quality": leak, "all": leak}, prepared=True))
    assert not any("--augment" in remark.advice for remark in remarks)
    assert sum("older compression shows through the view" in remark.advice for remark in remarks) == 2


def test_duplicates_are_found_across_splits_and_classes(make_folder) -> None:
    root = make_folder(20)
    samples = list(load_dataset(root, need=()))
    copies = [
        Sample(s.path, s.label, s.source, s.generator, f"copy-{s.group}", "test") for s in samples if s.split == "train"
    ]
    report = audit([*samples, *copies[:7]])
    assert report.duplicates.across_splits == 7
    assert report.contaminated
    one = root / "real/real-one/one003.png"
    with Image.open(one) as image:
        image.resize((70, 70)).save(root / "ai/ai-two/remade.jpg", quality=80)
    report = audit(load_dataset(root, need=()))
    assert report.duplicates.across_classes == 1
    assert report.duplicates.exact_across_classes == 0
    assert not report.contaminated
    assert {str(one), str(root / "ai/ai-two/remade.jpg")} == set(report.duplicates.examples[0])
    exact = Sample(one, "ai", "x", "x", "x", "train")
    assert audit([*load_dataset(root, need=()), exact]).contaminated


def test_groups_that_were_given_several_splits_are_a_leak(make_folder) -> None:
    samples = [replace(s, split="train") for s in load_dataset(make_folder(12), need=())]
    report = audit(samples)
    assert report.split_groups == 0
    assert not report.contaminated
    both = [replace(s, group=f"prompt{i % 2}", split="test" if i > 3 else "train") for i, s in enumerate(samples[:6])]
    report = audit([*both, *samples[6:]])
    assert report.to_dict()["split_groups"] == 2
    assert report.contaminated
    (words,) = (remark.text for remark in report.remarks if remark.level == "leak" and "group" in remark.text)
    assert words == "2 groups stand in several splits: prompt0, prompt1"


def test_blank_and_broken_pictures_are_reported_and_the_rest_is_audited(make_folder) -> None:
    root = make_folder(15)
    samples = load_dataset(root, need=())
    (root / "real/real-one/one000.png").write_bytes(b"no picture at all")
    Image.new("RGB", (96, 96), "white").save(root / "real/real-one/one001.png")
    shutil.copy(root / "real/real-one/one001.png", root / "real/real-one/one002.png")
    report = audit(samples)
    words = " ".join(remark.text for remark in report.remarks)
    assert "1 picture cannot be read" in words
    assert "2 pictures are blank" in words
    assert report.broken[0][0].endswith("one000.png")
    assert report.duplicates.near == 0
    json.dumps(report.to_dict(), allow_nan=False)
    with pytest.raises(DatasetError, match="both classes"):
        audit([s for s in samples if s.label == "ai"])


def test_imbalance_is_said(make_folder) -> None:
    samples = [s for s in load_dataset(make_folder(20), need=()) if s.label == "real" or s.path.stem < "one008"]
    words = [remark.text for remark in audit(samples).remarks]
    assert any(text.startswith("40 real pictures against") for text in words)
    assert any("has 1 source" in text or "gives" in text for text in words)


def test_of_two_even_sources_none_is_to_be_capped() -> None:
    def advice(*pictures: int) -> list[str]:
        rows = [SourceRow(f"s{i}", label, n, n, 0, 0) for label in ("ai", "real") for i, n in enumerate(pictures)]
        return [remark.text for remark in balance_remarks(rows) if " gives " in remark.text]

    assert not advice(50, 50)
    assert not advice(100)
    assert advice(70, 30) == ["s0 gives 70% of the ai pictures", "s0 gives 70% of the real pictures"]
    assert len(advice(41, 30, 29)) == 2


def test_an_interval_of_a_remark_is_never_one_number_twice() -> None:
    (remark,) = cue_remarks({"name": Figure(1.0, 1.0, 1.0), "all": Figure(0.5, 0.4, 0.6)}, prepared=False)
    assert remark.text.endswith("AUC 1.000 (within 0.001)")


def test_misplaced_duplicates_are_named() -> None:
    assert misplaced(Duplicates(exact=3, near=4)) == ""
    one = Duplicates(across_splits=1, examples=(("a.png", "b.png"),))
    assert misplaced(one) == "1 family of duplicates stands in several splits (such as a.png, b.png)"
    both = Duplicates(across_splits=2, exact_across_classes=1)
    words = "2 families of duplicates stand in several splits and 1 family of duplicates stands in both classes"
    assert misplaced(both) == words


def test_progress_reaches_the_end(make_folder) -> None:
    samples = load_dataset(make_folder(5), need=())
    steps: list[tuple[int, int]] = []
    audit(samples, progress=lambda done, total: steps.append((done, total)))
    assert steps[0] == (1, 20)
    assert steps[-1] == (20, 20)


@pytest.mark.parametrize("quality", [55, 70, 80, 90])
def test_the_last_jpeg_quality_is_read_from_pixels(quality) -> None:
    photo = np.ascontiguousarray(data.astronaut()[101:349, 77:325])
    for full in (False, True):
        assert last_quality(Codec("JPEG", quality, full).pass_through(photo)) == quality
    twice = Codec("JPEG", quality).pass_through(resize(Codec("JPEG", 65).pass_through(photo), 0.7, "linear"))
    assert last_quality(twice) == pytest.approx(quality, abs=1)


def test_pictures_that_were_no_jpeg_last_have_no_quality() -> None:
    photo = np.ascontiguousarray(data.astronaut()[101:349, 77:325])
    for pixels in (photo, webp(photo, 80), resize(photo, 0.7, "linear"), np.full((64, 64, 3), 9, np.uint8), photo[:5]):
        assert np.isnan(last_quality(pixels))


def test_families_that_look_alike_are_counted_without_those_of_equal_bytes(make_folder) -> None:
    root = make_folder(20)
    one = root / "real/real-one/one003.png"
    with Image.open(one) as image:
        image.resize((70, 70)).save(root / "real/real-one/near.jpg", quality=80)
    samples = list(load_dataset(root, need=()))
    both = [Sample(p, "ai", "x", "x", str(p), "train") for p in (one, root / "real/real-one/near.jpg")]
    report = audit([*samples, *both])  # two pictures in both classes, which are one family
    found = report.duplicates
    assert (found.exact_across_classes, found.across_classes, found.alike_across_classes) == (2, 1, 0)
    assert not any("the same in both classes" in remark.text for remark in report.remarks)
    with Image.open(root / "real/real-one/one004.png") as image:
        image.resize((70, 70)).save(root / "ai/ai-two/remade.jpg", quality=80)
    report = audit([*load_dataset(root, need=()), *both])
    assert any(remark.text == "1 family looks the same in both classes" for remark in report.remarks)
