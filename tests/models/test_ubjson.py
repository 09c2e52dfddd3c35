"""UBJSON: what XGBoost writes, read as its JSON says."""

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiforensics_models import ubjson


@pytest.fixture(scope="module")
def booster():
    import xgboost

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 4))
    matrix = xgboost.DMatrix(rows, label=rows[:, 0] + rows[:, 1] > 0)
    return xgboost.train({"objective": "binary:logistic", "max_depth": 4, "nthread": 1}, matrix, 7)


def plain(value):
    """The value with arrays as lists, numbers as JSON has them."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | np.ndarray):
        return [plain(one) for one in value]
    return float(np.float32(value)) if isinstance(value, int | float | np.number) else value


def test_a_model_reads_as_its_json_does(booster):
    read = ubjson.loads(bytes(booster.save_raw("ubj")))
    assert plain(read) == plain(json.loads(bytes(booster.save_raw("json"))))
    assert read["learner"]["gradient_booster"]["model"]["trees"][0]["split_conditions"].dtype == np.float32


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"Z", None),
        (b"T", True),
        (b"i\xff", -1),
        (b"U\xff", 255),
        (b"I\x01\x00", 256),
        (b"d\x3f\x80\x00\x00", 1.0),
        (b"SU\x02ab", "ab"),
        (b"[i\x01SU\x01aF]", [1, "a", False]),
        (b"[#U\x02TT", [True, True]),
        (b"[$S#U\x02U\x01aU\x01b", ["a", "b"]),
        (b"{U\x01ai\x05}", {"a": 5}),
        (b"{$i#U\x01U\x01a\x05", {"a": 5}),
        (b"{}", {}),
        (b"[]", []),
    ],
)
def test_every_type_is_read(data, value):
    assert ubjson.loads(b"{U\x01a" + data + b"}") == {"a": value}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends early"),
        (b"T", "no table"),
        (b"{U\x01aSU\x05ab", "ends early"),
        (b"{U\x01a[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff", "ends early"),
        (b"{U\x01a[$T#L\x7f\xff\xff\xff\xff\xff\xff\xff", "an array of 'T'"),
        (b"{U\x01a[$i#i\xff", "ends early"),
        (b"{U\x01aSd\x00\x00\x00\x00", "a length of type 'd'"),
        (b"{U\x01a?", "no type '[?]'"),
        (b"{}}", "1 bytes stand behind the end"),
        (b"{U\x01a" + b"[" * 100, "nests deeper than 64 levels"),
        (b"{U\x01\xff", "utf-8"),
    ],
)
def test_damage_is_told(data, message):
    with pytest.raises(ValueError, match=message):
        ubjson.loads(data)


@given(st.binary(max_size=60))
def test_any_bytes_end_in_a_value_or_in_a_value_error(data):
    with suppress(ValueError):
        ubjson.loads(b"{U\x01a[" + data)


def test_a_cut_model_is_an_error_at_every_length(booster):
    data = bytes(booster.save_raw("ubj"))
    for length in range(0, len(data), 97):
        with pytest.raises(ValueError, match="UBJSON"):
            ubjson.loads(data[:length])
