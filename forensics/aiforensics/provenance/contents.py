"""What a file holds beside its pixels, taken out of the container once and within bounds.

Every container reader fills a `Contents`. None of them raises: what cannot be read is noted in `problems`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_BLOCK = 8 << 20
"""Bytes kept of one metadata block (EXIF, XMP, ICC, IPTC)."""
MAX_TEXT = 4 << 20
"""Bytes kept of one text, after decompression."""
MAX_TOTAL = 32 << 20
"""Bytes kept of all texts and blocks of one file together."""
MAX_PARTS = 65_536
"""Chunks, segments or boxes that are walked in one file."""

MAX_EXIF = 8
"""EXIF blocks read of one file; viewers show one, and a second can say something else."""
MAX_PACKETS = 200
"""XMP packets read of one file."""
MAX_TEXTS = 1000
"""Texts kept of one file."""


@dataclass(frozen=True, slots=True)
class Text:
    """A keyword and its text, with the place where it stands (such as `PNG tEXt`)."""

    keyword: str
    text: str
    source: str


@dataclass
class Contents:
    """The metadata blocks of one file.

    Attributes
    ----------
    exif_blocks
        TIFF blocks (each starting with its byte order mark), in file order.
    xmp
        XMP packets, undecoded, in file order.
    photoshop
        Photoshop image resources (`8BIM` blocks), where IPTC records live.
    iptc
        IPTC records that stand by themselves.
    icc
        The ICC profile, or empty.
    texts
        Text chunks and comments.
    manifest
        Whether a C2PA manifest store is embedded.
    manifest_spans
        Start and end of every part of a manifest store that is cut into parts (JPEG), as offsets into the file.
    parts
        Names of the chunks, segments or boxes in file order; runs of the same name stand once.
    trailing
        Bytes after the end of the picture.
    problems
        What could not be read, one plain phrase each.
    """

    exif_blocks: list[bytes] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)
    photoshop: bytes = b""
    iptc: bytes = b""
    icc: bytes = b""
    texts: list[Text] = field(default_factory=list)
    manifest: bool = False
    manifest_spans: list[tuple[int, int]] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    trailing: int = 0
    problems: list[str] = field(default_factory=list)
    _kept: int = 0
    _walked: int = 0

    @property
    def exif(self) -> bytes:
        """The EXIF block that most viewers show, the first one, or nothing."""
        return self.exif_blocks[0] if self.exif_blocks else b""

    def room(self, limit: int = MAX_BLOCK) -> int:
        """Bytes that may still be kept of one block of at most `limit`."""
        return max(0, min(limit, MAX_TOTAL - self._kept))

    def spend(self, size: int) -> None:
        """Count bytes that cost work or memory against the file's allowance."""
        self._kept += size

    def keep(self, block: bytes, limit: int = MAX_BLOCK, what: str = "a metadata block") -> bytes:
        """`block`, cut to `limit` and to what is left of the file's allowance; a cut is noted in `problems`."""
        room = self.room(limit)
        if len(block) > room:
            self.problem(f"{what} was cut after {room} of {len(block)} bytes")
            block = block[:room]
        self.spend(len(block))
        return block

    def add_exif(self, block: bytes, what: str = "EXIF") -> None:
        """Keep an EXIF block; empty and repeated ones do not count."""
        self._add(self.exif_blocks, self.keep(block, what=what), MAX_EXIF, "EXIF blocks")

    def add_xmp(self, packet: bytes, what: str = "XMP") -> None:
        """Keep an XMP packet; empty and repeated ones do not count."""
        self._add(self.xmp, self.keep(packet, what=what), MAX_PACKETS, "XMP packets")

    def _add(self, blocks: list[bytes], block: bytes, most: int, what: str) -> None:
        if not block.strip(b"\0 \t\r\n") or block in blocks:
            return
        if len(blocks) == most:
            self.problem(f"only the first {most} {what} were read")
            return
        blocks.append(block)

    def add_text(self, keyword: str, raw: bytes, encoding: str, source: str) -> None:
        """Decode and keep one text; its keyword can be a person's words and stands in no problem."""
        raw = self.keep(raw, MAX_TEXT, source)
        if len(self.texts) >= MAX_TEXTS:
            self.problem(f"only the first {MAX_TEXTS} texts were read")
            return
        self.texts.append(
            Text(keyword, _decode(raw, encoding), f"{source} {keyword}" if source.startswith("PNG") else source)
        )

    def problem(self, text: str) -> None:
        """Note what could not be read; at most 20 different phrases are kept."""
        if len(self.problems) < 20 and text not in self.problems:
            self.problems.append(text)

    def has_room(self) -> bool:
        """Whether another part may be walked."""
        self._walked += 1
        if self._walked <= MAX_PARTS:
            return True
        self.problem(f"only the first {MAX_PARTS} parts of the container were read")
        return False

    def part(self, name: str) -> None:
        """Note a chunk, segment or box; its name comes from the file and is cut."""
        name = "".join(c for c in name[:24] if c.isprintable())
        if not self.parts or self.parts[-1] != name:
            self.parts.append(name)


def _decode(raw: bytes, encoding: str) -> str:
    """Text in the stated encoding; programs often write UTF-8 where the standard asks for Latin-1."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1" if encoding == "utf-8" else encoding, "replace")
