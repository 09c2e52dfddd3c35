"""The ladder: which rung, which origin, what redaction removes, what an empty file says."""

import pytest

from aiforensics.evidence import Claim
from aiforensics.image import from_array
from aiforensics.provenance import READERS, read_provenance, redact
from aiforensics.provenance.ladder import combine, weight

TRUSTED = Claim("signature-trusted", "", "C2PA manifest", record="own")
SIGNED = Claim("signature-unknown", "", "C2PA manifest", record="own")
BROKEN = Claim("signature-invalid", "", "C2PA manifest", record="own")
SIGNED_CAMERA = Claim("source-type", "", "C2PA manifest", "camera", record="own")
GENERATOR = Claim("generator", "", "PNG tEXt parameters", "ai")
CAMERA = Claim("camera", "", "EXIF", "camera")
EDITOR = Claim("software", "", "EXIF Software", "edited")
MARK = Claim("watermark", "", "pixels", "ai")
HISTORY = Claim("history", "", "XMP History", "edited")
DATE = Claim("date", "", "EXIF")
PROGRAM = Claim("software", "", "EXIF Software")
UNKNOWN_GENERATOR = Claim("generator", "", "EXIF Software")


@pytest.mark.parametrize(
    ("claims", "level", "origin"),
    [
        ([TRUSTED, SIGNED_CAMERA, GENERATOR], "signed-trusted", "camera"),
        ([TRUSTED, SIGNED_CAMERA, MARK], "signed-trusted", "camera"),
        ([SIGNED, SIGNED_CAMERA], "signed", "camera"),
        ([SIGNED, SIGNED_CAMERA, MARK], "signed", "ai"),
        ([SIGNED, SIGNED_CAMERA, GENERATOR], "signed", "ai"),
        ([SIGNED, SIGNED_CAMERA, EDITOR], "signed", "edited"),
        ([BROKEN, SIGNED_CAMERA, MARK], "invalid", "ai"),
        ([BROKEN, GENERATOR], "invalid", "ai"),
        ([BROKEN], "invalid", "unknown"),
        ([GENERATOR, CAMERA, EDITOR], "claimed", "ai"),
        ([CAMERA, EDITOR], "claimed", "edited"),
        ([CAMERA, MARK], "claimed", "ai"),
        ([HISTORY, DATE], "claimed", "edited"),
        ([MARK, DATE], "watermark", "ai"),
        ([DATE], "none", "unknown"),
        ([PROGRAM], "none", "unknown"),
        ([PROGRAM, MARK], "watermark", "ai"),
        ([UNKNOWN_GENERATOR], "claimed", "unknown"),
        ([], "none", "unknown"),
    ],
)
def test_rungs(claims, level, origin):
    provenance = combine(claims)
    assert (provenance.level, provenance.origin) == (level, origin)
    assert provenance.claims == tuple(claims)


@pytest.mark.parametrize(("record", "origin"), [("own", "camera"), ("other", "ai"), ("none", "ai")])
def test_a_trusted_signer_vouches_for_a_record_and_not_for_words(record, origin):
    capture = Claim("source-type", "", "C2PA manifest", "camera", record=record)
    assert combine([TRUSTED, capture, GENERATOR]).origin == origin


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (Claim("text", "", "", "ai"), 3),
        (BROKEN, 3),
        (Claim("signature", "", ""), 3),
        (Claim("contradiction", "", ""), 3),
        (Claim("unreadable", "", ""), 3),
        (CAMERA, 2),
        (PROGRAM, 1),
        (DATE, 0),
    ],
)
def test_how_much_a_claim_tells(claim, expected):
    assert weight(claim) == expected


def test_a_picture_without_bytes_says_nothing(make):
    provenance = read_provenance(from_array(make.pixels()))
    assert (provenance.level, provenance.origin, provenance.claims) == ("none", "unknown", ())


def test_redaction_removes_places_names_and_prompts_and_nothing_else(make, read):
    secret = "Jane-Doe-of-Vienna"  # noqa: S105 - a name
    content = make.jpeg(
        make.exif_segment(
            first={0x010F: "Canon", 0x0110: "EOS", 0x013B: secret},
            inner={
                0x9286: f"ASCII\0\0\0{secret}\nNegative prompt: {secret}\nSteps: 20, Sampler: Euler, Seed: 1".encode()
            },
            gps={1: "N", 2: ((48, 1), (0, 1), (0, 1)), 3: "E", 4: ((16, 1), (0, 1), (0, 1))},
        ),
        make.xmp_segment({"dc:creator": secret, "photoshop:Credit": secret}),
        (0xFE, secret.encode()),
    )
    full = read(content)
    hidden = redact(full)
    assert any(secret in c.value for c in full.claims)
    assert any(c.kind == "place" for c in full.claims)
    assert not any(secret in c.value or "48.0" in c.value for c in hidden.claims)
    assert [c.kind for c in hidden.claims] == [c.kind for c in full.claims]
    assert [c for c in hidden.claims if not c.private] == [c for c in full.claims if not c.private]
    assert (hidden.level, hidden.origin) == (full.level, full.origin)


def test_readers_are_named_and_described():
    assert len({reader.name for reader in READERS}) == len(READERS)
    assert all(reader.reads for reader in READERS)


def test_the_same_bytes_give_the_same_claims(make, read):
    content = make.jpeg(make.exif_segment(first={0x010F: "Canon", 0x0110: "EOS"}))
    assert read(content) == read(content)
