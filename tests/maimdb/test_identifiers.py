"""UUIDs made fast are the same UUIDs."""

import pickle
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st
from maimdb.core.identifiers import quick_uuid


@settings(deadline=None)
@given(st.uuids())
def test_a_quick_uuid_is_the_same_in_every_respect(expected):
    made = quick_uuid(expected.hex)

    assert made == expected
    assert hash(made) == hash(expected)
    assert (str(made), repr(made), made.is_safe) == (str(expected), repr(expected), expected.is_safe)
    assert pickle.loads(pickle.dumps(made)) == expected
    assert isinstance(made, uuid.UUID)
