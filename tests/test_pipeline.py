"""The corridor: what a finding promises, on pictures that the tests make."""

import io
import json
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

import aiforensics
from aiforensics import features, pipeline
from aiforensics.analyzers import SCORED
from aiforensics.decision import reasons
from aiforensics.evidence import Claim, InputError, Provenance, Refusal
from aiforensics.explain import CONDITION_WORDS
from aiforensics.features import FeatureError
from aiforensics.features import row as row_of
from aiforensics.image import Limits, decode, from_array
from aiforensics.pipeline import Scanner, examined, measure
from aiforensics_models.bundle import BundleError
from aiforensics_models.heads import EMBEDDING, Answer


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


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_bytes_of_every_kind_give_the_same_finding(scanner, kind):
    data = encoded(pictures.astronaut())
    assert bare(scanner.scan_bytes(kind(data))) == bare(scanner.scan_bytes(data))


def test_what_is_scanned_as_bytes_is_never_opened_as_a_file(scanner, tmp_path):
    """A text from a form must not read the server's disk."""
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(pictures.astronaut()))
    for wrong in (path, str(path)):
        with pytest.raises(TypeError, match="use scan for a path"):
            scanner.scan_bytes(wrong)


def test_another_process_gives_the_same_finding(scanner, tmp_path):
    path = tmp_path / "cat.jpg"
    path.write_bytes(encoded(pictures.chelsea(), quality=90))
    code = (
        "import sys, json, aiforensics; found = aiforensics.scan(sys.argv[1]).to_dict(); found.pop('seconds');"
        "print(json.dumps(found)); assert not {'torch', 'sklearn', 'xgboost'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == bare(scanner.scan(path))


def test_a_scanner_that_travelled_is_the_same():
    scanner = Scanner(redact=True, limits=Limits(max_pixels=64 * 64))
    other = pickle.loads(pickle.dumps(scanner))  # noqa: S301 - our own
    picture = encoded(pictures.coffee()[:64, :64])
    assert bare(other.scan_bytes(picture)) == bare(scanner.scan_bytes(picture))
    with pytest.raises(InputError, match="pixels"):
        other.scan_bytes(encoded(pictures.coffee()[:65, :64]))


def test_a_finding_has_every_key_of_the_contract(scanner):
    found = scanner.scan_bytes(encoded(pictures.astronaut()), "a.jpg").to_dict()
    assert list(found)[:10] == [
        "schema", "path", "sha256", "bytes", "format", "width", "height", "verdict", "p_ai", "interval",
    ]  # fmt: skip
    assert {"quality", "provenance", "analyzers", "reasons", "model", "tool", "seconds"} <= set(found)
    assert found["schema"] == "aiforensics.finding/1"
    assert found["verdict"] in {"ai", "real", "inconclusive"}
    assert found["interval"][0] <= found["p_ai"] <= found["interval"][1]
    assert len(found["reasons"]) == 12
    assert set(found["reasons"][0]) == {"feature", "value", "unit", "contribution", "text"}
    assert {"ela", "spectrum", "texture", "noise", "jpeg", "color", "uncertainty"} <= set(found["analyzers"])


def test_reasons_are_shares_of_the_score(scanner):
    picture = decode(encoded(pictures.astronaut()))
    _, values, opinion = measure(picture, scanner.bundle.network(), scanner.bundle.enlargement)
    answer = scanner.bundle.head(row_of(scanner.bundle.features, values), opinion.embedding)
    assert answer.base + answer.shares.sum() == pytest.approx(answer.log_odds, abs=1e-4)
    finding = scanner.examine_picture(picture).finding
    by_name = dict(zip(scanner.bundle.features, answer.shares, strict=True))
    for reason in finding.reasons:
        assert reason.contribution == pytest.approx(by_name[reason.feature])
    strengths = [abs(reason.contribution) for reason in finding.reasons]
    assert strengths == sorted(strengths, reverse=True)


def test_the_share_of_a_cue_is_that_of_all_its_features(scanner):
    picture = decode(encoded(pictures.astronaut()))
    told = scanner.examine_picture(picture).finding.to_dict()
    _, values, opinion = measure(picture, scanner.bundle.network(), scanner.bundle.enlargement)
    answer = scanner.bundle.head(row_of(scanner.bundle.features, values), opinion.embedding)
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


@pytest.mark.parametrize(
    ("condition", "change"),
    [
        ("good", lambda pixels: pixels),
        ("large-good", lambda pixels: np.pad(pixels, ((0, 88), (0, 88), (0, 0)), "reflect")),
        ("grey", lambda pixels: pixels.mean(axis=2, keepdims=True).astype(np.uint8).repeat(3, axis=2)),
        ("small", lambda pixels: pixels[100:250, 150:300].copy()),
    ],
)
def test_probability_and_interval_are_those_of_the_condition_and_the_spread(scanner, condition, change):
    picture = from_array(change(pictures.astronaut()))
    _, values, opinion = measure(picture, scanner.bundle.network(), scanner.bundle.enlargement)
    log_odds = scanner.bundle.head(row_of(scanner.bundle.features, values), opinion.embedding).log_odds
    finding = scanner.examine_picture(picture).finding
    calibration = scanner.bundle.calibration
    assert finding.condition == condition
    assert finding.p_ai == calibration.probability(log_odds, condition)
    assert finding.interval == calibration.interval(log_odds, opinion.spread, condition)


def test_every_condition_of_the_shipped_bundle_has_a_line_of_its_own(scanner):
    lines = scanner.bundle.calibration.conditions
    assert set(lines) == set(CONDITION_WORDS)
    assert len(set(lines.values())) == len(lines)


def test_a_feature_that_is_not_measured_is_an_error_and_no_zero():
    with pytest.raises(FeatureError, match=r"needs 1 features.*b\.y"):
        row_of(["a.x", "b.y"], {"a.x": 1.0})


def test_a_reason_says_its_side_and_its_strength(scanner, monkeypatch):
    shares = np.zeros(len(scanner.bundle.features))
    shares[:6] = [2.31, -2.29, 0.7, -0.69, 0.001, 0.0009]
    monkeypatch.setitem(scanner.bundle.__dict__, "head", lambda _row, _embedding: Answer(1.0, shares, 0.0))
    reasons = scanner.examine_picture(from_array(pictures.astronaut())).finding.reasons
    assert [reason.text.partition("it speaks ")[2] for reason in reasons] == [
        "strongly for AI.",
        "clearly for a real picture.",
        "clearly for AI.",
        "slightly for a real picture.",
        "slightly for AI.",
    ]


@pytest.mark.parametrize(
    ("side", "told", "expected"), [(512, 1.4, 1.0), (512, 1.5, 1.5), (512, 4.0, 4.0), (300, 4.0, 2.5), (160, 2.0, 1.0)]
)
def test_a_picture_is_examined_as_enlarged_where_it_is_told_and_enough_is_left(side, told, expected):
    class Told:
        least, names = 1.45, SCORED

        def __call__(self, row):
            assert len(row) == len(SCORED)
            return told

    picture, values = examined(from_array(pictures.astronaut()[:side, :side]), Told())
    assert picture.enlarged == expected
    assert values == examined(picture)[1]


def test_every_analyzer_that_asks_the_network_gets_its_forecast(scanner):
    finding = scanner.examine_picture(from_array(pictures.astronaut())).finding
    found = {feature.name: feature.value for one in finding.analyzers for feature in one.features}
    assert found["uncertainty.available"] == 1.0
    assert found["background.uncertainty_gap"] != 0.0, "the windows of a portrait differ"


@pytest.mark.parametrize("colour", ["white", "black", (21, 32, 43)])
def test_a_picture_on_a_plain_page_is_judged_as_it_is_without_the_page(scanner, colour):
    photo = Image.fromarray(pictures.astronaut()).resize((400, 400))
    page = Image.new("RGB", (1920, 1080), colour)
    page.paste(photo, (704, 304))
    alone, framed = (scanner.scan_bytes(encoded(np.asarray(image), "PNG")) for image in (photo, page))
    assert framed.p_ai == alone.p_ai
    assert framed.quality == alone.quality
    assert alone.notes == ()
    assert framed.notes == ("a plain border was left out, around 400 × 400 pixels",)


def test_no_number_of_a_remark_stands_before_the_measured_one():
    name = "spectrum.residual_peak_max"
    (told,) = reasons((name,), {name: 16.63}, Answer(-0.4, np.array([-0.4]), 0.0))
    assert told.text == (
        "Highest peak of the median residual over its surroundings: 16.6 dB (white noise: 8, level stripes left out); "
        "it speaks slightly for a real picture."
    )


def test_a_finding_says_how_little_of_a_large_picture_was_examined(scanner):
    photo = np.tile(pictures.astronaut(), (4, 4, 1))
    found = scanner.examine_picture(from_array(photo)).finding.notes
    assert found == ("3 windows were examined, 4.7% of the picture: the rest was not judged",)
    page = np.full((2400, 2400, 3), 255, np.uint8)
    page[160:2208, 160:2208] = photo
    border, share = scanner.examine_picture(from_array(page)).finding.notes
    assert border == "a plain border was left out, around 2048 × 2048 pixels"
    assert share == "3 windows were examined, 4.7% of what it surrounds: the rest was not judged"


def test_the_shipped_bundle_tells_an_enlarged_photograph(scanner):
    photo = Image.fromarray(pictures.coffee()[:300, :300])
    larger = np.asarray(photo.resize((900, 900), Image.Resampling.BICUBIC))
    first, thrice = (scanner.examine(encoded(np.asarray(pixels))) for pixels in (photo, larger))
    assert first.picture.enlarged == 1.0
    assert 2.0 <= thrice.picture.enlarged <= 3.5
    assert thrice.finding.width == 900, "the file is as large as it is"
    assert "no more detail than" in thrice.finding.quality.reasons[0]
    for window in thrice.picture.windows:
        x, y, across, down = window.box
        assert max(window.pixels.shape[:2]) <= 256 < max(across, down)
        assert max(x + across, y + down) <= 900


@pytest.mark.parametrize(("times", "said"), [(1.0, False), (1.9, False), (2.1, True), (-0.5, True)])
def test_a_network_that_says_other_or_more_than_its_last_layer_says_so(scanner, monkeypatch, times, said):
    picture = from_array(pictures.astronaut())
    _, values, _ = measure(picture, scanner.bundle.network(), scanner.bundle.enlargement)
    shares = np.zeros(len(scanner.bundle.features))
    shares[scanner.bundle.features.index(EMBEDDING)] = times * values[EMBEDDING]
    monkeypatch.setitem(scanner.bundle.__dict__, "head", lambda _row, _embedding: Answer(1.0, shares, 0.0))
    (reason,) = scanner.examine_picture(picture).finding.reasons
    assert ("with all else that it sees, it speaks" in reason.text) is said


def test_a_picture_far_from_the_reference_is_inconclusive(scanner, monkeypatch):
    reference = scanner.bundle.reference
    picture = from_array(pictures.astronaut())
    assert "unlike" not in str(scanner.examine_picture(picture).finding.quality)
    monkeypatch.setitem(scanner.bundle.__dict__, "reference", replace(reference, usual=reference.usual / 99))
    finding = scanner.examine_picture(picture).finding
    assert (finding.verdict, finding.quality.level) == ("inconclusive", "poor")
    assert "very unlike the pictures" in finding.quality.reasons[0]


@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("hidden", [True, False])
def test_what_a_scanner_is_told_reaches_the_readers(monkeypatch, tmp_path, online, hidden):
    asked = {}

    def read_provenance(_picture, **options):
        asked.update(options)
        return Provenance(claims=(Claim("place", "48.2, 16.3", "EXIF GPS", private=True),))

    monkeypatch.setattr("aiforensics.pipeline.read_provenance", read_provenance)
    monkeypatch.setattr("aiforensics.pipeline.read_anchors", lambda path: path)
    told = Scanner(online=online, redact=hidden, trust=tmp_path)
    finding = told.examine_picture(from_array(pictures.chelsea())).finding
    assert asked == {"online": online, "trust": tmp_path}
    assert (finding.provenance.claims[0].value == "(removed)") == hidden


def test_the_limits_of_a_scanner_hold_for_files_and_bytes(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(pictures.chelsea(), "PNG"))
    narrow = Scanner(limits=Limits(max_side=100))
    for scan, source in ((narrow.scan, path), (narrow.scan_bytes, path.read_bytes())):
        with pytest.raises(InputError, match="100 on a side"):
            scan(source)


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
    def spoilt(picture, network, enlargement):
        picture, values, opinion = measure(picture, network, enlargement)
        return picture, {**values, name: float("nan")}, opinion

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


@pytest.mark.parametrize("peak", [0.01, 40.0])
def test_the_strongest_place_of_the_picture_has_full_colour(scanner, peak):
    examination = scanner.examine_picture(from_array(pictures.astronaut()))
    shares = [1.0, -0.5, *[0.0] * (len(examination.outputs) - 2)]
    outputs = tuple(
        replace(output, activation=np.full((4, 4), share * peak, np.float32))
        for output, share in zip(examination.outputs, shares, strict=True)
    )
    maps = replace(examination, outputs=outputs).activation
    tints = [float(np.mean(one.pixels[..., 0].astype(float) - one.pixels[..., 2])) for one in maps]
    assert tints[:2] == pytest.approx([0.65 * 230, -0.325 * 200], abs=1)
    assert not any(tints[2:])


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
    for one in ("good.png", good, good.read_bytes()):
        with pytest.raises(TypeError, match="use scan for one"):
            aiforensics.scan_many(one)
    with pytest.raises(BundleError):
        aiforensics.scan_many([good], model="nowhere")
    with pytest.raises(ValueError, match="no device 'gpu'"):
        Scanner(device="gpu")


def test_a_model_of_another_version_is_refused_when_it_is_opened(monkeypatch):
    monkeypatch.setattr(pipeline, "SPECS", {EMBEDDING: pipeline.SPECS[EMBEDDING]})
    with pytest.raises(FeatureError, match="install the version that the model names, or train it again"):
        Scanner()


def test_a_model_fitted_to_other_values_is_refused_and_a_network_alone_is_not(monkeypatch):
    monkeypatch.setattr(features, "EDITION", 99)
    with pytest.raises(FeatureError, match=r"fitted to measurements of edition \d+, and this version .* edition 99"):
        Scanner()
    with pytest.raises(FeatureError, match="an earlier edition"):
        features.check_edition(["jpeg.blocking", EMBEDDING], None)
    features.check_edition([EMBEDDING], None)


def test_a_picture_of_one_colour_is_flat_and_not_black_and_white(scanner):
    finding = scanner.scan_bytes(encoded(np.full((300, 300, 3), (200, 10, 10), np.uint8), "PNG"))
    assert finding.quality.reasons[0] == "almost no texture to examine"
    assert not any("black and white" in reason or "tint" in reason for reason in finding.quality.reasons)


def test_a_picture_under_one_tint_is_not_called_black_and_white(scanner):
    grey = pictures.astronaut().mean(axis=2, keepdims=True) * 0.8 + 25.0
    tinted = np.add(grey, [16.0, 0.0, -16.0]).astype(np.uint8)
    assert (
        scanner.scan_bytes(encoded(tinted, "PNG")).quality.reasons[0]
        == "one tint: no colour to measure (the shares of colour say only that)"
    )


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
