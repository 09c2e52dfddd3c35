import json
import os
import tracemalloc

import pytest

from aiforensics_cli.comparing import KEYS, differences, find_findings

pytestmark = pytest.mark.usefixtures("fake_pipeline")


@pytest.fixture
def told(run, picture, tmp_path):
    """A picture, and the file with its finding."""
    path = picture("a.png")
    report = tmp_path / "told.json"
    report.write_text(run("scan", path, "--json").out)
    return path, report


def test_a_true_finding_agrees(run, told):
    path, report = told
    done = run("verify", report, path)
    assert done.status == 0
    assert done.out.startswith("agrees")


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("p_ai", 0.9, "p_ai: the finding says 0.9, this scan says 0.125"),
        ("verdict", "ai", 'verdict: the finding says "ai", this scan says "real"'),
        ("sha256", "0" * 64, "sha256: the finding says"),
        ("interval", [0.1, 0.3], "interval[1]: the finding says 0.3, this scan says 0.2"),
        ("reasons", [], 'reasons[0].feature: the finding says nothing, this scan says "ela.mean"'),
        ("decision", "Certainly real.", 'decision: the finding says "Certainly real."'),
        ("notes", ["signed by Reuters"], 'notes[0]: the finding says "signed by Reuters"'),
        ("tool", {"name": "aiforensics", "version": "9.9"}, 'tool.version: the finding says "9.9"'),
        ("provenance", {"level": "signed", "origin": "unknown"}, 'provenance.level: the finding says "signed"'),
        ("model", {"name": "default", "version": "1.0", "sha256": "x"}, 'model.sha256: the finding says "x"'),
    ],
)
def test_a_changed_finding_differs(run, told, key, value, line):
    path, report = told
    report.write_text(json.dumps({**json.loads(report.read_text()), key: value}))
    done = run("verify", report, path)
    assert done.status == 1
    assert line in done.out
    assert len(done.out.splitlines()) >= 1


@pytest.mark.parametrize(("others", "told_so"), [({}, True), ({"p_ai": 0.9}, False)])
def test_measurements_that_differ_alone_are_told_from_the_answer(run, told, others, told_so):
    """On another kind of processor a measurement differs by more than rounding, and the answer does not."""
    path, report = told
    finding = json.loads(report.read_text())
    report.write_text(json.dumps({**finding, "analyzers": {"jpeg": {"digit_gap": 0.0660586}}, **others}))
    done = run("verify", report, path)
    assert done.status == 1
    assert "differs  analyzers.jpeg.digit_gap" in done.out
    assert ("verdict, probability, interval and quality agree" in done.err) == told_so


def test_a_changed_picture_differs(run, told, picture):
    _, report = told
    done = run("verify", report, picture("a.png", seed=5))
    assert done.status == 1
    assert "differs  sha256" in done.out
    assert done.out.count("\n") == 1, "of another picture nothing else has to agree"


def test_the_finding_of_the_picture_is_found_among_others(run, told, picture, tmp_path):
    path, report = told
    lines = run("scan", picture("b.png", seed=3), tmp_path / "none", path, "--json").out
    report.write_text(lines)
    assert run("verify", report, path).status == 0
    assert run("verify", report, picture("c.png", seed=4)).status == 2
    report.write_text(json.dumps([json.loads(line) for line in lines.splitlines()]))
    assert run("verify", report, path).status == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', "null", "x" * 10])
def test_a_file_without_findings_is_a_usage_error(run, told, text):
    path, report = told
    report.write_text(text)
    assert run("verify", report, path).status == 2


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"\xff\xd8\xff\xe0", "this is not text"),
        (b'{"sha256": "x", "model": {}}', "names no model"),
        (b'{"sha256": "x", "model": 7}', "names no model"),
        (b'{"sha256": "x", "model": {"name": ["a"]}}', "names no model"),
        (b'{"sha256": "x", "model": {"name": "."}}', "use --model DIR"),
        (b"[" * 100_000, "nested"),
    ],
)
def test_a_report_that_cannot_be_checked_is_one_clear_line(run, told, content, line):
    path, report = told
    report.write_bytes(content)
    done = run("verify", report, path)
    assert done.status == 2
    assert line in done.err
    assert done.err.startswith("aiforensics: ")
    assert "internal error" not in done.err
    assert len(done.err.splitlines()) == 1


def test_a_folder_that_a_finding_names_is_never_opened(run, told, monkeypatch, fakes):
    path, report = told
    opened = []
    monkeypatch.setattr(fakes.GateScanner, "__init__", lambda self, model, **_: opened.append(model))
    for name in ("/evil", "../evil", "evil", str(report.parent)):
        finding = json.loads(report.read_text())
        report.write_text(json.dumps({**finding, "model": {**finding["model"], "name": name}}))
        assert run("verify", report, path).status == 2
    assert opened == []


def test_trust_and_online_are_those_of_scan(run, told, monkeypatch, fakes):
    path, report = told
    given = []

    class Scanner(fakes.GateScanner):
        def __init__(self, model, **options):
            given.append((model, options))
            super().__init__(model, **options)

    monkeypatch.setattr("aiforensics.pipeline.Scanner", Scanner)
    trust = report.parent / "root.pem"
    trust.write_text("certificates")
    assert run("verify", report, path, "--trust", trust, "--online").status == 0
    assert given == [("default", {"device": "cpu", "redact": False, "online": True, "trust": trust})]


