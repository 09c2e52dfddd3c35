import ast
import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from aiforensics import provenance
from aiforensics.batch import COLUMNS, BatchError, Ledger, to_row
from aiforensics.batch.ledger import from_cell, read_back, to_cell
from aiforensics.evidence import SCHEMA, Claim, Provenance, Quality, Reason, Refusal

CONTRACT = "path,sha256,format,width,height,verdict,p_ai,low,high,quality,provenance,top_reason,error"


@pytest.fixture
def results(fakes):
    names = ["a.jpg", "=1+1.jpg", 'new\nline,"q".jpg', "'=x", "caf\udce9.jpg", "ünï.jpg"]
    return [*(fakes.finding(n).to_dict() for n in names), Refusal("-z.png", "truncated", "ends early").to_dict()]


def test_the_columns_begin_as_the_contract_says():
    assert ",".join(COLUMNS).startswith(CONTRACT)


def test_rows_carry_the_finding_and_no_formula(fakes):
    row = to_row(fakes.finding("@evil.png").to_dict())
    assert row["path"] == "'@evil.png"
    assert row["top_reason"].startswith("'=cmd")
    assert (row["verdict"], row["p_ai"], row["low"], row["high"]) == ("real", "0.125", "0.1", "0.2")
    assert (row["quality"], row["provenance"], row["error"]) == ("good", "none", "")
    refused = to_row(Refusal("x", "timeout", "no result").to_dict())
    assert refused["error"] == "timeout: no result"
    assert refused["verdict"] == ""


def test_a_csv_is_utf8_whatever_the_names_are(tmp_path, fakes):
    ledger = Ledger(tmp_path / "o.csv", "csv")
    ledger.write(fakes.finding("caf\udce9.jpg").to_dict())
    ledger.close()
    assert r"caf\udce9.jpg," in (tmp_path / "o.csv").read_text(encoding="utf-8")


def test_of_poor_evidence_no_cue_is_the_top_reason(fakes):
    poor = replace(fakes.finding("a.png"), quality=Quality("poor", ("64 px", "heavy compression")))
    assert to_row(poor.to_dict())["top_reason"] == "not judged: 64 px; heavy compression"


@pytest.mark.parametrize(("p_ai", "told"), [(0.8, "for AI"), (0.2, "for real")])
def test_the_top_reason_speaks_for_the_probability(fakes, p_ai, told):
    shares = {"for real": -2.0, "for AI": 1.0, "a little": 0.1}
    reasons = tuple(Reason("ela.mean_error", 1.0, "", share, text) for text, share in shares.items())
    assert to_row(replace(fakes.finding("a.png"), p_ai=p_ai, reasons=reasons).to_dict())["top_reason"] == told
    against = replace(fakes.finding("a.png"), p_ai=0.8, reasons=reasons[:1])
    assert to_row(against.to_dict())["top_reason"] == ""


@pytest.mark.parametrize("start", [*"=+-@'", "＝", "\t=", "\r="])
def test_no_cell_begins_like_a_formula(start):
    path = to_row(Refusal(f"{start}1", "unreadable", "x").to_dict())["path"]
    assert path[0] in "'\\"


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("name", ["x;=1+1;.jpg", 'x;"=1+1".jpg', "a,b;@x.jpg", ";-1", "a;\t=1", ";'=1"])
def test_no_cell_is_a_formula_wherever_a_spreadsheet_splits(delimiter, name):
    stream = io.StringIO()
    Ledger(stream, "csv").write(Refusal(name, "unreadable", f"the member {name} is broken").to_dict())
    for row in csv.reader(io.StringIO(stream.getvalue()), delimiter=delimiter):
        assert not [cell for cell in row if cell.strip('"').startswith(tuple("=+-@\t\r"))]


