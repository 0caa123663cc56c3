"""A worker group that was created just now has no workers, and that is known for certain."""

from __future__ import annotations

import pytest

from daskjob.dask_controller import new_groups
from daskjob.dask_controller.new_groups import GROUP_LABEL, NewGroups

SELECTOR = f"{GROUP_LABEL}=a-default"


def created(groups: NewGroups, name: str = "a-default", namespace: str = "team") -> None:
    with groups.creation(namespace, name):
        pass


def test_the_first_count_needs_no_question_and_the_next_one_does() -> None:
    groups = NewGroups()
    created(groups)
    assert groups.have_none("team", SELECTOR)
    assert not groups.have_none("team", SELECTOR)


@pytest.mark.parametrize(
    ("namespace", "selector"),
    [
        ("another", SELECTOR),
        ("team", f"{GROUP_LABEL}=b-default"),
        ("team", "dask.org/cluster-name=a-default"),
        ("team", f"{SELECTOR},dask.org/component=worker"),
        ("team", None),
    ],
)
def test_nothing_is_known_of_others(namespace: str, selector: str | None) -> None:
    groups = NewGroups()
    created(groups)
    assert not groups.have_none(namespace, selector)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt], ids=["refused", "cancelled"])
def test_a_group_that_was_perhaps_there_before_is_asked_about(error: type[BaseException]) -> None:
    groups = NewGroups()
    with pytest.raises(error), groups.creation("team", "a-default"):
        raise error
    assert not groups.have_none("team", SELECTOR)


def test_a_count_before_the_answer_is_the_one_that_leads_to_workers() -> None:
    """The watch may bring the group earlier than the answer to its creation."""
    groups = NewGroups()
    with groups.creation("team", "a-default"):
        assert not groups.have_none("team", SELECTOR)
    assert not groups.have_none("team", SELECTOR)


def test_of_too_many_the_eldest_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_groups, "MOST_UNCOUNTED", 2)
    groups = NewGroups()
    for name in "abc":
        created(groups, name)
    assert [groups.have_none("team", f"{GROUP_LABEL}={name}") for name in "abc"] == [False, True, True]
