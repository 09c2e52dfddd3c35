"""Builders of files with every kind of metadata, hostile ones included. Nothing here is read from disk."""

import datetime
import gzip
import io
import struct
import zlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

from aiforensics.image import decode, from_array
from aiforensics.provenance import read_provenance

FORMATS = {b"\xff\xd8": "JPEG", b"\x89P": "PNG", b"RI": "WEBP", b"II": "TIFF", b"GI": "GIF"}


def _pixels(width=128, height=96):
    photo = Image.fromarray(pictures.astronaut()).resize((width, height), Image.Resampling.BOX)
    return np.asarray(photo, np.uint8)


def _chunk(kind, body, *, right=True):
    checksum = zlib.crc32(kind + body) ^ (0 if right else 1)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def _png(*chunks, pixels=None, mode="RGB"):
    buffer = io.BytesIO()
    Image.fromarray(_pixels() if pixels is None else pixels, mode=None).convert(mode).save(buffer, "PNG")
    whole = buffer.getvalue()
    return whole[:33] + b"".join(chunks) + whole[33:]


def _text(keyword, text):
    return _chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + text.encode("latin-1", "replace"))


def _international(keyword, text, *, packed=False):
    body = zlib.compress(text.encode()) if packed else text.encode()
    return _chunk(b"iTXt", keyword.encode() + (b"\0\1\0" if packed else b"\0\0\0") + b"\0\0" + body)


def _compressed(keyword, text):
    return _chunk(b"zTXt", keyword.encode() + b"\0\0" + zlib.compress(text.encode("latin-1")))


def _jpeg(*segments, pixels=None, **save):
    buffer = io.BytesIO()
    Image.fromarray(_pixels() if pixels is None else pixels).save(buffer, "JPEG", **save)
    whole = buffer.getvalue()
    return whole[:2] + b"".join(_segment(*s) for s in segments) + whole[2:]


def _segment(marker, body):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _exif(first=(), inner=(), gps=(), thumbnail=b""):
    """A little-endian TIFF block with IFD0, EXIF, GPS and IFD1; values are str, bytes, int or tuples of (num, den)."""

    def encode(value):
        if isinstance(value, str):
            return 2, len(value.encode()) + 1, value.encode() + b"\0"
        if isinstance(value, bytes):
            return 7, len(value), value
        if isinstance(value, int):
            return 4, 1, struct.pack("<I", value)
        return 5, len(value), b"".join(struct.pack("<II", *pair) for pair in value)

    def directory(entries, start, after=0):
        entries = sorted(dict(entries).items())
        table, heap = struct.pack("<H", len(entries)), b""
        base = start + 2 + 12 * len(entries) + 4
        for tag, value in entries:
            kind, count, body = encode(value)
            place = body.ljust(4, b"\0") if len(body) <= 4 else struct.pack("<I", base + len(heap))
            heap += body + b"\0" * (len(body) & 1) if len(body) > 4 else b""
            table += struct.pack("<HHI", tag, kind, count) + place
        return table + struct.pack("<I", after) + heap

    first, inner, gps = dict(first), dict(inner), dict(gps)
    # Two passes: the sizes are known after the first, the offsets after the second.
    offsets = {0x8769: 8, 0x8825: 8}
    for _ in range(2):
        head = {**first, **{tag: at for tag, at in offsets.items() if (inner if tag == 0x8769 else gps)}}
        zero = directory(head, 8, after=1)
        offsets[0x8769] = 8 + len(zero)
        exif = directory(inner, offsets[0x8769])
        offsets[0x8825] = offsets[0x8769] + len(exif)
        place = directory(gps, offsets[0x8825])
        last = offsets[0x8825] + len(place)
    second = b""
    if thumbnail:
        size = len(directory({0x0201: 1, 0x0202: 1}, last))
        second = directory({0x0201: last + size, 0x0202: len(thumbnail)}, last) + thumbnail
    zero = directory(head, 8, after=last if thumbnail else 0)
    return b"II*\0" + struct.pack("<I", 8) + zero + exif + place + second


def _xmp(properties):
    attributes = "".join(f' {name}="{value}"' for name, value in properties.items())
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:dcterms="http://purl.org/dc/terms/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"'
        f"{attributes}/></rdf:RDF></x:xmpmeta>"
    ).encode()