@pytest.mark.parametrize(
    "text",
    [
        "a\nb",
        r"a\x0ab",
        "\\\n",
        r"\x5cx0a",
        r"C:\pictures\x.jpg",
        r"\\xff",
        "'=x",
        "a;=1",
        "caf\udce9",
        r"caf\udce9",
        "\xe9\udcff",
        "\x85;",
        "a\u202egpj.exe",
        r"a\u202egpj.exe",
        "\\\u202e",
        r"\u5cu202e",
        "\U000e0041\ufeff",
        r"\U000e0041 \Uffffffff",
        "",
    ],
)
def test_a_cell_is_read_back_as_the_text_it_was(text):
    assert from_cell(to_cell(text)) == text
    assert to_cell(r"C:\pictures\x.jpg") == r"C:\pictures\x.jpg"


@pytest.mark.parametrize("sign", [*"\xad\u061c\u200b\u200f\u2028\u202e\u2066\ufeff", "\U000e0041"])
def test_no_cell_hides_a_sign_or_turns_its_name_around(sign):
    for text in (f"a{sign}gpj.exe", f"{sign}=1+1"):
        cell = to_cell(text)
        assert cell.isascii()
        assert cell.isprintable()
        assert not cell.startswith("=")
        assert from_cell(cell) == text
    assert to_cell("ünï עברית 日本 🙂.jpg") == "ünï עברית 日本 🙂.jpg"


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_names_that_look_alike_in_a_cell_are_two_names(tmp_path, fakes, kind):
    names = ["a\nb.jpg", r"a\x0ab.jpg", r"a\x5cx0ab.jpg"]
    ledger = Ledger(tmp_path / "o", kind)
    ledger.write(fakes.finding(names[0]).to_dict())
    ledger.close()
    ledger = Ledger(tmp_path / "o", kind, resume=True)
    assert [ledger.holds(name) for name in names] == [True, False, False]
    for name in names[1:]:
        ledger.write(fakes.finding(name).to_dict())
    ledger.close()
    assert [result["path"] for result in read_back(tmp_path / "o", kind)] == names


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_line_stands_for_one_of_the_results_of_its_name(tmp_path, fakes, kind):
    for count in (1, 3):
        ledger = Ledger(tmp_path / "o", kind, resume=True)
        for data in (b"1", b"2", b"3")[:count]:
            ledger.write(fakes.finding("a.zip!p.png", data).to_dict())
        ledger.close()
    told = [result["sha256"] for result in read_back(tmp_path / "o", kind)]
    assert told == [fakes.finding("", data).sha256 for data in (b"1", b"2", b"3")]


@pytest.mark.parametrize(
    "claim",
    [
        Claim("prompt", "a cat", "XMP", private=True),
        Claim("seed", "7", "PNG tEXt my cat"),
        Claim("seed", "my cat Tom", "PNG tEXt", private=True),
        Claim("colour-profile", "Jane's screen", "ICC profile", private=True),
        Claim("date", "taken by Jane", "EXIF tag 36867", private=True),
    ],
)
def test_a_file_that_was_begun_without_redact_is_not_continued_with_it(tmp_path, fakes, claim):
    open_one = replace(fakes.finding("a.png"), provenance=Provenance(claims=(claim,)))
    refused = Refusal("b.png", "truncated", "ends early")
    for held in (replace(open_one, provenance=provenance.redact(open_one.provenance)), open_one):
        ledger = Ledger(tmp_path / "o", "jsonl")
        ledger.write(refused.to_dict())
        ledger.write(held.to_dict())
        ledger.close()
        again = Ledger(tmp_path / "o", "jsonl", resume=True)
        if held is open_one:
            with pytest.raises(BatchError, match="line 2 was written without --redact"):
                again.check_redacted()
        else:
            again.check_redacted()
        again.close()


