import pytest

from aiforensics_cli.optional_values import complete, is_address, is_table

OPTIONS = {"--csv": ("-", is_table), "--ray": ("", is_address)}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("photos --csv", "photos --csv=-"),
        ("--csv photos", "--csv=- photos"),
        ("--csv out.csv photos", "--csv=out.csv photos"),
        ("--csv old.csv photos", "--csv=old.csv photos"),
        ("--csv new photos", "--csv=new photos"),
        ("--csv - photos", "--csv=- photos"),
        ("--csv --resume photos", "--csv=- --resume photos"),
        ("--csv=photos photos", "--csv=photos photos"),
        ("--csv a.zip", "--csv=- a.zip"),
        ("--csv missing.jpg photos", "--csv=- missing.jpg photos"),
        ("photos --csv missing.ZIP", "photos --csv=- missing.ZIP"),
        ("--csv results photos", "--csv=results photos"),
        ("--csv letter photos", "--csv=- letter photos"),
        ("--csv /dev/null photos", "--csv=/dev/null photos"),
        ("--ray photos", "--ray= photos"),
        ("--ray auto photos --csv", "--ray=auto photos --csv=-"),
        ("--ray head:6379 photos", "--ray=head:6379 photos"),
        ("-- --csv photos", "-- --csv photos"),
    ],
)
def test_complete(tmp_path, monkeypatch, given, wanted):
    (tmp_path / "photos").mkdir()
    (tmp_path / "old.csv").touch()
    (tmp_path / "a.zip").touch()
    (tmp_path / "results").write_text("path,sha256,format,width,height\n")
    (tmp_path / "letter").write_text("Dear Sir")
    monkeypatch.chdir(tmp_path)
    assert complete(given.split(), OPTIONS) == wanted.split()
