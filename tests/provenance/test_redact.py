"""What `--redact` must take out: every name that a file can carry, wherever it stands."""

import struct

import pytest

from aiforensics.provenance import redact

NAME = "Anna Whistleblower"


def iptc(make, *records):
    body = b"".join(
        struct.pack(">BBBH", 0x1C, 2, number, len(text)) + text
        for number, text in ((n, t.encode()) for n, t in records)
    )
    block = b"8BIM" + struct.pack(">H", 0x0404) + b"\0\0" + struct.pack(">I", len(body)) + body
    return make.jpeg((0xED, b"Photoshop 3.0\0" + block + b"\0"))


def test_names_in_iptc_records(make, read):
    records = [(number, f"{NAME}, {number}") for number in (80, 90, 92, 110, 115, 116, 118, 120, 122)]
    found = read(iptc(make, *records, (65, "Some Program")))
    assert sum(NAME in claim.value for claim in found.claims) == len(records)
    assert NAME not in repr(redact(found))
    assert "Some Program" in repr(redact(found))


def test_names_in_xmp_credits_and_sources(make, read):
    properties = {"photoshop:Credit": NAME, "photoshop:Source": f"{NAME}'s archive", "dc:creator": NAME}
    found = read(make.jpeg(make.xmp_segment({**properties, "xmp:CreatorTool": "Adobe Firefly"})))
    assert NAME in repr(found)
    assert NAME not in repr(redact(found))
    assert "Adobe Firefly" in repr(redact(found))


def test_of_a_signer_the_organisation_stays_and_the_name_goes(make, sign, read, values):
    content, _ = sign(make.jpeg(), [{"action": "c2pa.created", "digitalSourceType": "digitalCapture"}])
    found = read(content)
    assert "signed by “Test Organisation”" in values(found, "signature-unknown")[0]
    assert "the certificate is made out to “Test Signer”" in values(found, "person")
    hidden = redact(found)
    assert "Test Organisation" in values(hidden, "signature-unknown")[0]
    assert "Test Signer" not in repr(hidden)


def test_of_comments_only_an_editors_own_words_are_public(make, read):
    def private(comment):
        return [claim.private for claim in read(make.png(make.text("Comment", comment))).claims]

    assert private("Created with GIMP") == private("Made with Adobe Photoshop 25.1") == [False]
    for comment in (
        "Anna on canvas",
        "made with Canva by Anna",
        "Created with GIMP for Anna",
        "Edited by Anna in Gimp",
    ):
        assert private(comment) == [True]


def test_the_keyword_of_a_private_text_is_private_too(make, read):
    novel = '{"noise_schedule": "karras", "prompt": "a fox"}'
    found = read(make.png(make.text(f"Photo of {NAME}", novel)) + make.compressed(NAME, "x" * 5_000_000))
    assert {c.source for c in found.claims if NAME in c.source} == {f"PNG tEXt Photo of {NAME}", f"PNG zTXt {NAME}"}
    hidden = redact(found)
    assert NAME not in repr(hidden)
    assert {"PNG tEXt", "PNG zTXt"} <= {c.source for c in hidden.claims}


def test_a_keyword_is_removed_where_its_text_is_left_out(make, read):
    texts = [make.text("Comment", str(n)) for n in range(50)]
    found = read(make.png(*texts, make.text(f"Photo of {NAME}", '{"noise_schedule": "karras"}')))
    assert found.origin == "ai"
    assert NAME not in repr(redact(found))


def test_the_name_of_a_raw_profile_is_in_no_problem(make, read):
    assert NAME not in repr(redact(read(make.png(make.text(f"Raw profile type {NAME}", "\nx\n 1\nzz")))))


@pytest.mark.parametrize(
    ("credit", "words"),
    [
        (f"Portrait of {NAME}, made with AI", "made with AI"),
        (f"Edited with Google AI by {NAME}", "Edited with Google AI"),
        (f"made with love by {NAME} and AI", "made with … AI"),
    ],
)
def test_of_a_credit_to_ai_only_its_own_words_stay(credit, words, make, read, values):
    found = read(make.jpeg(make.xmp_segment({"photoshop:Credit": credit})))
    assert values(found, "credit") == [f"the file claims: {words}"]
    assert values(found, "person") == [f"credit: {credit}"]
    assert NAME not in repr(redact(found))