def test_what_readers_call_private_is_what_a_line_may_not_say():
    """No reader says it of its own claims; one place asks for all of them as the ledger does."""
    trees = [ast.parse(f.read_text("utf-8")) for f in Path(provenance.__file__).parent.rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    asked = [
        (ast.unparse(call.func), ast.unparse(keyword.value))
        for call in calls
        for keyword in call.keywords
        if keyword.arg == "private"
    ]
    assert asked == [("replace", "is_private(told.kind, told.value)")]


@pytest.mark.parametrize(("held", "more"), [(True, False), (False, False), (True, True)])
def test_a_file_that_was_begun_with_redact_is_not_continued_without_it(tmp_path, fakes, held, more):
    told = Provenance(claims=(Claim("prompt", "a cat", "XMP", private=True),))
    ledger = Ledger(tmp_path / "o", "jsonl")
    ledger.write(fakes.finding("a.png").to_dict())
    if held:
        ledger.write(replace(fakes.finding("b.png"), provenance=provenance.redact(told)).to_dict())
    if more:  # a stranger's own words, or a file that was continued so before
        ledger.write(replace(fakes.finding("c.png"), provenance=told).to_dict())
    ledger.close()
    again = Ledger(tmp_path / "o", "jsonl", resume=True)
    if held and not more:
        with pytest.raises(BatchError, match="line 2 was written with --redact"):
            again.check_unredacted()
    else:
        again.check_unredacted()


@pytest.mark.parametrize("model", ["+mine", "=x", "@home", "best;=2"])
def test_results_of_a_model_with_an_odd_name_are_continued(tmp_path, fakes, model):
    for path in ("a.png", "b.png"):
        ledger = Ledger(tmp_path / "o.csv", "csv", resume=True)
        ledger.write(fakes.finding(path, model=model).to_dict())
        ledger.close()
    assert [result["path"] for result in read_back(tmp_path / "o.csv", "csv")] == ["a.png", "b.png"]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_refusals_of_the_file_that_is_continued_are_counted(tmp_path, results, kind):
    ledger = Ledger(tmp_path / "o", kind)
    for result in [*results, Refusal("b.png", "timeout", "no result").to_dict()]:
        ledger.write(result)
    ledger.close()
    assert ledger.refused == 0
    again = Ledger(tmp_path / "o", kind, resume=True)
    assert again.refused == 2
    again.close()


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_torn_file_is_continued_without_loss_or_repetition(tmp_path, results, kind):
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    ledger = Ledger(whole, kind)
    for result in results:
        ledger.write(result)
    ledger.close()
    lines = whole.read_bytes().splitlines(keepends=True)
    assert len(lines) == len(results) + (kind == "csv")
    for size in range(0, whole.stat().st_size, 37):
        torn.write_bytes(whole.read_bytes()[:size])
        ledger = Ledger(torn, kind, resume=True)
        for result in results:
            ledger.write(result)
        ledger.close()
        assert torn.read_bytes() == whole.read_bytes()
    assert next(r["path"] for r in read_back(whole, kind)) == "a.jpg"
    assert [r.get("p_ai") for r in read_back(whole, kind)] == [0.125] * 6 + [None]


def test_the_csv_is_read_by_a_csv_reader(results):
    stream = io.StringIO()
    ledger = Ledger(stream, "csv")
    for result in results:
        ledger.write(result)
    rows = list(csv.DictReader(io.StringIO(stream.getvalue())))
    assert [r["path"] for r in rows][2] == 'new\\x0aline,"q".jpg'
    assert rows[-1]["error"] == "truncated: ends early"


def test_json_lines_are_the_results(results):
    stream = io.StringIO()
    ledger = Ledger(stream, "jsonl")
    for result in results:
        ledger.write(result)
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == results


def test_without_resume_the_file_starts_anew(tmp_path, results):
    for _ in range(2):
        ledger = Ledger(tmp_path / "o.csv", "csv")
        ledger.write(results[0])
        ledger.close()
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("csv", "a,b\n1,2\n"),
        ("csv", ",".join(COLUMNS) + "\n" + "x" * 200_000 + "\n"),
        ("csv", ",".join(COLUMNS) + "\na.png,0,PNG,1,1,maybe,0.5,0.1,0.9,good,none,,,unknown,m 1 0\n"),
        *(("jsonl", text) for text in ("{}\n", "[1]\n", "x\n", '{"path": 1}\n', "[" * 100_000 + "\n")),
        *(("jsonl", f'{{"schema": "{SCHEMA}", "path": "x"{more}}}\n') for more in ("", ', "error": 5')),
    ],
)
def test_another_file_is_not_continued(tmp_path, kind, text):
    (tmp_path / "o").write_text(text)
    with pytest.raises(BatchError, match="cannot be continued"):
        Ledger(tmp_path / "o", kind, resume=True)
    assert (tmp_path / "o").read_text() == text


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_file_of_one_line_without_an_end_is_not_cut_unless_it_is_ours(tmp_path, kind):
    (tmp_path / "o").write_text("somebody's only line")
    with pytest.raises(BatchError, match="cannot be continued"):
        Ledger(tmp_path / "o", kind, resume=True)
    assert (tmp_path / "o").read_text() == "somebody's only line"


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("place", ["pipe", "/dev/null"])
def test_a_pipe_and_a_device_are_not_continued(tmp_path, kind, place):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BatchError, match="cannot be continued: it is a device or a pipe"):
        Ledger(tmp_path / place, kind, resume=True)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_what_was_there_goes_with_the_first_result(tmp_path, results, kind):
    (tmp_path / "o").write_text("earlier results\n")
    ledger = Ledger(tmp_path / "o", kind)
    assert (tmp_path / "o").read_text() == "earlier results\n"
    ledger.write(results[0])
    ledger.close()
    assert "earlier results" not in (tmp_path / "o").read_text()
    assert len(list(read_back(tmp_path / "o", kind))) == 1


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("resume", [False, True])
def test_no_file_is_made_before_the_first_result(tmp_path, results, kind, resume):
    ledger = Ledger(tmp_path / "o", kind, resume=resume)
    ledger.close()
    assert not (tmp_path / "o").exists()
    ledger = Ledger(tmp_path / "o", kind, resume=resume)
    ledger.write(results[0])
    ledger.close()
    assert len(list(read_back(tmp_path / "o", kind))) == 1


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("resume", [False, True])
def test_two_batches_never_write_one_file(tmp_path, fakes, there, resume):
    for name in ("a.png", "b.png") if there else ():
        ledger = Ledger(tmp_path / "o", "csv", resume=True)
        ledger.write(fakes.finding(name).to_dict())
        ledger.close()
    one = Ledger(tmp_path / "o", "csv", resume=resume)
    late = None if there else Ledger(tmp_path / "o", "csv", resume=resume)
    one.write(fakes.finding("c.png").to_dict())
    before = (tmp_path / "o").read_bytes()
    with pytest.raises(BatchError, match="is being written by another batch"):
        (late or Ledger(tmp_path / "o", "csv", resume=resume)).write(fakes.finding("d.png").to_dict())
    one.close()
    if late:
        late.close()
    assert (tmp_path / "o").read_bytes() == before
    again = Ledger(tmp_path / "o", "csv", resume=True)
    again.write(fakes.finding("d.png").to_dict())
    again.close()


