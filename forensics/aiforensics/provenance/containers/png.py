"""PNG chunks: texts (plain, compressed, international), EXIF, ICC, and the C2PA chunk (`caBX`).

Chunks with a wrong checksum are read all the same and noted: some generators write them.
Source: PNG specification, third edition, section 11; C2PA specification 2.1, section A.3.2.
"""

from __future__ import annotations

import zlib
from itertools import takewhile

from aiforensics.image.containers import png
from aiforensics.provenance.contents import MAX_BLOCK, MAX_TEXT, MAX_TEXTS, Contents

_CHECKED = png.TEXTS | {b"eXIf", b"iCCP"}
_WRAPPERS = ("XML:com.adobe.xmp", "Raw profile type ")
_PIECE = 1 << 16


def walk(data: bytes, contents: Contents) -> None:
    """Fill `contents` from the chunks of a PNG (or APNG) file."""
    end = 8
    for chunk in png.chunks(data):
        if not contents.has_room():
            return
        _take(chunk, data, contents)
        end = chunk.end + 4
        if chunk.kind == png.END:
            contents.trailing = max(0, len(data) - end)
    # Some programs append their texts after the end; other bytes there are no chunks.
    for chunk in takewhile(lambda c: c.kind in _CHECKED, png.chunks(data, end)):
        if not contents.has_room():
            return
        _take(chunk, data, contents)


def _take(chunk: png.Chunk, data: bytes, contents: Contents) -> None:
    name = chunk.kind.decode("latin-1")
    contents.part(name)
    if chunk.end > len(data):
        contents.problem(f"PNG chunk {name!a} runs past the end of the file")
    if chunk.kind == b"caBX":
        contents.manifest = True
    if chunk.kind not in _CHECKED:
        return
    if chunk.end - chunk.body > MAX_BLOCK:
        contents.problem(f"PNG chunk {name} of {chunk.end - chunk.body} bytes was not read: too long")
        return
    _read_chunk(chunk.kind, data[chunk.body : chunk.end], contents)
    stored = data[chunk.end : chunk.end + 4]
    if len(stored) == 4 and zlib.crc32(data[chunk.start + 4 : chunk.end]).to_bytes(4, "big") != stored:
        contents.problem(f"PNG chunk {name} has a wrong checksum; it was read all the same")


def _read_chunk(kind: bytes, body: bytes, contents: Contents) -> None:
    if kind == b"eXIf":
        contents.add_exif(body.removeprefix(b"Exif\0\0"), what="PNG eXIf")
        return
    keyword, found, rest = body.partition(b"\0")
    if not found:
        contents.problem(f"PNG chunk {kind.decode()} has no keyword")
        return
    name = keyword[:79].decode("latin-1")
    source = f"PNG {kind.decode()}"
    if kind != b"iCCP" and not name.startswith(_WRAPPERS) and len(contents.texts) >= MAX_TEXTS:
        contents.problem(f"only the first {MAX_TEXTS} texts were read")
    elif kind == b"tEXt":
        _add(name, rest, "latin-1", source, contents)
    elif kind == b"zTXt":
        _add(name, inflate(rest[1:], MAX_TEXT, contents, source), "latin-1", source, contents)
    elif kind == b"iCCP" and contents.icc:
        contents.problem("only the first colour profile was read")
    elif kind == b"iCCP":
        contents.icc = contents.keep(inflate(rest[1:], MAX_BLOCK, contents, source), what=source)
    elif kind == b"iTXt" and len(rest) >= 2:
        compressed = rest[0] == 1
        _language, _, tail = rest[2:].partition(b"\0")
        _translated, _, text = tail.partition(b"\0")
        _add(name, inflate(text, MAX_TEXT, contents, source) if compressed else text, "utf-8", source, contents)


def inflate(packed: bytes, limit: int, contents: Contents, what: str) -> bytes:
    """Decompress at most `limit` bytes and what may still be kept of the file, so that a zlib bomb costs no more."""
    stream = zlib.decompressobj()
    text = bytearray()
    limit = contents.room(limit)
    try:
        while len(text) < limit and (piece := stream.decompress(packed, min(_PIECE, limit - len(text)))):
            text += piece
            packed = stream.unconsumed_tail
    except zlib.error:
        contents.spend(_PIECE)  # of which nothing comes back
        contents.problem(f"{what} cannot be decompressed to its end")
    if packed and not stream.eof:
        contents.problem(f"{what} was cut after {limit} decompressed bytes")
    return bytes(text)


def _add(name: str, text: bytes, encoding: str, source: str, contents: Contents) -> None:
    """Keep a text; the ones that wrap another kind of block are unwrapped."""
    if name == "XML:com.adobe.xmp":
        contents.add_xmp(text)
    elif name.startswith("Raw profile type "):
        _add_raw_profile(name.removeprefix("Raw profile type "), text, contents)
    else:
        contents.add_text(name, text, encoding, source)


def _add_raw_profile(name: str, text: bytes, contents: Contents) -> None:
    """ImageMagick's way of storing EXIF, IPTC and XMP: a name, a length and hexadecimal digits."""
    lines = contents.keep(text, what="a raw profile").strip().split(b"\n", 2)
    try:
        block = bytes.fromhex(lines[2].decode("ascii")) if len(lines) == 3 else b""
    except ValueError:
        contents.problem("a raw profile is not hexadecimal")
        return
    if name in {"exif", "APP1"} and block.startswith(b"Exif\0\0"):
        contents.add_exif(block[6:])
    elif name == "xmp":
        contents.add_xmp(block)
    elif name in {"iptc", "8bim"} and block.startswith(b"\x1c"):
        contents.iptc += block
    elif name in {"iptc", "8bim"}:
        contents.photoshop += block
