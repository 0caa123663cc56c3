"""What the watches told, in whatever order it comes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api import constants as c
from daskjob.api.resource import DASK_JOBS
from daskjob.controller.cache import Cache
from daskjob.controllers.job.watched import job_of

KEY = ("team", "sum")


def body(
    kind: str = "Pod", name: str = "p", uid: str = "1", version: int = 1, job: str | None = "sum"
) -> dict[str, Any]:
    labels = {c.JOB_LABEL: job} if job else {}
    metadata = {"namespace": "team", "name": name, "uid": uid, "resourceVersion": str(version), "labels": labels}
    return {"kind": kind, "metadata": metadata}


def versions(cache: Cache) -> list[tuple[str, str]]:
    return [(each["metadata"]["uid"], each["metadata"]["resourceVersion"]) for each in cache.owned(KEY)]


def test_the_job_that_an_object_belongs_to() -> None:
    assert job_of(body()) == KEY
    assert job_of(body("DaskJob", "sum", job=None)) == KEY
    assert job_of(body(job=None)) is None
    assert Cache(DASK_JOBS, job_of).put(body(job=None)) is None


def test_a_later_version_takes_the_place_of_an_earlier_one_and_not_the_other_way() -> None:
    cache = Cache(DASK_JOBS, job_of)
    for version in (2, 3, 1, 2):
        assert cache.put(body(version=version)) == KEY
    assert versions(cache) == [("1", "3")]


def test_a_namesake_takes_the_place_of_what_was_there() -> None:
    cache = Cache(DASK_JOBS, job_of)
    cache.put(body(uid="1", version=5))
    cache.put(body(uid="2", version=7))
    assert versions(cache) == [("2", "7")]
    cache.drop(body(uid="1", version=6))
    assert versions(cache) == [("2", "7")], "the end of the old one is not the end of the new one"


def test_late_news_of_the_old_one_do_not_bring_it_back() -> None:
    cache = Cache(DASK_JOBS, job_of)
    cache.put(body(uid="2", version=7))
    cache.put(body(uid="1", version=5))
    assert versions(cache) == [("2", "7")]


def test_what_is_deleted_is_forgotten_and_does_not_come_back() -> None:
    cache = Cache(DASK_JOBS, job_of)
    cache.put(body(version=1))
    assert cache.drop(body(version=3)) == KEY
    assert versions(cache) == []
    assert cache.root_keys() == []
    cache.put(body(version=2))
    assert versions(cache) == [], "an answer that was on its way when the object went"


def test_the_job_is_not_among_its_objects() -> None:
    cache = Cache(DASK_JOBS, job_of)
    cache.put(body("DaskJob", "sum", job=None))
    cache.put(body())
    assert cache.root(KEY) is not None
    assert [each["kind"] for each in cache.owned(KEY)] == ["Pod"]
    assert cache.root_keys() == [KEY]
    assert cache.root(("team", "other")) is None


def test_what_rests_is_given_back_as_it_was() -> None:
    """It is stored as text, and still found, compared, marked and removed."""
    cache = Cache(DASK_JOBS, job_of, rests=lambda each: each["status"]["phase"] == "Succeeded")
    pod = {**body(uid="1", version=5), "status": {"phase": "Succeeded", "message": "\ud800 \u00e4"}}
    cache.put(pod)
    assert cache.find("Pod", "team", pod["metadata"]["name"]) == pod
    assert list(cache.owned(KEY)) == [pod]
    assert cache.uids("Pod", None) == {"1"}
    assert cache.has(pod)
    assert not cache.has({**pod, "status": {"phase": "Failed"}})
    cache.put({**pod, "metadata": {**pod["metadata"], "resourceVersion": "4"}, "status": {"phase": "Running"}})
    assert list(cache.owned(KEY)) == [pod], "a late one does not count"
    cache.mark_deleting("Pod", "team", pod["metadata"]["name"], "1", "2026-03-01T12:00:00Z")
    [marked] = cache.owned(KEY)
    assert marked["metadata"].pop("deletionTimestamp") == "2026-03-01T12:00:00Z"
    assert marked == pod
    cache.drop({**pod, "metadata": {**pod["metadata"], "resourceVersion": "9"}})
    assert cache.root_keys() == []


def test_a_list_corrects_the_store_but_for_what_came_meanwhile() -> None:
    cache = Cache(DASK_JOBS, job_of)
    cache.put(body(name="gone", uid="1"))
    cache.put(body(name="stays", uid="2", version=1))
    cache.put(body("DaskCluster", name="another-kind", uid="3"))
    known = cache.uids("Pod", None)
    cache.put(body(name="came-meanwhile", uid="4"))
    listed = [body(name="stays", uid="2", version=9), body(name="new", uid="5", job="other")]
    for each in listed:
        cache.put(each)
    assert cache.remove_missing("Pod", {"2", "5"}, known) == {KEY}
    assert cache.remove_missing("Pod", {"2", "5"}, known) == set()
    assert sorted(each["metadata"]["name"] for each in cache.owned(KEY)) == ["another-kind", "came-meanwhile", "stays"]
    assert [each["metadata"]["name"] for each in cache.owned(("team", "other"))] == ["new"]


@pytest.mark.parametrize(("namespace", "expected"), [(None, {"1", "2"}), ("team", {"1"}), ("nobody", set())])
def test_uids(namespace: str | None, expected: set[str]) -> None:
    cache = Cache(DASK_JOBS, job_of)
    cache.put(body(uid="1"))
    other = body(uid="2")
    cache.put({**other, "metadata": {**other["metadata"], "namespace": "else"}})
    assert cache.uids("Pod", namespace) == expected


def test_only_so_many_ends_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daskjob.controller.cache.REMEMBERED_ENDS", 2)
    cache = Cache(DASK_JOBS, job_of)
    for number in range(4):
        cache.drop(body(name=f"p-{number}", version=10))
    for number in range(4):
        cache.put(body(name=f"p-{number}", version=1))
    assert [each["metadata"]["name"] for each in cache.owned(KEY)] == ["p-0", "p-1"]


@given(st.permutations(range(6)), st.booleans())
def test_the_order_of_news_does_not_matter(order: list[int], twice: bool) -> None:
    """Of three objects of one name, two are deleted; every order ends the same."""
    news = [
        ("put", body(uid="0", version=1)),
        ("drop", body(uid="0", version=2)),
        ("put", body(uid="1", version=3)),
        ("drop", body(uid="1", version=4)),
        ("put", body(uid="2", version=5)),
        ("put", body(uid="2", version=6)),
    ]
    cache = Cache(DASK_JOBS, job_of)
    for index in [*order, *(order if twice else [])]:
        verb, each = news[index]
        cache.put(each) if verb == "put" else cache.drop(each)
    assert versions(cache) == [("2", "6")]
