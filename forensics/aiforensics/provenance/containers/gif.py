"""GIF: comments, XMP and C2PA in extensions (GIF89a; XMP specification part 3, section 1.1.2)."""

from __future__ import annotations

from aiforensics.image import Limits
from aiforensics.image.containers import gif
from aiforensics.provenance.contents import MAX_BLOCK, Contents


def walk(data: bytes, contents: Contents) -> None:
    """Fill `contents` from the extensions of a GIF file."""
    for block in gif.blocks(data, Limits().max_blocks):
        if not contents.has_room():
            break
        if block.start > block.after:
            contents.problem("stray bytes stand between the blocks of the GIF; what follows them was read")
        if block.kind == gif.IMAGE:
            contents.part("image")
        elif block.kind == gif.EXTENSION:
            _read_extension(data, block, contents)
        else:
            contents.trailing = len(data) - block.end


def _read_extension(data: bytes, block: gif.Block, contents: Contents) -> None:
    label = data[block.start + 1]
    contents.part(f"extension {label:02X}")
    first = block.body + 1  # behind the size of the first data block
    if label == 0xFE:
        contents.add_text("Comment", gif.content(data, block, MAX_BLOCK), "latin-1", "GIF comment")
    elif label == 0xFF and data[first : first + 11] == b"XMP DataXMP":
        contents.add_xmp(data[first + 11 : max(first + 11, block.end - 258)])
    elif label == 0xFF and data[first : first + 8] == b"C2PA_GIF":
        contents.manifest = True
