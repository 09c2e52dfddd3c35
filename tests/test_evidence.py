"""The words that every part shares."""

import copy
import pickle

from aiforensics.evidence import InputError


def test_a_refusal_travels_to_another_process():
    error = InputError("truncated", "the file ends early")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - made here
        assert (twin.kind, twin.message, str(twin)) == ("truncated", "the file ends early", "the file ends early")
