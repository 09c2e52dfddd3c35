import json

import pytest

from aiforensics.batch.answer import AnswerError, read_message, to_result
from aiforensics.evidence import InputError, Refusal

OBJECTS = (
    *("list", "text", "null", "empty", "ready", "failed", "verdict", "interval", "reasons", "model", "share"),
    *("nan", "surrogate", "schema", "error", "kind"),
)


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_that_is_no_result_is_told_apart(garbling, name):
    assert set(OBJECTS) == set(garbling.OBJECTS)
    with pytest.raises(AnswerError):
        to_result(read_message(json.dumps(garbling.OBJECTS[name]).encode()), "a.png")


@pytest.mark.parametrize("name", ["words", "bytes", "nothing", "deep", "deeper", "huge", "digits"])
def test_bytes_that_are_no_json_are_told_apart(garbling, name):
    with pytest.raises(AnswerError):
        read_message(garbling.RAW[name])


def test_a_result_is_that_of_the_item_and_keeps_the_rest(fakes):
    found = fakes.finding("caf\udce9.png").to_dict()
    assert to_result(read_message(json.dumps(found).encode()), "caf\udce9.png") == found
    assert to_result(found | {"path": ["x"]}, "a.png") == found | {"path": "a.png"}
    refused = Refusal.of("a.png", InputError("truncated", "it ends early")).to_dict()
    assert to_result(read_message(json.dumps(refused).encode()), "a.png") == refused
