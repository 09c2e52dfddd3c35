"""Texts and records made to make a reader start again and again: none takes long."""

import itertools
import re
import time

import pytest

from aiforensics.provenance import generator_fields, read_provenance

SPACES, LINES = " " * 500_000, "\n" * 500_000


@pytest.mark.parametrize(
    "text",
    [
        "x Steps: 20, Seed: 7\n" + SPACES + "x",
        "x Steps: 20, Seed: 7" + LINES + "x",
        "x\nSteps: 20, Seed: 7" + ",\n " * 300_000,
        "x\nSteps: 20, Seed: 7, Model:" + LINES + ",",
        "Steps: 20, Seed: 7" + ("\n" + " " * 99) * 10_000,
        "Seed: 7" + ",Aa" * 300_000 + "Steps: 20" + ",A" + "a" * 99_000,
        "Steps: 20, Seed: 7, Version:" + SPACES + "," + LINES,
    ],
    ids=["spaces", "lines", "commas", "value", "indented lines", "names", "version"],
)
def test_texts_that_make_a_pattern_start_again_and_again(text, make, read):
    start = time.process_time()
    read(make.png(make.compressed("parameters", text)))
    generator_fields.from_parameters(text)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    "unit",
    ["{}", '{"Label":1},', '"AIGC{",', '"Label"', 'AIGC{"Label"', '{"Label":', '"AIGC{\\"Label\\":1}",', '{"AIGC":'],
)
@pytest.mark.parametrize("before", ["", '{"AIGC":['])
def test_aigc_labels_without_end(unit, before, make, read):
    text = before + unit * (1_000_000 // len(unit)) + '"x"]}'
    start = time.process_time()
    read(make.png(make.compressed("AIGC", text), make.compressed("Comment", text)))
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("field", "words"),
    [
        *(("photoshop:Credit", deed) for deed in ("made with ", "edited with ", "made with a", "made with A B the ")),
        ("photoshop:Credit", "not made with AI "),
        ("photoshop:Credit", "made with AI: "),
        ("photoshop:Credit", "not, AI-generated: no / "),
        *(("Iptc4xmpExt:AISystemUsed", words) for words in ("-", "not ", "n/a ", "none -", "a: ", "- - ")),
    ],
)
def test_credits_that_make_a_pattern_start_again_and_again(field, words, make, read):
    xmp = make.xmp({field: words * (900_000 // len(words)) + "x"}).decode()
    start = time.process_time()
    read(make.png(make.international("XML:com.adobe.xmp", xmp, packed=True)))
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    "block",
    [
        b"8BIM\x04\x04" * 1_300_000,
        b"8BIM\x04\x04\0\0\0\0\0\x0c\x1c\x02\x19\0\x07%07d" * 300_000,
        b"8BIM\x04\x04\0\0\0\x7f\xff\xff" + b"\x1c\x02\x19\0\0" * 1_500_000,
        b"8BIM\x04\x04\0\0\0\x7f\xff\xff" + b"\x1c\x02\x19\xff\xff",
    ],
    ids=["resources", "a record in each", "records", "endless"],
)
def test_endless_resources_and_records(block, make):
    numbers = itertools.count()
    packed = re.sub(rb"%07d", lambda _: b"%07d" % next(numbers), block)
    content = make.jpeg(
        *((0xED, b"Photoshop 3.0\0" + packed[at : at + 65_000]) for at in range(0, len(packed), 65_000))
    )
    start = time.process_time()
    read_provenance(make.picture_of(content))
    assert time.process_time() - start < 3.0


def test_a_dream_without_end(make, read):
    start = time.process_time()
    read(make.png(make.compressed("Dream", " -s1" * 250_000)))
    assert time.process_time() - start < 1.0
