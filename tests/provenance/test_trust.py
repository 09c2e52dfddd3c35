"""The list of trusted signers: read once, checked whole, and a wrong one is an error before any picture is read."""

import base64
import io

import pytest
from typer.testing import CliRunner

from aiforensics.provenance import Anchors, TrustError, read_anchors

GENERATED = [
    {
        "action": "c2pa.created",
        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
    }
]
WRAPPED = b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"
WRONG = {
    "no PEM": b"hello",
    "empty": b"",
    "no base64": WRAPPED % b"!!!!",
    "no certificate": WRAPPED % base64.b64encode(b"hello world"),
    "cut off": b"-----BEGIN CERTIFICATE-----\nMIIB",
    "too large": b"x" * (9 << 20),
}


@pytest.fixture(scope="session")
def root(sign):
    """A JPEG whose record says that AI made it, and its root certificate."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "JPEG")
    return sign(buffer.getvalue(), GENERATED)


@pytest.fixture(params=[*WRONG, "missing", "a folder"])
def wrong(request, tmp_path):
    """The path of a trust list that cannot be used."""
    path = tmp_path / "list.pem"
    if request.param in WRONG:
        path.write_bytes(WRONG[request.param])
    return tmp_path if request.param == "a folder" else path


def test_a_wrong_list_is_an_error_of_one_line(wrong):
    with pytest.raises(TrustError, match=wrong.name) as caught:
        read_anchors(wrong)
    assert "\n" not in str(caught.value)
    assert ": " in str(caught.value)


def test_a_wrong_list_never_makes_a_signed_picture_look_unsigned(wrong, root, read):
    with pytest.raises(TrustError):
        read(root[0], trust=wrong)


def test_a_scanner_with_a_wrong_list_is_not_made(wrong):
    from aiforensics.pipeline import Scanner

    with pytest.raises(TrustError):
        Scanner("no such bundle", trust=wrong)


def test_the_command_line_ends_in_one_line_before_any_picture_is_read(tmp_path):
    from aiforensics_cli.app import app

    path = tmp_path / "list.pem"
    path.write_bytes(b"hello")
    result = CliRunner().invoke(app, ["scan", "--trust", str(path), str(tmp_path / "missing.jpg")])
    assert result.exit_code == 2
    assert "list.pem holds no certificates" in " ".join(result.stderr.split())
    assert "missing.jpg" not in result.output


def test_anchors_are_read_once_and_text_around_them_is_left_out(root, read, tmp_path):
    content, certificate = root
    path = tmp_path / "list.pem"
    path.write_bytes("\ufeffein Prüfer\r\n".encode() + certificate.replace(b"\n", b"\r\n") + b"\xff the end")
    anchors = read_anchors(path)
    path.unlink()
    assert isinstance(anchors, Anchors)
    assert anchors.pem.splitlines()[0] == "-----BEGIN CERTIFICATE-----"
    assert read(content, trust=anchors).level == "signed-trusted"


def test_one_damaged_certificate_among_others_is_named(root, tmp_path):
    path = tmp_path / "list.pem"
    path.write_bytes(root[1] + WRONG["no certificate"])
    with pytest.raises(TrustError, match="certificate 2"):
        read_anchors(path)
