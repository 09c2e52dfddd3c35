"""China's label for synthetic content, wherever and in whatever form it stands."""

import pytest


@pytest.mark.parametrize("label", ["1", "2"])
def test_aigc_label(label, make, read, values):
    text = f'{{"Label":"{label}","ContentProducer":"someone"}}'
    for content in (
        make.png(make.text("AIGC", text)),
        make.jpeg(make.xmp_segment({"TC260:AIGC": text.replace('"', "&quot;")})),
        make.jpeg(make.exif_segment(inner={0x9286: b"ASCII\0\0\0" + f'{{"AIGC":{text}}}'.encode()})),
    ):
        provenance = read(content)
        assert "AIGC label" in values(provenance, "aigc-label")[0]
        assert (provenance.origin == "ai") == (label == "1")


@pytest.mark.parametrize("text", ['{"AIGC":{"Label":"1"}}', 'AIGC{"Label":"1"}', '{"Label":"1","ContentProducer":"x"}'])
def test_an_aigc_label_in_other_texts(text, make, read):
    for content in (
        make.jpeg((0xFE, text.encode())),
        make.png(make.text("Comment", text)),
        make.jpeg(make.exif_segment(first={0x010E: text})),
        make.jpeg(make.exif_segment(inner={0x9286: b"ASCII\0\0\0" + text.encode()})),
    ):
        assert read(content).origin == "ai"
        assert read(content.replace(b"AIGC", b"XXXX").replace(b"ContentP", b"ContentX")).origin == "unknown"


@pytest.mark.parametrize(
    "text",
    [
        '{"AIGC":"{\\"Label\\":\\"1\\",\\"ProduceID\\":\\"x\\"}"}',
        '{"AIGC":{"ContentProducer":{"id":"x"},"Label":1}}',
        '{"AIGC":{"Label":"1","ReservedCode1":"{\\"a\\":1}"}}',
        '{"AIGC":{"ReservedCode1":"}","Label":"1"}}',
        '{"\\u0041IGC":{"\\u004cabel":"1"}}',
        '{"meta":[{"AIGC":{"label":"1"}}]}',
        '{"a":1} AIGC: {"Label":"1","b":{}}',
        'made here: AIGC={"Label":"1","ContentProducer":"{x}"}',
        '{bad} AIGC{"Label":"1"}',
    ],
)
def test_an_aigc_label_in_other_forms_of_json(text, make, read, values):
    for content in (make.png(make.text("Comment", text)), make.png(make.text("AIGC", text))):
        assert values(read(content), "aigc-label") == ["the file carries China's AIGC label: made by AI"]


@pytest.mark.parametrize(
    "text",
    ['{"Label":"1"}', '{"AIGC":"see the terms","x":{"Label":"1"}}', '{"items":[{"Label":"1","AIGC":true}]}'],
)
def test_another_label_beside_the_word_aigc_is_no_label(text, make, read, values):
    assert values(read(make.png(make.text("Comment", text))), "aigc-label") == []
