"""What is remembered of thousands of owners is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daskjob.streams.bounded_dict import BoundedDict

KEYS = st.integers(0, 9)


@given(most=st.integers(1, 5), keys=st.lists(KEYS))
def test_the_last_to_be_written_are_kept(most: int, keys: list[int]) -> None:
    latest: BoundedDict[int, int] = BoundedDict(most)
    for number, key in enumerate(keys):
        latest[key] = number
    written = list(dict.fromkeys(reversed(keys)))[:most]
    assert list(latest) == written[::-1]
    assert all(keys[latest[key]] == key and key not in keys[latest[key] + 1 :] for key in written)


def test_a_look_makes_nothing_younger() -> None:
    latest: BoundedDict[str, int] = BoundedDict(2)
    latest["a"], latest["b"] = 1, 2
    assert latest.get("a") == 1
    latest["c"] = 3
    assert list(latest) == ["b", "c"]
