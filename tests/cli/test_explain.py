import pytest

from aiforensics.analyzers import ANALYZERS
from aiforensics.evidence import Feature, Measurement, Quality

pytestmark = pytest.mark.usefixtures("fake_pipeline")


def test_every_cue_is_explained(run, picture, tmp_path, monkeypatch, fakes):
    from dataclasses import replace

    measured = tuple(
        Measurement(
            a.name, tuple(Feature(spec.name, 1.5, spec.unit) for spec in a.specs), -0.42 if a.name == "ela" else None
        )
        for a in ANALYZERS
    )
    judge = fakes.GateScanner._judge
    monkeypatch.setattr(
        fakes.GateScanner, "_judge", lambda self, picture: replace(judge(self, picture), analyzers=measured)
    )
    done = run("explain", picture("a.png"), "--maps", tmp_path / "maps")
    assert done.status == 0
    for analyzer in ANALYZERS:
        assert analyzer.card.title in done.out
        assert analyzer.card.fooled_by in done.out
        assert all(spec.name in done.out and spec.meaning in done.out for spec in analyzer.specs)
        worth = "-0.42 in the log-odds of AI" if analyzer.name == "ela" else "not in the score"
        assert f"{analyzer.card.title}  {worth}" in done.out
    assert "SynthID" in done.out
    (written,) = (tmp_path / "maps").iterdir()
    assert f"map: {written}" in done.out


@pytest.mark.parametrize(("level", "said"), [("poor", True), ("limited", False)])
def test_shares_of_poor_evidence_are_said_not_to_count(run, picture, monkeypatch, fakes, level, said):
    from dataclasses import replace

    judge = fakes.GateScanner._judge
    told = {"quality": Quality(level, ("only 30 × 40 pixels",)), "analyzers": (Measurement("ela", (), -1.45),)}
    monkeypatch.setattr(fakes.GateScanner, "_judge", lambda self, picture: replace(judge(self, picture), **told))
    done = run("explain", picture("a.png"))
    assert "-1.45 in the log-odds of AI" in done.out
    assert ("too poor for any of these shares to count" in done.out) is said


def test_a_refused_picture_is_one_line(run, tmp_path):
    done = run("explain", tmp_path / "none.png")
    assert (done.status, done.out, len(done.err.splitlines())) == (2, "", 1)


@pytest.mark.parametrize("command", ["scan", "explain"])
def test_gradcam_without_a_place_to_draw_is_refused(run, picture, command):
    done = run(command, picture("a.png"), "--gradcam")
    assert (done.status, done.out) == (2, "")
    assert "--maps" in done.err


def test_trust_and_online_are_those_of_scan(run, picture, tmp_path, monkeypatch, fakes):
    given = []

    class Noting(fakes.GateScanner):
        def __init__(self, model, **options):
            given.append(options)
            super().__init__(model, **options)

    monkeypatch.setattr("aiforensics.pipeline.Scanner", Noting)
    trust = tmp_path / "root.pem"
    trust.write_text("certificates")
    assert run("explain", picture("a.png"), "--trust", trust, "--online").status == 0
    assert given == [{"device": "auto", "redact": False, "online": True, "trust": trust}]
