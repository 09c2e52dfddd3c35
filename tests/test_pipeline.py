"""The corridor: what a finding promises, on pictures that the tests make."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

import aiforensics
from aiforensics import pipeline
from aiforensics.evidence import InputError, Quality, Refusal
from aiforensics.features import FeatureError
from aiforensics.image import decode, from_array
from aiforensics.pipeline import Scanner, decide, measure
from aiforensics_models.bundle import BundleError
from aiforensics_models.calibration import Calibration, Line
from aiforensics_models.heads import EMBEDDING


@pytest.fixture(scope="module")
def scanner():
    return Scanner()


def encoded(pixels, fmt="JPEG", **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, fmt, **options)
    return stream.getvalue()


def bare(finding):
    found = finding.to_dict()
    found.pop("seconds")
    return json.dumps(found)


def test_the_same_bytes_give_the_same_finding(scanner):
    data = encoded(pictures.astronaut(), quality=92)
    first = bare(scanner.scan_bytes(data))
    assert bare(scanner.scan_bytes(data)) == first
    assert bare(Scanner().scan_bytes(data)) == first


def test_another_process_gives_the_same_finding(scanner, tmp_path):
    path = tmp_path / "cat.jpg"
    path.write_bytes(encoded(pictures.chelsea(), quality=90))
    code = (
        "import sys, json, aiforensics; found = aiforensics.scan(sys.argv[1]).to_dict(); found.pop('seconds');"
        "print(json.dumps(found)); assert not {'torch', 'sklearn', 'xgboost'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == bare(scanner.scan(path))


def test_a_finding_has_every_key_of_the_contract(scanner):
    found = scanner.scan_bytes(encoded(pictures.astronaut()), "a.jpg").to_dict()
    assert list(found)[:10] == [
        "schema", "path", "sha256", "bytes", "format", "width", "height", "verdict", "p_ai", "interval",
    ]  # fmt: skip
    assert {"quality", "provenance", "analyzers", "reasons", "model", "tool", "seconds"} <= set(found)
    assert found["schema"] == "aiforensics.finding/1"
    assert found["verdict"] in {"ai", "real", "inconclusive"}
    assert found["interval"][0] <= found["p_ai"] <= found["interval"][1]
    assert set(found["reasons"][0]) == {"feature", "value", "unit", "contribution", "text"}
    assert {"ela", "spectrum", "texture", "noise", "jpeg", "color", "uncertainty"} <= set(found["analyzers"])


def test_reasons_are_shares_of_the_score(scanner):
    picture = decode(encoded(pictures.astronaut()))
    values, _ = measure(picture, scanner.bundle.network())
    row = np.array([values[name] for name in scanner.bundle.features])
    answer = scanner.bundle.head(row)
    assert answer.base + answer.shares.sum() == pytest.approx(answer.log_odds, abs=1e-4)
    finding = scanner.examine_picture(picture).finding
    by_name = dict(zip(scanner.bundle.features, answer.shares, strict=True))
    for reason in finding.reasons:
        assert reason.contribution == pytest.approx(by_name[reason.feature])
    strengths = [abs(reason.contribution) for reason in finding.reasons]
    assert strengths == sorted(strengths, reverse=True)


def test_the_share_of_a_cue_is_that_of_all_its_features(scanner):
    finding = scanner.scan_bytes(encoded(pictures.astronaut()))
    told = finding.to_dict()
    answer = scanner.bundle.head(
        np.array([f.value for m in finding.analyzers for f in m.features if f.name in scanner.bundle.features])
    )
    scored = dict(zip(scanner.bundle.features, answer.shares, strict=True))
    assert set(told["contributions"]) == {name.partition(".")[0] for name in scored}
    for name, share in told["contributions"].items():
        assert share == pytest.approx(sum(v for k, v in scored.items() if k.startswith(f"{name}.")), abs=1e-5)
    assert sum(told["contributions"].values()) == pytest.approx(answer.log_odds - answer.base, abs=1e-4)
    assert sum(r["contribution"] for r in told["reasons"]) != pytest.approx(sum(told["contributions"].values()))


def test_container_name_and_metadata_never_move_the_score(scanner):
    pixels = pictures.astronaut()[:300, :280]
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "Canon EOS 5D"
    plain = scanner.scan_bytes(encoded(pixels, "PNG"), "IMG_0001.png")
    told = scanner.scan_bytes(encoded(pixels, "PNG", exif=exif), "midjourney.png")
    other = scanner.scan_bytes(encoded(pixels, "BMP"), "x")
    for one in (told, other):
        assert (one.p_ai, one.interval, one.reasons) == (plain.p_ai, plain.interval, plain.reasons)
    assert told.provenance.level == "claimed"


def test_input_pixels_are_not_changed(scanner):
    pixels = pictures.astronaut().copy()
    scanner.examine_picture(from_array(pixels))
    assert (pixels == pictures.astronaut()).all()


@pytest.mark.parametrize("size", [(1, 1), (7, 400), (400, 2)])
def test_a_picture_of_a_few_pixels_is_refused(scanner, size):
    with pytest.raises(InputError, match=rf"only {size[1]} × {size[0]} pixels.*at least 8") as caught:
        scanner.scan_bytes(encoded(np.zeros((*size, 3), np.uint8), "PNG"))
    assert caught.value.kind == "unsupported"


@pytest.mark.parametrize("size", [(8, 8), (8, 400), (70, 70)])
def test_tiny_pictures_are_inconclusive_and_say_why(scanner, size):
    finding = scanner.scan_bytes(encoded(np.full((*size, 3), 90, np.uint8), "PNG"))
    assert finding.verdict == "inconclusive"
    assert finding.quality.level == "poor"
    assert "pixels" in finding.quality.reasons[0]


def test_a_flat_picture_is_inconclusive(scanner):
    finding = scanner.scan_bytes(encoded(np.full((600, 600, 3), 120, np.uint8), "PNG"))
    assert (finding.verdict, finding.quality.level) == ("inconclusive", "poor")


def test_black_and_white_is_told_and_calibrated_for(scanner):
    colour = pictures.astronaut()
    grey = np.repeat(colour.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    sides = {"colour": colour, "grey": grey, "one channel": grey[..., 0]}
    found = {name: scanner.scan_bytes(encoded(pixels, quality=96)) for name, pixels in sides.items()}
    assert found["colour"].condition == "good"
    for name in ("grey", "one channel"):
        assert (found[name].condition, found[name].quality.level) == ("grey", "limited")
        assert "black and white" in found[name].quality.reasons[0]
    assert found["grey"].p_ai == pytest.approx(found["one channel"].p_ai, abs=0.15)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda image: image.convert("1"), "only 2 shades"),
        (lambda image: image.quantize(8), "only 8 colours"),
        (lambda image: image.convert("P"), "colours, which hide"),
        (lambda image: image.convert("L").quantize(12), "shades"),
    ],
)
def test_a_palette_hides_the_traces(scanner, change, line):
    stream = io.BytesIO()
    change(Image.fromarray(pictures.astronaut())).save(stream, "PNG")
    finding = scanner.scan_bytes(stream.getvalue())
    assert (finding.verdict, finding.quality.level) == ("inconclusive", "poor")
    assert line in finding.quality.reasons[0]


def test_a_palette_that_was_fitted_to_its_picture_limits_the_evidence(scanner):
    stream = io.BytesIO()
    Image.fromarray(pictures.astronaut()).quantize(256).save(stream, "PNG")
    quality = scanner.scan_bytes(stream.getvalue()).quality
    assert quality.level == "limited"
    assert "as many as a palette has" in quality.reasons[0]


@pytest.mark.parametrize("name", ["texture.mscn_shape", EMBEDDING])
def test_no_verdict_rests_on_what_is_no_number(scanner, name, monkeypatch):
    def spoilt(picture, network):
        values, opinion = measure(picture, network)
        return {**values, name: float("nan")}, opinion

    monkeypatch.setattr("aiforensics.pipeline.measure", spoilt)
    with pytest.raises(ArithmeticError, match=f"{name} is nan"):
        scanner.scan_bytes(encoded(pictures.astronaut()))


def test_crushed_pictures_have_poor_evidence(scanner):
    finding = scanner.scan_bytes(encoded(pictures.astronaut(), quality=20))
    assert finding.quality.level == "poor"
    assert any("compression" in reason for reason in finding.quality.reasons)


def test_examination_draws_maps_over_its_windows(scanner):
    examination = scanner.examine(encoded(pictures.astronaut()))
    offsets = {(window.x, window.y) for window in examination.picture.windows}
    assert len(examination.activation) == len(examination.picture.windows)
    assert {(one.x, one.y) for one in (*examination.maps, *examination.activation)} == offsets
    for one in (*examination.maps, *examination.activation):
        assert one.pixels.dtype == np.uint8
        assert one.pixels.shape[2] == 3


def test_the_embedding_is_measured_for_every_row(scanner):
    assert EMBEDDING in scanner.bundle.features
    found = scanner.scan_bytes(encoded(pictures.astronaut())).to_dict()
    assert "log_odds" in found["analyzers"]["embedding"]


def test_a_defect_that_one_picture_lays_bare_does_not_stop_the_others(tmp_path, monkeypatch):
    def scan(self, source):
        raise {"a": ZeroDivisionError("a defect"), "b": MemoryError()}.get(
            source, InputError("truncated", "ends early")
        )

    monkeypatch.setattr(Scanner, "scan", scan)
    found = [item for item in aiforensics.scan_many(["a", "b", "c"]) if isinstance(item, Refusal)]
    assert [item.kind for item in found] == ["unreadable", "too-large", "truncated"]
    assert found[0].message == "the scan failed: ZeroDivisionError: a defect"


def test_the_public_api(tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(encoded(pictures.chelsea(), "PNG"))
    bad.write_bytes(b"no picture")
    assert aiforensics.scan(good).width == pictures.chelsea().shape[1]
    found = list(aiforensics.scan_many([good, bad, tmp_path / "lost.png"]))
    assert isinstance(found[0], aiforensics.Finding)
    assert [item.kind for item in found[1:] if isinstance(item, Refusal)] == ["unsupported", "not-found"]
    with pytest.raises(InputError):
        aiforensics.scan(bad)
    with pytest.raises(AttributeError, match="nothing"):
        _ = aiforensics.nothing
    assert aiforensics.batch.Listing
    with pytest.raises(TypeError, match="use scan for one"):
        aiforensics.scan_many("good.png")
    with pytest.raises(BundleError):
        aiforensics.scan_many([good], model="nowhere")
    with pytest.raises(ValueError, match="no device 'gpu'"):
        Scanner(device="gpu")


def test_a_model_of_another_version_is_refused_when_it_is_opened(monkeypatch):
    monkeypatch.setattr(pipeline, "SPECS", {EMBEDDING: pipeline.SPECS[EMBEDDING]})
    with pytest.raises(FeatureError, match="install the version that the model names, or train it again"):
        Scanner()


def test_a_picture_of_one_colour_is_flat_and_not_black_and_white(scanner):
    finding = scanner.scan_bytes(encoded(np.full((300, 300, 3), (200, 10, 10), np.uint8), "PNG"))
    assert finding.quality.reasons[0] == "almost no texture to examine"
    assert not any("black and white" in reason or "tint" in reason for reason in finding.quality.reasons)


def test_a_picture_under_one_tint_is_not_called_black_and_white(scanner):
    grey = pictures.astronaut().mean(axis=2, keepdims=True) * 0.8 + 25.0
    tinted = np.add(grey, [16.0, 0.0, -16.0]).astype(np.uint8)
    assert scanner.scan_bytes(encoded(tinted, "PNG")).quality.reasons[0] == "one tint: no colour to measure"


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.6, "The probability 60% lies between 23% and 91%,"),
        (0.9125, "The probability 91.2% lies between 22.9% and 91.4%,"),
        (0.91396, "The probability 91.396% lies between 22.900% and 91.400%,"),
        (0.004, "The probability <1% is below 23%,"),
        (0.997, "The probability >99% is at or above 91%,"),
    ],
)
def test_a_decision_tells_the_probability_from_the_thresholds(p, said):
    calibration = Calibration({"good": Line(1.0, 0.0, 0.1)}, 0.229, 0.914)
    _, decision = decide(calibration, p, Quality("good"), (max(0.0, p - 0.01), min(1.0, p + 0.01)))
    assert decision.startswith(said)


def test_tables_that_change_no_pixel_change_no_probability(scanner):
    stream = io.BytesIO()
    image = Image.fromarray(pictures.astronaut()).resize((1024, 1024), Image.Resampling.BICUBIC).crop((0, 0, 512, 512))
    image.save(stream, "JPEG", quality=90)
    data = bytearray(stream.getvalue())
    found = scanner.scan_bytes(bytes(data))
    at = data.index(b"\xff\xdb") + 5 + 63
    data[at] = 255  # the finest step, which no coefficient of an enlarged picture uses
    again = scanner.scan_bytes(bytes(data))
    assert (np.asarray(Image.open(stream)) == np.asarray(Image.open(io.BytesIO(bytes(data))))).all()
    assert (again.p_ai, again.interval, again.condition) == (found.p_ai, found.interval, found.condition)
