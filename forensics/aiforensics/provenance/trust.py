"""The user's list of trusted signers: read and checked once, before any picture is.

A list that cannot be used is an error of its own. It must never look like a picture without Content Credentials.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from pathlib import Path

_MAX_BYTES = 8 << 20
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


class TrustError(ValueError):
    """A trust list that cannot be used, with the one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """Certificates of trusted signers, as PEM without anything else."""

    pem: str

    @property
    def sha256(self) -> str:
        """Of the PEM, in hexadecimal."""
        return hashlib.sha256(self.pem.encode()).hexdigest()


def read_anchors(path: str | Path) -> Anchors:
    """Read a trust list and check every certificate in it; text around the certificates is left out.

    Raises
    ------
    TrustError
        If the file cannot be read, holds no PEM certificate, or one that is damaged.
    """
    import ssl  # noqa: PLC0415 - only where there is a list

    name = Path(path).name
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise TrustError(f"the trust list {name} cannot be read ({why}): check the path") from None
    if len(content) > _MAX_BYTES:
        raise TrustError(f"the trust list {name} has more than {_MAX_BYTES >> 20} MiB: give a list of certificates")
    blocks = content.split(_BEGIN)[1:]
    if not blocks:
        raise TrustError(f"the trust list {name} holds no certificates in PEM form: convert it, or give another file")
    store = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    certificates: list[str] = []
    for number, block in enumerate(blocks, 1):
        body, end, _ = block.partition(_END)
        try:
            certificate = base64.b64decode(b"".join(body.split()) if end else b"-", validate=True)
            store.load_verify_locations(cadata=certificate)
        except (binascii.Error, ssl.SSLError, ValueError):
            words = f"certificate {number} of the trust list {name} is damaged: get the list again, or take it out"
            raise TrustError(words) from None
        certificates.append(ssl.DER_cert_to_PEM_cert(certificate))
    return Anchors("".join(certificates))
