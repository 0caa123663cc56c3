"""Stand-ins for long texts, and the texts put back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api.long_texts import HEAD, KEPT, has_stand_ins, is_stand_in, put_back, shorten

LONG = st.text(max_size=30).map(lambda text: (text + "xy") * KEPT)
TYPES = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=40)


@given(LONG, TYPES)
def test_a_status_gets_its_texts_back(value: str, types: dict[str, str]) -> None:
    status = {"result": {"value": value, "types": types}, "summary": value[:60], "conditions": [{"message": "m"}]}
    short = {**status, "result": {"value": shorten(value), "types": shorten(types)}}
    assert has_stand_ins(short)
    assert put_back(short, None, {"a": [status]}) == status


@pytest.mark.parametrize("value", ["", "x" * KEPT, 1, None, [], {}, {"": "datetime"}, {"a" * 2000: "b"}])
def test_what_is_short_stays(value: Any) -> None:
    assert shorten(value) is value
    assert not is_stand_in(value)


def test_the_first_characters_stay() -> None:
    assert shorten("abc" * KEPT)[:HEAD] == ("abc" * KEPT)[:HEAD]
    assert shorten("abc" * KEPT) != shorten("abc" * KEPT + "d")


def test_a_text_that_is_nowhere_is_no_text() -> None:
    with pytest.raises(LookupError):
        put_back({"value": shorten("x" * 2000)}, {"value": "x" * 2001})


def test_a_users_own_text_of_that_form_stays_his() -> None:
    forged = shorten("x" * 2000)
    assert put_back({"value": forged}, {"value": forged}) == {"value": forged}
