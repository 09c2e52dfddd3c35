"""PNG texts with wrong checksums do not cost the picture; damaged pixels still do."""

import struct
import zlib

import numpy as np
import pytest

from aiforensics.evidence import InputError
from aiforensics.image import decode
from aiforensics.image.structure import mend_texts


def chunk(kind, body, *, right):
    checksum = zlib.crc32(kind + body) ^ (0 if right else 1)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


@pytest.mark.parametrize("kind", [b"tEXt", b"iTXt", b"zTXt"])
def test_a_text_with_a_wrong_checksum_is_let_pass(kind, encode, astronaut):
    whole = encode(astronaut, "PNG")
    body = b"key\0\0" + zlib.compress(b"words") if kind == b"zTXt" else b"key\0\0\0\0\0words"
    content = whole[:33] + chunk(kind, body, right=False) + whole[33:]
    np.testing.assert_array_equal(np.asarray(decode(content).image), np.asarray(decode(whole).image))


def test_right_files_are_not_copied(encode, astronaut):
    whole = encode(astronaut, "PNG")
    assert mend_texts(whole) is whole


def test_other_chunks_keep_their_checksums(encode, astronaut):
    whole = encode(astronaut, "PNG")
    content = whole[:33] + chunk(b"gAMA", struct.pack(">I", 45455), right=False) + whole[33:]
    assert mend_texts(content) is content
    with pytest.raises(InputError):
        decode(content)