def test_numbers_agree_within_the_tolerance_and_words_exactly():
    told = {"p_ai": 0.5, "width": 7, "analyzers": {"ela": {"mean": 1.0}}}
    assert differences(told, {**told, "p_ai": 0.5004}, 1e-3) == []
    assert [key for key, *_ in differences(told, {**told, "p_ai": 0.502}, 1e-3)] == ["p_ai"]
    assert [key for key, *_ in differences(told, {**told, "width": 8}, 0.5)] == ["width"]
    assert [key for key, *_ in differences(told, {**told, "analyzers": {"ela": {"mean": True}}}, 1)] == [
        "analyzers.ela.mean"
    ]
    assert differences({"p_ai": 1.0}, {"p_ai": 1}, 0.0) == []
    assert [key for key, *_ in differences({**told, "width": 7.001}, told, 0.5)] == ["width"]


def test_a_redacted_finding_is_compared_with_a_redacted_scan(run, picture, tmp_path):
    path, report = picture("private.png"), tmp_path / "told.json"
    report.write_text(run("scan", path, "--json", "--redact").out)
    assert "Jane" not in report.read_text()
    assert run("verify", report, path).status == 0
    changed = json.loads(report.read_text())
    changed["provenance"]["claims"].append({"kind": "author", "value": "(removed)", "source": "EXIF"})
    report.write_text(json.dumps(changed))
    done = run("verify", report, path)
    assert done.status == 1
    assert "provenance.claims[1].kind" in done.out
    assert "Jane" not in done.out


def test_everything_of_the_contract_is_compared(run, told):
    (finding,) = [json.loads(told[1].read_text())]
    free = {"schema", "path", "seconds"}
    assert finding.keys() - {key.partition(".")[0] for key in KEYS} == free


def test_every_finding_of_the_picture_has_to_hold(run, told):
    path, report = told
    finding = json.loads(report.read_text())
    report.write_text("\n".join(map(json.dumps, (finding, {**finding, "verdict": "ai", "p_ai": 0.99}))))
    done = run("verify", report, path)
    assert done.status == 1
    assert done.out.startswith("agrees")
    assert 'verdict: the finding says "ai"' in done.out


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"conclusion": "Proven fake"}, 'conclusion: the finding says "Proven fake", this scan says nothing'),
        ({"schema": "x/9"}, 'schema: the finding says "x/9"'),
    ],
)
def test_what_a_scan_never_says_differs(run, told, more, line):
    path, report = told
    report.write_text(json.dumps({**json.loads(report.read_text()), **more}))
    done = run("verify", report, path)
    assert done.status == 1
    assert line in done.out


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("indent", [None, 1])
def test_a_finding_is_read_in_the_encodings_that_windows_writes(run, told, encoding, indent):
    path, report = told
    report.write_text(json.dumps(json.loads(report.read_text()), indent=indent) + "\n", encoding=encoding)
    assert run("verify", report, path).status == 0


def test_a_picture_that_a_batch_met_a_thousand_times_is_scanned_once(run, told, monkeypatch, fakes):
    path, report = told
    report.write_text(report.read_text() * 1000)
    scan, scanned = fakes.GateScanner.scan, []
    monkeypatch.setattr(fakes.GateScanner, "scan", lambda self, source: scanned.append(source) or scan(self, source))
    done = run("verify", report, path)
    assert (done.status, len(done.out.splitlines()), scanned) == (0, 1000, [path])


def test_lines_are_read_one_by_one(told, picture):
    path, report = told
    line = report.read_text()
    report.write_text((line.replace('"sha256": "', '"sha256": "x') + " " * 9_000 + "\n") * 3_000 + line)
    tracemalloc.start()
    (found,) = find_findings(report, path)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == json.loads(line)
    assert held < report.stat().st_size / 10


@pytest.mark.parametrize("cut", [1, 40, -2])
def test_of_a_file_whose_last_line_is_torn_the_others_are_checked(run, told, cut):
    path, report = told
    line = report.read_text()
    report.write_text(line + line[:cut])
    done = run("verify", report, path)
    assert (done.status, done.out.count("agrees")) == (2, 1)
    assert done.err.startswith(f"aiforensics: {report}: line 2, the last, is cut off")
    report.write_text(line.replace('"verdict": "real"', '"verdict": "ai"') + line[:cut])
    assert run("verify", report, path).status == 1
    report.write_text(line + "no JSON\n" + line)
    assert "this is not JSON" in run("verify", report, path).err


def test_the_csv_of_a_batch_is_called_by_its_name(run, told):
    path, report = told
    run("batch", path, f"--csv={report}", "--overwrite", "--workers", 1)
    done = run("verify", report, path)
    assert (done.status, done.out) == (2, "")
    assert "this is a CSV, which lacks the measurements" in " ".join(done.err.replace("│", " ").split())


def test_a_pipe_is_no_picture_to_verify(run, told, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    done = run("verify", told[1], tmp_path / "pipe.png")
    assert (done.status, done.err) == (
        2,
        f"aiforensics: {tmp_path / 'pipe.png'}: this is a device or a pipe: give a file\n",
    )


def test_a_picture_agrees_under_whatever_name_it_has():
    told = {"sha256": "a", "notes": ["the name says JPEG, the bytes are PNG", "16 bits reduced"]}
    assert differences(told, {"sha256": "a", "notes": ["16 bits reduced"]}, 0) == []
    assert differences({"sha256": "a", "notes": ["16 bits reduced"]}, told, 0) == []
    assert differences({"sha256": "a", "notes": []}, told, 0) == [("notes[0]", "nothing", '"16 bits reduced"')]
