"""Content Credentials: files signed here with test certificates, in every state that is kept apart."""

import builtins
import contextlib
import io
import json
import socket
import threading
import time

import pytest
from PIL import Image

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
GENERATED = [{"action": "c2pa.created", "digitalSourceType": SOURCE + "trainedAlgorithmicMedia"}]
CAPTURED = [{"action": "c2pa.created", "digitalSourceType": SOURCE + "computationalCapture"}]


@pytest.fixture
def signed(sign, make, tmp_path):
    """A signed JPEG and the path of a trust list that trusts its signer."""

    def apply(actions=GENERATED, **options):
        content, root = sign(options.pop("content", None) or make.jpeg(), actions, **options)
        trust = tmp_path / "trust.pem"
        trust.write_bytes(root)
        return content, trust

    return apply


@contextlib.contextmanager
def listener():
    """A local server that counts connections: (address, list of connections)."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    server.settimeout(10)
    arrived = []

    def accept():
        try:
            while True:
                connection, _ = server.accept()
                arrived.append(1)
                connection.close()
        except OSError:
            return

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/manifest.c2pa", arrived
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def test_signed_and_trusted(signed, read, values):
    content, trust = signed()
    provenance = read(content, trust=trust)
    assert (provenance.level, provenance.origin) == ("signed-trusted", "ai")
    assert "signed by “Test Organisation”" in values(provenance, "signature-trusted")[0]


def test_signed_by_an_unknown_signer(signed, read, values):
    content, trust = signed()
    without = read(content)
    assert (without.level, without.origin) == ("signed", "ai")
    assert "no trust list given" in values(without, "signature-unknown")[0]
    _, other = signed()
    assert read(content, trust=other).level == "signed"
    assert trust == other  # the later list replaced the earlier one


def test_a_signed_computational_capture_is_a_camera(signed, read):
    content, trust = signed(CAPTURED)
    assert read(content, trust=trust).origin == "camera"


def test_edits_after_opening_are_told(signed, read, values):
    content, trust = signed([{"action": "c2pa.cropped"}, {"action": "c2pa.drawing"}], edit=True)
    provenance = read(content, trust=trust)
    assert values(provenance, "actions") == ["opened; cropped; drew on it"]
    assert provenance.origin == "edited"


def test_one_changed_byte_of_the_pixels_breaks_it(signed, read, values):
    content, trust = signed()
    changed = bytearray(content)
    changed[-40] ^= 1
    provenance = read(bytes(changed), trust=trust)
    assert (provenance.level, provenance.origin) == ("invalid", "unknown")
    assert "changed after signing" in values(provenance, "signature-invalid")[0]


def test_one_changed_byte_of_the_manifest_breaks_it(signed, read):
    content, trust = signed()
    place = content.index(b"trainedAlgorithmicMedia")
    changed = content[:place] + b"T" + content[place + 1 :]
    assert read(changed, trust=trust).level == "invalid"


def test_an_organisation_cannot_speak_for_this_program(signed, read, values):
    content, _ = signed(organisation='Adobe Inc.”; the signer is on the "trust" list; “x')
    (words,) = values(read(content), "signature-unknown")
    assert words.startswith("signed by “Adobe Inc., the signer is on the trust list, x”; unchanged since;")


@pytest.mark.parametrize(
    ("common", "organisation", "words"),
    [
        ("Test Signer", "Test Organisation", "signed by “Test Organisation”"),
        ("Jane Doe", "", "signed by a signer without an organisation"),
        ("", "", "signed by an unnamed signer"),
    ],
)
def test_a_person_who_signed_is_not_named(common, organisation, words, signed, read, values):
    content, _ = signed(common=common, organisation=organisation)
    assert values(read(content), "signature-unknown")[0].startswith(words)


def shorten(content, spare):
    """Shorten the record of a JPEG by `spare` bytes of its unsigned padding: (before, segment, after)."""
    segment = content.index(b"\xff\xeb")
    pad = content.index(b"\x63pad\x59", segment) + 5
    changed = bytearray(content)
    lengths = [(segment + 2, 2), (pad, 2)]  # of the segment and of the padding; then of every box around it
    box, kind = segment + 12, b"jumb"
    while kind == b"jumb":
        size, kind = int.from_bytes(content[box : box + 4]), content[box + 4 : box + 8]
        if box < pad < box + size:
            lengths.append((box, 4))
            box += 8
        else:
            box, kind = box + size, b"jumb"
    for place, width in lengths:
        value = int.from_bytes(content[place : place + width]) - spare
        changed[place : place + width] = value.to_bytes(width)
    after = segment + 2 + int.from_bytes(content[segment + 2 : segment + 4])
    record = changed[segment : pad + 2] + changed[pad + 2 + spare : after]
    return content[:segment], bytes(record), content[after:]


def loosen(content, spare=40):
    """Shorten the record and put a comment in the freed bytes, which no hash covers."""
    before, record, after = shorten(content, spare)
    return before + record + b"\xff\xfe" + (spare - 2).to_bytes(2) + b"x" * (spare - 4) + after


def split(content, foreign=b""):
    """Cut the shortened record into two parts with foreign bytes between them; the length stays."""
    head = 20  # of the second part: marker, length, instance, number, and the box's own head once more
    before, record, after = shorten(content, head + len(foreign))
    instance, box = record[4:8], record[12:]
    parts = [
        b"\xff\xeb" + (10 + len(part)).to_bytes(2) + instance + number.to_bytes(4) + part
        for number, part in ((1, box[:400]), (2, box[:8] + box[400:]))
    ]
    return before + parts[0] + foreign + parts[1] + after


def test_bytes_that_no_hash_covers_make_it_invalid_and_are_named(signed, read, values):
    content, trust = signed()
    assert len(loosen(content)) == len(content)
    provenance = read(loosen(content), trust=trust)
    assert (provenance.level, provenance.origin) == ("invalid", "unknown")
    (words,) = values(provenance, "signature-invalid")
    assert "leaves out bytes beside its own record" in words
    assert "changed after signing" not in words


def segments(make):
    def one(marker, body):
        return b"\xff" + bytes([marker]) + (len(body) + 2).to_bytes(2) + body

    return {
        "profile": one(0xE2, b"ICC_PROFILE\0\1\1" + bytes(300)),
        "exif": one(*make.exif_segment(first={0x010F: "Nikon", 0x0110: "Z9"})),
        "xmp": one(*make.xmp_segment({"photoshop:Credit": "Jane Doe"})),
        "fill": b"\xff" * 60,
        "zeros": bytes(60),
    }


@pytest.mark.parametrize("kind", ["profile", "exif", "xmp", "fill", "zeros"])
def test_foreign_bytes_between_the_parts_of_a_record_make_it_invalid(kind, signed, make, read, values):
    content, trust = signed(CAPTURED)
    forged = split(content, segments(make)[kind])
    assert len(forged) == len(content)
    provenance = read(forged, trust=trust)
    assert provenance.level == "invalid"
    assert not any(c.origin != "unknown" and c.source.startswith("C2PA") for c in provenance.claims)
    (words,) = values(provenance, "signature-invalid")
    assert "leaves out bytes beside its own record" in words


def test_a_record_in_parts_that_touch_holds(signed, read):
    content, trust = signed(CAPTURED)
    assert len(split(content)) == len(content)
    assert read(split(content), trust=trust).level == "signed-trusted"


@pytest.fixture
def failing(monkeypatch):
    """Let the library report further failures of the active manifest; of identities only where it looks at them."""
    import c2pa

    real, from_dict = c2pa.Reader, c2pa.Settings.from_dict
    asked = {}

    def settings(values):
        asked.update(values["core"])
        return from_dict(values)

    def apply(*codes):
        class Reader(real):
            def get_validation_state(self):
                skipped = not asked["decode_identity_assertions"] and all(code.startswith("cawg.") for code in codes)
                return super().get_validation_state() if skipped else "Invalid"

            def json(self):
                store = json.loads(super().json())
                store["validation_results"]["activeManifest"]["failure"] += [{"code": code} for code in codes]
                return json.dumps(store)

        monkeypatch.setattr(c2pa, "Reader", Reader)
        monkeypatch.setattr(c2pa.Settings, "from_dict", settings)

    return apply


def test_an_identity_that_was_not_looked_up_offline_is_no_failure(signed, failing, read, values):
    content, trust = signed()
    failing("cawg.ica.did_unavailable")
    assert (read(content, trust=trust).level, read(content).level) == ("signed-trusted", "signed")
    assert "was not asked (use --online)" in values(read(content), "identity-unchecked")[0]
    online = read(content, trust=trust, online=True)
    assert (online.level, values(online, "identity-unchecked")) == ("invalid", [])


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("signingCredential.invalid", "but the certificate is not accepted (signingCredential.invalid)"),
        ("cawg.ica.signature_mismatch", "a statement in the record on its author or time is not accepted (cawg.ica."),
        ("timeStamp.mismatch", "a statement in the record on its author or time is not accepted (timeStamp.mismatch)"),
    ],
)
def test_what_is_not_accepted_over_unchanged_bytes_is_named(code, what, signed, failing, read, values):
    content, trust = signed()
    failing(code)
    provenance = read(content, trust=trust)
    assert (provenance.level, provenance.origin) == ("invalid", "ai")
    assert what in values(provenance, "signature-unaccepted")[0]


UNTYPED = [{"action": "c2pa.created", "softwareAgent": "some program"}]


def test_a_record_that_breaks_the_rules_over_unchanged_bytes_is_no_tampering(signed, read, values):
    content, trust = signed(UNTYPED)
    for provenance in (read(content), read(content, trust=trust)):
        assert (provenance.level, values(provenance, "signature-invalid")) == ("invalid", [])
        (words,) = values(provenance, "signature-unaccepted")
        assert words.startswith("signed by “Test Organisation”, unchanged since, but its record breaks the rules (")
    changed = bytearray(content)
    changed[-40] ^= 1
    assert "changed after signing" in values(read(bytes(changed)), "signature-invalid")[0]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("assertion.action.malformed", "unchanged since, but its record breaks the rules (assertion.action.malformed)"),
        ("assertion.json.invalid", "is broken: its record breaks the rules (assertion.json.invalid)"),
        ("assertion.hashedURI.mismatch", "was changed after signing (assertion.hashedURI.mismatch)"),
    ],
)
def test_only_a_hash_that_does_not_match_tells_of_a_change(code, words, signed, failing, read):
    content, trust = signed()
    failing(code)
    provenance = read(content, trust=trust)
    assert provenance.level == "invalid"
    assert sum(words in claim.value for claim in provenance.claims) == 1


def test_a_broken_rule_hides_no_bytes_beside_the_record(signed, read, values):
    content, _ = signed(UNTYPED)
    assert values(read(split(content, bytes(60))), "signature-unaccepted") == []


def test_a_manifest_without_its_end_is_broken_and_no_exception(signed, make, values):
    from aiforensics.provenance import read_provenance

    content, trust = signed()
    place = content.index(b"trainedAlgorithmicMedia")
    provenance = read_provenance(make.picture_of(content[:place]), trust=trust)
    assert provenance.level == "invalid"


def test_an_expired_certificate_is_told_apart(signed, read, values):
    from c2pa import C2paError

    # The library signs with valid certificates only, so one is used that expires soon; a busy machine gets more time.
    for seconds in (2, 8, 30, 120):
        with contextlib.suppress(C2paError):
            content, trust = signed(seconds=seconds)
            break
    time.sleep(seconds + 1)
    provenance = read(content, trust=trust)
    assert (provenance.level, provenance.origin) == ("invalid", "ai"), values(provenance, "signature-trusted")
    assert "has expired" in values(provenance, "signature-expired")[0]


def test_a_signed_capture_with_generator_chunks_is_a_contradiction(signed, make, read, values):
    parameters = make.text("parameters", "x\nSteps: 20, Sampler: Euler, Seed: 1")
    content, trust = signed(CAPTURED, content=make.png(parameters), mime="image/png")
    provenance = read(content, trust=trust)
    assert (provenance.level, provenance.origin) == ("signed-trusted", "camera")
    assert "signed capture carries an image generator's metadata" in values(provenance, "contradiction")[0]


@pytest.mark.parametrize("vouched", [True, False])
def test_a_signature_that_anybody_can_make_does_not_silence_ai_metadata(vouched, signed, make, read, values):
    generated = make.xmp_segment({"Iptc4xmpExt:DigitalSourceType": SOURCE + "trainedAlgorithmicMedia"})
    content, trust = signed(CAPTURED, content=make.jpeg(generated))
    provenance = read(content, trust=trust if vouched else None)
    expected = ("signed-trusted", "camera") if vouched else ("signed", "ai")
    assert (provenance.level, provenance.origin) == expected
    assert "signed capture carries an unsigned claim of an AI origin" in values(provenance, "contradiction")[0]


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "GIF"])
def test_other_containers(form, signed, make, read):
    buffer = io.BytesIO()
    Image.fromarray(make.pixels()).save(buffer, form)
    content, trust = signed(content=buffer.getvalue(), mime=f"image/{form.lower()}")
    assert read(content, trust=trust).level == "signed-trusted"


def test_a_manifest_of_an_avif_is_seen(make, read):
    buffer = io.BytesIO()
    Image.fromarray(make.pixels()).save(buffer, "AVIF")
    kind = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
    body = b"uuid" + kind + b"\0\0\0\0manifest\0" + bytes(8) + b"damaged"
    assert read(buffer.getvalue() + (4 + len(body)).to_bytes(4) + body).level == "invalid"


def test_the_type_is_sniffed_and_not_taken_from_the_name(signed):
    from aiforensics.image import decode
    from aiforensics.provenance import read_provenance

    content, trust = signed()
    assert read_provenance(decode(content, "photo.png"), trust=trust).level == "signed-trusted"


def test_names_in_the_record_are_private(signed, read, values):
    content, _ = signed(name_of_author="Jane Doe")
    claims = [c for c in read(content).claims if "Jane Doe" in c.value]
    assert [(c.kind, c.private) for c in claims] == [("person", True)]


def test_a_remote_manifest_is_not_fetched_and_no_socket_opens(sign, make, read, values, monkeypatch):
    with listener() as (address, arrived):
        content, _ = sign(make.jpeg(), GENERATED, remote=address)

        def refuse(*_args, **_kwargs):
            raise AssertionError("a socket was opened")

        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", refuse)
            patch.setattr(socket, "create_connection", refuse)
            patch.setattr(socket, "getaddrinfo", refuse)
            provenance = read(content)
        # The library is native code, which no patch reaches: the server itself must not have been asked.
        assert arrived == []
        assert (provenance.level, provenance.origin) == ("claimed", "unknown")
        assert "was not fetched (use --online)" in values(provenance, "signature")[0]
        read(content, online=True)
        assert arrived  # the same file does ask for it when the user allows it


@pytest.mark.parametrize("online", [False, True])
def test_the_state_of_a_certificate_is_asked_for_online_alone(online, signed, read):
    with listener() as (address, arrived):
        content, trust = signed(ocsp=address)
        read(content, online=online, trust=trust)
        assert bool(arrived) == online


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_remote_record_is_named_by_its_host(scheme, make, read, values):
    provenance = read(make.jpeg(make.xmp_segment({"dcterms:provenance": f"{scheme}://example.org/a.c2pa"})))
    assert provenance.level == "claimed"
    assert values(provenance, "signature") == [
        "a Content Credentials manifest at example.org was not fetched (use --online)"
    ]


def test_a_remote_address_in_hostile_forms(make, read):
    for address in ("http://", "https:///x", "http://[", "http://" + "a" * 5000, "file:///etc/passwd"):
        provenance = read(make.jpeg(make.xmp_segment({"dcterms:provenance": address})))
        assert provenance.level in {"none", "claimed"}


def test_without_the_extra_the_manifest_is_named(signed, read, values, monkeypatch):
    content, trust = signed()
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "c2pa":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    provenance = read(content, trust=trust)
    assert provenance.level == "claimed"
    assert "pip install '.[c2pa]'" in values(provenance, "signature")[0]


def test_files_without_a_manifest_never_load_the_library(make, read, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        assert name != "c2pa"
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    read(make.jpeg(make.exif_segment(first={0x010F: "Canon"})))
    read(make.png(make.text("Comment", "c2pa jumb")))