def _hide(text, pixels, *, packed=True):
    """Text in the lowest alpha bits, column by column, as NovelAI hides it."""
    body = gzip.compress(text.encode()) if packed else text.encode()
    head = b"stealth_pngcomp" if packed else b"stealth_pnginfo"
    bits = np.unpackbits(np.frombuffer(head + struct.pack(">I", 8 * len(body)) + body, np.uint8))
    alpha = np.full(pixels.shape[:2], 254, np.uint8).T.reshape(-1)
    alpha[: bits.size] |= bits[: alpha.size]
    alpha = alpha.reshape(pixels.shape[1], pixels.shape[0]).T
    return np.dstack([pixels, alpha])


def _picture_of(content):
    """A picture whose bytes did not pass the gate, so that the readers meet what the gate would refuse."""
    return replace(from_array(_pixels()), data=content, format=FORMATS.get(content[:2], "PNG"))


@pytest.fixture
def make():
    """Builders of files: `make.png(make.text("parameters", "…"))` and the like."""
    return SimpleNamespace(
        pixels=_pixels,
        png=_png,
        chunk=_chunk,
        text=_text,
        international=_international,
        compressed=_compressed,
        jpeg=_jpeg,
        exif=_exif,
        xmp=_xmp,
        hide=_hide,
        picture_of=_picture_of,
        exif_segment=lambda **parts: (0xE1, b"Exif\0\0" + _exif(**parts)),
        xmp_segment=lambda properties: (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + _xmp(properties)),
    )


@pytest.fixture
def read():
    """Bytes through the gate and through every reader."""
    return lambda content, **options: read_provenance(decode(content), **options)


@pytest.fixture
def values():
    """The values of all claims of one kind."""
    return lambda provenance, kind: [c.value for c in provenance.claims if c.kind == kind]


@pytest.fixture(scope="session")
def sign():
    """Sign bytes with a fresh test certificate: `sign(data, actions) -> (signed bytes, root certificate as PEM)`."""
    c2pa = pytest.importorskip("c2pa")
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

    def name(common, organisation):
        parts = ((NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, common))
        return x509.Name([x509.NameAttribute(*part) for part in parts if part[1]])

    def certificate(subject, issuer, key, issuer_key, span, *, authority, ocsp=None):
        unused = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        usage = dict.fromkeys((*unused, "encipher_only", "decipher_only"), False)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(span[0])
            .not_valid_after(span[1])
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **usage),
                critical=True,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if not authority:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
            )
        if ocsp:
            place = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp))
            builder = builder.add_extension(x509.AuthorityInformationAccess([place]), critical=False)
        return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def apply(
        content,
        actions,
        *,
        seconds=10**9,
        mime="image/jpeg",
        remote=None,
        edit=False,
        name_of_author=None,
        organisation="Test Organisation",
        common="Test Signer",
        ocsp=None,
    ):
        now = datetime.datetime.now(datetime.UTC)
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        long = (now - datetime.timedelta(days=400), now + datetime.timedelta(days=4000))
        short = (now - datetime.timedelta(days=300), now + datetime.timedelta(seconds=min(seconds, 3 * 10**8)))
        issuer, signer = name("Test Root", organisation), name(common, organisation)
        root = certificate(issuer, issuer, root_key, root_key, long, authority=True)
        leaf = certificate(signer, issuer, key, root_key, short, authority=False, ocsp=ocsp)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        assertions = [{"label": "c2pa.actions", "data": {"actions": actions}}]
        if name_of_author:
            person = {"@context": "https://schema.org", "@type": "CreativeWork", "author": [{"name": name_of_author}]}
            assertions.append({"label": "stds.schema-org.CreativeWork", "data": person})
        manifest = {"claim_generator_info": [{"name": "test camera", "version": "1"}], "assertions": assertions}
        settings = {"verify": {"verify_after_sign": False}, "builder": {"thumbnail": {"enabled": False}}}
        info = c2pa.C2paSignerInfo(alg=b"es256", sign_cert=leaf + root, private_key=private, ta_url=None)
        signed = io.BytesIO()
        with c2pa.Builder(manifest, context=c2pa.Context(c2pa.Settings.from_dict(settings))) as builder:
            if edit:
                builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
            if remote:
                builder.set_remote_url(remote)
                builder.set_no_embed()
            builder.sign(c2pa.Signer.from_info(info), mime, io.BytesIO(content), signed)
        return signed.getvalue(), root

    return apply