def test_a_file_that_another_batch_wrote_meanwhile_is_kept(tmp_path, fakes):
    slow, quick = Ledger(tmp_path / "o", "csv"), Ledger(tmp_path / "o", "csv")
    quick.write(fakes.finding("a.png").to_dict())
    quick.close()
    before = (tmp_path / "o").read_bytes()
    with pytest.raises(BatchError, match="was written by another batch meanwhile"):
        slow.write(fakes.finding("b.png").to_dict())
    slow.close()
    assert (tmp_path / "o").read_bytes() == before


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_results_of_two_models_never_mix(tmp_path, fakes, kind):
    ledger = Ledger(tmp_path / "o", kind)
    ledger.write(fakes.finding("a.png", model="one").to_dict())
    ledger.close()
    ledger = Ledger(tmp_path / "o", kind, resume=True)
    with pytest.raises(BatchError, match="written with the model one"):
        ledger.write(fakes.finding("b.png", model="two").to_dict())
    ledger.close()


@pytest.mark.parametrize("replaced", [False, True])
def test_results_are_not_written_into_a_file_that_is_gone(tmp_path, fakes, replaced):
    ledger = Ledger(tmp_path / "o", "csv")
    ledger.write(fakes.finding("a.png").to_dict())
    (tmp_path / "o").rename(tmp_path / "moved")
    ledger.write(fakes.finding("b.png").to_dict())
    (tmp_path / "moved").unlink()
    if replaced:
        (tmp_path / "o").write_text("as an editor saves it")
    with pytest.raises(BatchError, match="was deleted or replaced while it was written"):
        ledger.write(fakes.finding("c.png").to_dict())
    ledger.close()
