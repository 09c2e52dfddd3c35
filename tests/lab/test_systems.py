"""Systems, and the examples of what they see."""

import pytest

torch = pytest.importorskip("torch")

from aiforensics.lab import systems  # noqa: E402

pytestmark = pytest.mark.train


@pytest.fixture
def samples(bright):
    return bright


def test_the_examples_are_two_pictures_of_each_class(samples, tmp_path, monkeypatch, small):
    pytest.importorskip("matplotlib")
    drawn = []
    monkeypatch.setattr(systems, "Pictures", lambda shown, *_: drawn.append(shown) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        systems.draw_examples(samples, small("cnn"), tmp_path / "examples.png")
    assert [sample.label for sample in drawn[0]] == ["real", "real", "ai", "ai"]
    assert len(set(drawn[0])) == 4
