"""Files made to break readers: bombs, loops, lies about length, nonsense. Nothing escapes, nothing takes long."""

import io
import struct
import time
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from aiforensics.image import decode, from_array
from aiforensics.provenance import read_provenance, stealth, tiff_ifd, xmp_packet
from aiforensics.provenance.containers import png
from aiforensics.provenance.contents import MAX_TEXT, MAX_TOTAL, Contents


@pytest.fixture
def quick(make):
    """Provenance of bytes that did not pass the gate, in less than three seconds and 200 MB."""

    def apply(content):
        picture = make.picture_of(content)
        start = time.process_time()
        provenance = read_provenance(picture)
        assert time.process_time() - start < 3
        assert all(len(c.value) <= 1000 and c.value.isprintable() for c in provenance.claims)
        return provenance

    return apply


def test_zlib_bombs_in_text_chunks(make, quick, values):
    bomb = zlib.compress(b"\0" * 60_000_000, 1)
    chunks = [make.chunk(b"zTXt", b"parameters\0\0" + bomb), make.chunk(b"iTXt", b"prompt\0\1\0\0\0" + bomb)]
    chunks.append(make.chunk(b"iCCP", b"x\0\0" + bomb))
    content = make.png(*chunks)
    tracemalloc.start()
    provenance = quick(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000_000
    assert any(f"cut after {MAX_TEXT}" in v for v in values(provenance, "unreadable"))


def test_a_hundred_megabytes_of_metadata(make, quick, values):
    provenance = quick(make.png(make.text("key", "x" * 4_000_000) * 25, make.text("parameters", "x")))
    assert any("was cut" in v for v in values(provenance, "unreadable"))


def test_a_single_chunk_that_is_too_long(make, quick, values):
    provenance = quick(make.png(make.text("parameters", "x" * 9_000_000)))
    assert any("too long" in v for v in values(provenance, "unreadable"))


def test_too_many_chunks(make, quick):
    quick(make.png(make.text("a", "") * 70_000))


def test_cyclic_directories(make, quick, values):
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8)
    loop = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry + struct.pack("<I", 8)
    provenance = quick(make.jpeg((0xE1, b"Exif\0\0" + loop)))
    assert any("loop" in v for v in values(provenance, "unreadable"))


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), 5e-324, 1e-310, 1e308, -1e308])
def test_numbers_that_no_camera_writes_cost_no_claim(number, make, quick, values):
    tags = (0x829A, 0x829D, 0x8827, 0xA002, 0xA003, 0x920A)
    inner = struct.pack("<H", len(tags) + 1)
    heap = 8 + 2 + 2 * 12 + 4 + 2 + 12 * (len(tags) + 1) + 4
    for tag in sorted(tags):
        inner += struct.pack("<HHII", tag, 12, 1, heap)
    inner += struct.pack("<HHI4s", 0xA434, 2, 4, b"50m\0") + bytes(4)
    head = struct.pack("<HHHI4sHHII", 2, 0x010F, 2, 4, b"Can\0", 0x8769, 4, 1, 8 + 2 + 2 * 12 + 4) + bytes(4)
    block = b"II*\0" + struct.pack("<I", 8) + head + inner + struct.pack("<d", number)
    provenance = quick(make.jpeg((0xE1, b"Exif\0\0" + block)))
    assert values(provenance, "unreadable") == []
    assert values(provenance, "camera") == ["the file claims a camera: Can"]
    assert values(provenance, "lens") == ["50m"]
    assert "1/" not in str(values(provenance, "exposure"))


def test_directories_that_lie_about_their_size(make, quick):
    for count, number in ((65535, 1), (1, 2**32 - 1), (3, 2**31)):
        for kind in (1, 2, 5, 7, 99):
            entry = struct.pack("<HHII", 0x010F, kind, number, 10)
            block = b"II*\0" + struct.pack("<IH", 8, count) + entry * 3
            quick(make.jpeg((0xE1, b"Exif\0\0" + block)))


@pytest.mark.parametrize(
    "packet",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><x:xmpmeta xmlns:x="adobe:ns:meta/">&b;</x:xmpmeta>',
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><!DOCTYPE a></x:xmpmeta>',
        b"<a>" * 50_000,
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + b"<a>" * 60_000 + b"</a>" * 60_000 + b"</x:xmpmeta>",
        b"\xff\xfe" + "<rdf:RDF".encode("utf-16-le"),
        b"\xfe\xff\x00",
        b"",
    ],
    ids=["entities", "inner doctype", "never closed", "deep", "utf-16", "half a sign", "empty"],
)
def test_hostile_xmp(packet, make, quick):
    content = make.png(make.international("XML:com.adobe.xmp", packet.decode("latin-1")))
    provenance = quick(content)
    assert provenance.origin == "unknown"


