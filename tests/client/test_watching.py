"""What a watch delivers over anything that a connection may go through."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from daskjob.api.resource import DASK_JOBS
from daskjob.client.deep_json import cut
from daskjob.client.job_client import JobClient
from daskjob.client.problems import ClusterUnreachable, Forbidden, Unauthorized
from daskjob.client.watching import Selection

from .conftest import Connected
from .played import CLOSED, GONE, Answer, Play, Stream, event, forbidden, job, listed, status

ALL = Selection(DASK_JOBS, "team")
ONE = Selection(DASK_JOBS, "team", "one")


def changes(client: JobClient, count: int, selection: Selection = ALL, **options: Any) -> list[tuple[str, str, str]]:
    """The first changes: type, UID and version."""
    found: list[tuple[str, str, str]] = []
    for batch in client.watch(selection, **options).batches():
        for each in batch:
            metadata = each.object["metadata"]
            found.append((each.type, metadata["uid"], metadata["resourceVersion"]))
        if len(found) >= count:
            return found
    raise AssertionError("a watch does not end")


def test_first_what_there_is_and_then_what_changes(connected: Connected) -> None:
    stream = Stream([event("MODIFIED", job(version="11")), event("ADDED", job("two", "u2", "12"))], "stays")
    server, client = connected({"list daskjobs": [listed(job())], "watch daskjobs": [stream]})
    assert changes(client, 3) == [("ADDED", "u1", "1"), ("MODIFIED", "u1", "11"), ("ADDED", "u2", "12")]
    [watch] = [each for each in server.asked if each.what == "watch daskjobs"]
    assert watch.query["resourceVersion"] == "10"
    assert watch.query["allowWatchBookmarks"] == "true"


def test_the_first_batch_may_be_empty(connected: Connected) -> None:
    _, client = connected({"list daskjobs": [listed()], "watch daskjobs": [Stream([], "stays")]})
    assert next(iter(client.watch(ALL).batches())) == []


def test_a_list_of_many_pages(connected: Connected) -> None:
    first = Answer({"metadata": {"resourceVersion": "9", "continue": "more"}, "items": [job()]})
    server, client = connected({"list daskjobs": [first, listed(job("two", "u2"))]})
    assert [each["metadata"]["name"] for each in client.list_objects()] == ["one", "two"]
    assert [each.query.get("continue") for each in server.asked] == [None, "more"]


def test_a_list_that_takes_too_long_begins_anew(connected: Connected) -> None:
    first = Answer({"metadata": {"resourceVersion": "9", "continue": "more"}, "items": [job()]})
    _, client = connected({"list daskjobs": [first, GONE, listed(job(), job("two", "u2"))]})
    assert [each["metadata"]["name"] for each in client.list_objects()] == ["one", "two"]


GONE_EVENT = event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})


def deep(levels: int) -> bytes:
    """A job with a list of lists, as anybody may create one."""
    text = json.dumps({**job("deep", "u2", "11"), "spec": {"graph": {"args": "HERE"}}})
    return text.replace('"HERE"', "[" * levels + "]" * levels).encode()


def test_an_object_of_any_depth_keeps_nobody_from_the_others(connected: Connected) -> None:
    items = b'{"metadata": {"resourceVersion": "10"}, "items": [%s, %s]}' % (deep(9000), json.dumps(job()).encode())
    changed = b'{"type": "MODIFIED", "object": %s}\n' % deep(9000)
    then = event("MODIFIED", job(version="12"))
    _, client = connected({"list daskjobs": [Answer(items)], "watch daskjobs": [Stream([changed, then], "stays")]})
    found = changes(client, 4)
    assert [each[1:] for each in found] == [("u2", "11"), ("u1", "1"), ("u2", "11"), ("u1", "12")]


def test_what_lies_too_deep_is_cut_out() -> None:
    text = b'{"a": [[{"b": "}]"}, 1], "[", [], 2], "c": "\\"{"}'
    assert cut(text, 9) == text
    assert json.loads(cut(text, 2)) == {"a": [None, "[", None, 2], "c": '"{'}
    assert json.loads(cut(text, 3)) == {"a": [[None, 1], "[", [], 2], "c": '"{'}


@pytest.mark.parametrize("gone", [GONE, Stream([GONE_EVENT], "stays")], ids=["answer", "event"])
def test_a_version_that_is_too_old(connected: Connected, gone: Play) -> None:
    """All is listed anew, and what changed meanwhile is delivered: also who has another UID now."""
    later = listed(job(uid="u3", version="20"), job("two", "u2", "21"), version="30")
    server, client = connected(
        {
            "list daskjobs": [listed(job(), job("two", "u2", "2")), later],
            "watch daskjobs": [gone, Stream([event("MODIFIED", job(uid="u3", version="31"))], "stays")],
        }
    )
    assert changes(client, 6) == [
        ("ADDED", "u1", "1"),
        ("ADDED", "u2", "2"),
        ("DELETED", "u1", "1"),
        ("ADDED", "u3", "20"),
        ("MODIFIED", "u2", "21"),
        ("MODIFIED", "u3", "31"),
    ]
    assert server.times("list daskjobs") == 2


@pytest.mark.parametrize("end", ["cut", "in order"])
def test_a_connection_that_is_lost_goes_on_where_it_was(connected: Connected, end: str) -> None:
    cut = Stream([event("MODIFIED", job(version="11")), event("MODIFIED", job(version="12"))[:40]], end)
    again = Stream([event("MODIFIED", job(version="12"))], "stays")
    server, client = connected({"list daskjobs": [listed(job())], "watch daskjobs": [cut, again]})
    assert changes(client, 3) == [("ADDED", "u1", "1"), ("MODIFIED", "u1", "11"), ("MODIFIED", "u1", "12")]
    assert [each.query["resourceVersion"] for each in server.asked if each.what == "watch daskjobs"] == ["10", "11"]
    assert server.times("list daskjobs") == 1


def test_a_bookmark_is_where_to_go_on(connected: Connected) -> None:
    bookmark = event("BOOKMARK", {"kind": "DaskJob", "metadata": {"resourceVersion": "99"}})
    again = Stream([event("DELETED", job(version="100"))], "stays")
    server, client = connected({"list daskjobs": [listed(job())], "watch daskjobs": [Stream([bookmark], "cut"), again]})
    assert changes(client, 2)[-1] == ("DELETED", "u1", "100")
    assert server.asked[-1].query["resourceVersion"] == "99"


def test_an_api_server_that_is_away_for_a_while(connected: Connected) -> None:
    words: list[str] = []
    busy = status(503, "ServiceUnavailable", "starting")
    back = Stream([event("MODIFIED", job(version="11"))], "stays")
    _, client = connected({"list daskjobs": [listed(job())], "watch daskjobs": [busy, CLOSED, CLOSED, back]})
    assert changes(client, 2, note=words.append)[-1] == ("MODIFIED", "u1", "11")
    assert len(words) == 2
    assert words[0].endswith("trying again")
    assert words[1] == "the API server answers again"


def test_one_that_never_comes_back(connected: Connected) -> None:
    _, client = connected({"list daskjobs": [listed(job())], "watch daskjobs": [CLOSED]})
    with pytest.raises(ClusterUnreachable, match="did not answer the request"):
        changes(client, 2, patience=0.2)


def test_one_that_was_never_there(connected: Connected) -> None:
    server, client = connected({})
    server.close()
    with pytest.raises(ClusterUnreachable, match=r"does not answer.*is the cluster up"):
        changes(client, 1)


def test_who_may_not_watch_looks_again_and_again(connected: Connected) -> None:
    server, client = connected(
        {
            "list daskjobs": [listed(job()), listed(job()), listed(job(version="5"))],
            "watch daskjobs": [forbidden("watch")],
        }
    )
    assert changes(client, 2) == [("ADDED", "u1", "1"), ("MODIFIED", "u1", "5")]
    assert server.times("watch daskjobs") == 1


def test_who_may_not_list_gets_the_one(connected: Connected) -> None:
    plays: dict[str, list[Play]] = {
        "list daskjobs": [forbidden("list")],
        "get daskjobs/one": [Answer(job()), Answer(job(version="2")), Answer(job(uid="u9"))],
    }
    _, client = connected(plays)
    expected = [("ADDED", "u1", "1"), ("MODIFIED", "u1", "2"), ("DELETED", "u1", "2"), ("ADDED", "u9", "1")]
    assert changes(client, 4, ONE) == expected


def test_who_may_not_list_is_told(connected: Connected) -> None:
    _, client = connected({"list daskjobs": [forbidden("list")]})
    with pytest.raises(Forbidden, match="you may not list daskjobs in namespace team"):
        changes(client, 1)


def test_a_silent_watch_lets_its_reader_look_at_the_clock(connected: Connected) -> None:
    _, client = connected({"list daskjobs": [listed()], "watch daskjobs": [Stream([], "stays")]})
    deadline = time.monotonic() + 0.3
    batches = client.watch(ALL, deadline=deadline).batches()
    assert [next(batches), next(batches)] == [[], []]
    assert 0 <= time.monotonic() - deadline < 5


def test_credentials_that_run_out_while_it_watches(connected: Connected) -> None:
    """They are read anew once; if they are still not accepted, that is an error."""
    refused = status(401, "Unauthorized", "Unauthorized")
    back = Stream([event("MODIFIED", job(version="11"))], "cut")
    server, client = connected({"list daskjobs": [listed(job())], "watch daskjobs": [refused, back, refused]})
    with pytest.raises(Unauthorized, match=r"does not accept your credentials .*log in anew"):
        changes(client, 3)
    assert server.times("watch daskjobs") == 4