def test_deep_and_odd_json(make, quick):
    for text in (
        "[" * 100_000,
        '{"a":' * 50_000,
        '{"seed":' + "9" * 10_000 + "}",
        '{"prompt": NaN',
        "{}",
        '{"prompt": []}',
    ):
        quick(make.png(make.text("parameters", text), make.text("prompt", text), make.text("Comment", text)))


def test_stealth_reader_ends_on_tiny_pictures(make):
    for width, height in ((4, 4), (1, 1), (1, 400), (400, 1)):
        pixels = np.full((height, width, 4), 255, np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        blank = Image.new("RGB", (width, height))
        alpha = Image.new("L", (width, height), 254)
        picture = replace(make.picture_of(buffer.getvalue()), stored=blank, alpha=alpha)
        assert stealth.hidden_text(picture) == ""
        assert read_provenance(picture).level == "none"


def test_stealth_lengths_that_lie(make, read):
    pixels = make.pixels()
    for length in (0, 7, 2**32 - 1):
        head = b"stealth_pngcomp" + struct.pack(">I", length) + b"\x1f\x8b" + b"\xff" * 40
        bits = np.unpackbits(np.frombuffer(head, np.uint8))
        alpha = np.full(pixels.shape[:2], 254, np.uint8).T.reshape(-1)
        alpha[: bits.size] |= bits
        content = make.png(pixels=np.dstack([pixels, alpha.reshape(pixels.shape[1], -1).T]), mode="RGBA")
        assert read(content).origin == "unknown"


def test_a_gzip_bomb_in_the_alpha_channel_is_cut(make):
    content = make.png(pixels=make.hide("x" * (MAX_TEXT + 500_000), make.pixels(400, 400)), mode="RGBA")
    assert len(stealth.hidden_text(decode(content))) == MAX_TEXT


def test_a_thumbnail_that_claims_billions_of_pixels(make, quick):
    thumbnail = bytearray(make.jpeg())
    frame = thumbnail.index(b"\xff\xc0")
    thumbnail[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
    provenance = quick(make.jpeg(make.exif_segment(thumbnail=bytes(thumbnail))))
    assert any(c.kind == "thumbnail" for c in provenance.claims)


def box(kind, body):
    return struct.pack(">I4s", len(body) + 8, kind) + body


@pytest.fixture
def described():
    """An AVIF picture whose description of items is the given boxes."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "AVIF")
    whole = buffer.getvalue()
    first = int.from_bytes(whole[:4])
    return lambda *boxes: whole[:first] + box(b"meta", bytes(4) + b"".join(boxes)) + whole[first:]


@pytest.mark.parametrize("length", range(8))
def test_a_table_of_items_that_is_cut_off(length, described, quick, values):
    assert any("items is cut off" in v for v in values(quick(described(box(b"iloc", bytes(length)))), "unreadable"))


def test_tables_of_endless_items_and_extents(described, quick):
    entry = struct.pack(">HHH", 1, 0, 0xFFFF)
    table = box(b"iloc", bytes(6) + struct.pack(">H", 0xFFFF) + entry * 4096)
    wide = box(b"iloc", b"\0\0\0\0\x44\0" + struct.pack(">HHHH", 1, 1, 0, 0xFFFF) + bytes(8 * 0xFFFF))
    start = time.process_time()
    quick(described(table, table, *(table for _ in range(200))) + box(b"meta", bytes(4) + table) * 200)
    quick(described(wide))
    assert time.process_time() - start < 1.0


def test_items_that_all_are_the_whole_file(described, quick):
    """4,096 items of EXIF or XMP, each eight megabytes long: none is copied that is not kept."""
    kinds = [b"Exif", b"mime"]
    infos = b"".join(box(b"infe", b"\2\0\0\0" + struct.pack(">HH4s", n, 0, kinds[n % 2]) + b"\0") for n in range(4096))
    places = b"".join(struct.pack(">HHHII", n, 0, 1, 0, 0x7FFFFFFF) for n in range(4096))
    start = time.process_time()
    table = box(b"iloc", b"\0\0\0\0\x44\0" + struct.pack(">H", 4096) + places)
    quick(described(box(b"iinf", bytes(4) + struct.pack(">H", 4096) + infos), table) + b"xmpmeta" + bytes(16_000_000))
    assert time.process_time() - start < 1.0


def test_a_container_that_breaks_its_reader_is_noted(make, read, values, monkeypatch):
    def broken(data, contents):
        contents.part("IHDR")
        raise IndexError

    monkeypatch.setattr(png, "walk", broken)
    assert values(read(make.png()), "unreadable") == ["the structure of the file is broken (IndexError)"]


def test_control_signs_and_markup_stay_on_one_line(make, quick):
    text = "a\x00b\x1b[31m\u202e<script>alert(1)</script>\r\n" * 50
    provenance = quick(make.jpeg(make.exif_segment(first={0x010F: "Can\x1bon", 0x013B: text}), (0xFE, text.encode())))
    assert any("script" in c.value for c in provenance.claims)


def seeds(make):
    tags = {0x010F: "Canon", 0x0110: "EOS", 0x0132: "2020:01:01 00:00:00"}
    pixels = Image.fromarray(make.pixels())
    exif = make.exif(first=tags, gps={1: "N", 2: ((1, 1),) * 3, 3: "E", 4: ((1, 1),) * 3}, thumbnail=make.jpeg())
    xmp = make.xmp({"photoshop:Credit": "Made with Google AI"})
    yield make.jpeg(
        (0xE1, b"Exif\0\0" + exif),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp),
        (0xED, b"Photoshop 3.0\0" + b"8BIM" * 9),
    )
    yield make.png(
        make.text("parameters", "x\nSteps: 2, Seed: 1"), make.compressed("Comment", "{}"), make.chunk(b"eXIf", exif)
    )
    for form, options in (
        ("WEBP", {"exif": exif, "xmp": xmp}),
        ("TIFF", {}),
        ("GIF", {"comment": b"hello"}),
        ("AVIF", {"exif": exif, "xmp": xmp}),
    ):
        buffer = io.BytesIO()
        pixels.save(buffer, form, **options)
        yield buffer.getvalue()


def test_damaged_files_never_raise(make):
    rng = np.random.default_rng(11)
    blank = from_array(np.zeros((16, 16, 3), np.uint8))
    for content in seeds(make):
        for _ in range(60):
            damaged = bytearray(content)
            for place in rng.integers(0, min(len(damaged), 3000), int(rng.integers(1, 12))):
                damaged[place] = int(rng.integers(0, 256))
            cut = int(rng.integers(1, len(damaged))) if rng.random() < 0.3 else len(damaged)
            picture = replace(blank, data=bytes(damaged[:cut]), format="JPEG")
            assert read_provenance(picture) is not None


@pytest.fixture
def peak():
    """Peak of the memory in bytes that a call takes on top of what is held."""

    def apply(call, *arguments):
        tracemalloc.start()
        call(*arguments)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    return apply


def overlapping(tags, size):
    """A TIFF block of four directories in which every tag is the same long value."""
    places = [8 + n * (6 + 12 * (tags + 2)) for n in range(4)]
    body = places[3] + 6 + 12 * (tags + 2)
    block = bytearray(b"II*\0" + struct.pack("<I", 8) + bytes(body - 8))
    for number, place in enumerate(places):
        pointers = [(0x8769, 4, 1, places[1]), (0x8825, 4, 1, places[2])] if number == 0 else []
        entries = [(0x010F, 2, 4, 0x6F6E6143), *pointers, *((0xC000 + n, 7, size, body) for n in range(tags))]
        following = places[3] if number == 0 else 0
        packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        block[place : place + len(packed) + 6] = struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)
    return bytes(block) + b"\xe9" * size


def test_tags_that_all_are_the_whole_block(peak):
    block = overlapping(400, 1 << 20)
    assert peak(tiff_ifd.read, block) < 20_000_000
    found = tiff_ifd.read(block)
    assert found.first[0x010F] == "Cano"  # the small values stand, whatever else the block claims
    assert any("the largest were not read" in problem for problem in found.problems)


def test_numbers_that_fill_the_memory(peak):
    entries = b"".join(struct.pack("<HHII", 0xC000 + n, 3, 1 << 20, 8) for n in range(500))
    block = b"II*\0" + struct.pack("<IH", 8, 500) + entries + bytes(4 + (1 << 21))
    assert peak(tiff_ifd.read, block) < 20_000_000


def test_bombs_after_the_allowance_are_not_inflated(make, quick, values):
    bomb = zlib.compress(bytes(4 << 20), 9)
    packed = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"k\0\0"}
    for kind, head in packed.items():
        quick(make.png() + make.chunk(kind, head + bomb) * 1000)
    profiles = quick(make.png() + make.chunk(b"iCCP", packed[b"iCCP"] + bomb) * 2)
    assert "only the first colour profile was read" in values(profiles, "unreadable")


def test_streams_that_break_late_count_as_read():
    contents, broken = Contents(), zlib.compress(bytes(60_000))[:-4] + b"\xff" * 4
    for _ in range(MAX_TOTAL // 60_000):
        png.inflate(broken, MAX_TEXT, contents, "x")
    assert contents.room() == 0


def test_what_stands_before_a_fault_of_a_stream_is_kept():
    body = b"parameters " * 50_000
    broken = zlib.compress(body)[:-4] + b"\xff" * 4
    contents = Contents()
    assert body.startswith(png.inflate(broken, MAX_TEXT, contents, "x")[:65536])
    assert "x cannot be decompressed to its end" in contents.problems


def test_texts_beyond_their_number_are_told(make, quick, values):
    provenance = quick(make.png() + make.text("a", "b") * 1100)
    assert "only the first 1000 texts were read" in values(provenance, "unreadable")


def test_xmp_of_millions_of_nodes_builds_no_tree(peak):
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + b"<a/>" * 1_000_000 + b"</x:xmpmeta>"
    assert peak(xmp_packet.read, [packet]) < 50_000_000
    assert xmp_packet.read([packet]).problems == ["only the first 20000 XMP nodes were read"]


def test_xmp_of_a_million_attributes(make):
    attributes = " ".join(f'b{n:x}=""' for n in range(700_000)).encode()
    start = time.process_time()
    found = xmp_packet.read([b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a ' + attributes + b"/></x:xmpmeta>"] * 3)
    assert time.process_time() - start < 1.5
    assert found.problems


def test_values_of_one_property_are_bounded(make):
    found = xmp_packet.read([b"<a>" + b"<b>c</b>" * 1500 + b"</a>"])
    assert len(found.values["b"]) == 1000
    assert found.problems == ["only the first 1000 values of an XMP property were read"]


@pytest.mark.parametrize("form", ["<a:t{}/>", '<b a:t{}="c"/>', "<a:t{}>d</a:t{}>"])
def test_a_long_namespace_stands_once_in_memory_and_hides_nothing(form, make, peak):
    inside = "".join(form.replace("{}", str(n)) for n in range(2000))
    one_tag = "<b " + " ".join(f'a:u{n}="e"' for n in range(2000)) + "/>"
    head, tail = make.xmp({"photoshop:Credit": "Made with Google AI"}).decode().split("</rdf:RDF>")
    packet = f'{head}<c xmlns:a="{"u" * 200_000}">{inside}{one_tag}</c></rdf:RDF>{tail}'.encode()
    assert peak(xmp_packet.read, [packet]) < 10_000_000
    assert xmp_packet.read([packet]).first("photoshop:Credit") == "Made with Google AI"


def test_prefixes_mean_what_the_element_around_them_says():
    inner = (
        '<p:Credit xmlns:p="http://ns.adobe.com/photoshop/1.0/"><p:City xmlns:p="http://x/other/">a</p:City></p:Credit>'
    )
    packet = f'<r xmlns:p="http://x/y#">{inner}<p:z>b</p:z><d xmlns="http://x/e/">c</d></r>'
    assert xmp_packet.read([packet.encode()]).values == {"other:City": ["a"], "y:z": ["b"], "e:d": ["c"]}


def test_memory_that_is_short_costs_one_packet_once(make, read, values, monkeypatch):
    calls = []

    def short(packet):
        calls.append(packet)
        raise MemoryError

    monkeypatch.setattr(xmp_packet, "_text", short)
    content = make.jpeg(make.xmp_segment({"photoshop:Credit": "me"}), make.exif_segment(first={0x0131: "NovelAI"}))
    provenance = read(content)
    assert provenance.origin == "ai"
    assert values(provenance, "unreadable") == ["an XMP packet takes too much memory"]
    assert len(calls) == 1
