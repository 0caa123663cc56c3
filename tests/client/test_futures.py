"""Futures of a cluster's jobs against a played API server: what is created, one watch for all, and that each ends."""

from __future__ import annotations

import base64
import concurrent.futures
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import daskjob
from daskjob.client.credentials import Target
from daskjob.client.problems import ClusterUnreachable, NotInstalled, Unauthorized
from daskjob.futures.cluster_backend import ClusterBackend
from daskjob.futures.dask_job_client import DaskJobClient
from daskjob.futures.job_options import manifest_of
from daskjob.schema import validate

from ..support.waiting import wait_for
from .played import CLOSED, Answer, Asked, Play, Played, Stream, event, forbidden, job, listed, status

Connect = Callable[..., tuple[Played, DaskJobClient]]
PATIENCE = 30
VALUE = {"type": "int", "value": "7", "sha256": hashlib.sha256(b"7").hexdigest(), "size": 1}
DONE = {"ended": "Complete", "result": VALUE}


@pytest.fixture
def connect(play: Callable[[dict[str, list[Play]]], Played], tmp_path: Path) -> Connect:
    def start(plays: dict[str, list[Play]], patience: float = 600.0) -> tuple[Played, DaskJobClient]:
        server = play(plays)
        target = Target(kubeconfig=str(server.kubeconfig(tmp_path)))
        return server, DaskJobClient(ClusterBackend(target, patience))

    return start


def created(asked: Asked) -> Answer:
    """What was asked for, with a UID."""
    name = asked.body["metadata"]["name"]
    return Answer({**asked.body, "metadata": {**asked.body["metadata"], "uid": f"uid-of-{name}", "generation": 1}})


def multiply(a: int, b: int) -> int:
    return a * b


def test_the_job_comes_first_and_owns_the_secret(connect: Connect) -> None:
    server, client = connect({"create daskjobs": [created], "create secrets": [Answer({})]})
    password = "no word of it in the job"
    future = client.with_options(image="i:1", workers=3, threads=2, retries=1, env={"A": "b"}, deadline=59.5).submit(
        lambda: password
    )
    job_request, secret_request = (each for each in server.asked if each.what.startswith("create"))
    assert (job_request.what, secret_request.what) == ("create daskjobs", "create secrets")
    spec, secret = job_request.body["spec"], secret_request.body
    assert password not in str(job_request.body)
    payload = base64.b64decode(secret["data"]["payload"])
    assert spec["graph"]["source"] == {"payload": {"sha256": hashlib.sha256(payload).hexdigest()}}
    assert spec["cluster"] == {
        "workers": {"replicas": 3, "threads": 2},
        "image": "i:1",
        "env": [{"name": "A", "value": "b"}],
    }
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (1, 60)
    [owner] = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("DaskJob", future.name, future.uid)
    digest = spec["graph"]["source"]["payload"]["sha256"]
    assert (secret["metadata"]["name"], secret["immutable"]) == (f"{future.name}-payload-{digest[:10]}", True)


def test_without_a_right_on_secrets_no_job_is_left(connect: Connect) -> None:
    words = 'secrets is forbidden: User "me" cannot create resource "secrets" in API group ""'
    server, client = connect(
        {
            "create daskjobs": [created],
            "create secrets": [status(403, "Forbidden", words)],
            "delete daskjobs/one": [Answer({})],
        }
    )
    with pytest.raises(daskjob.Forbidden, match="you may not create secrets in namespace team"):
        client.with_options(name="one").submit(multiply, 1, 2)
    [deleted] = [each for each in server.asked if each.what.startswith("delete")]
    assert (deleted.what, deleted.body["preconditions"]) == ("delete daskjobs/one", {"uid": "uid-of-one"})


def test_a_secret_whose_answer_was_lost_is_not_made_twice(connect: Connect) -> None:
    exists = status(409, "AlreadyExists", "exists")
    server, client = connect({"create daskjobs": [created], "create secrets": [CLOSED, exists]})
    client.submit(multiply, 1, 2)
    assert server.times("create secrets") == 2
    assert server.times("create daskjobs") == 1


def test_what_does_not_fit_creates_nothing(connect: Connect) -> None:
    server, client = connect({})
    with pytest.raises(daskjob.PayloadTooLarge):
        client.submit(len, b"x" * 65_000_000)
    with pytest.raises(daskjob.NotPicklable):
        client.submit(len, threading.Lock())
    assert server.asked == []


def test_an_older_operator_is_told(connect: Connect) -> None:
    words = 'strict decoding error: unknown field "spec.graph.source.payload"'
    _, client = connect({"create daskjobs": [status(400, "BadRequest", words)]})
    with pytest.raises(NotInstalled, match=r"no spec\.graph\.source\.payload of DaskJobs"):
        client.submit(multiply, 1, 2)


def test_one_watch_for_five_hundred_futures_over_a_restart(connect: Connect) -> None:
    """The watch breaks, the API server is away for a while, and jobs end meanwhile: each future ends."""
    names = [f"job-{number}" for number in range(500)]
    at_first = [job(name, f"uid-of-{name}") for name in names]
    ended = [job(name, f"uid-of-{name}", "2", **DONE) for name in names]
    plays: dict[str, list[Play]] = {f"get daskjobs/{each['metadata']['name']}": [Answer(each)] for each in at_first}
    gone, attached = status(410, "Expired", "too old"), threading.Event()

    def afterwards(asked: Asked) -> Answer:
        attached.wait(PATIENCE)
        return listed(*ended[250:], *at_first[:250])

    plays |= {
        "list daskjobs": [listed(*at_first), CLOSED, CLOSED, CLOSED, afterwards],
        "watch daskjobs": [
            Stream([], "cut"),
            status(503, "ServiceUnavailable", "shutting down"),
            gone,
            Stream([event("MODIFIED", each) for each in ended[:250]], "stays"),
        ],
    }
    server, client = connect(plays)
    futures = [client.attach(name) for name in names]
    attached.set()
    done, left = concurrent.futures.wait(futures, PATIENCE)
    assert not left
    assert {each.result() for each in done} == {7}
    assert server.times("watch daskjobs") == 4, "one connection at a time, whatever the number of futures"


@pytest.mark.parametrize("replaced", [False, True])
def test_a_job_that_is_deleted_ends_its_future(replaced: bool, connect: Connect) -> None:
    after = [event("DELETED", job()), *([event("ADDED", job(uid="u2", version="3", **DONE))] if replaced else [])]
    _, client = connect(
        {
            "get daskjobs/one": [Answer(job())],
            "list daskjobs": [listed(job())],
            "watch daskjobs": [Stream(after, "stays")],
        }
    )
    with pytest.raises(daskjob.JobDeleted, match="one was deleted"):
        client.attach("one").result(PATIENCE)


@pytest.mark.parametrize(("later", "words"), [([], "was deleted$"), ([job(uid="u2")], "another job has its name")])
def test_a_job_that_was_deleted_before_anybody_watched(later: list[Any], words: str, connect: Connect) -> None:
    _, client = connect(
        {
            "get daskjobs/one": [Answer(job()), *(Answer(each) for each in later)]
            if later
            else [Answer(job()), status(404, "NotFound", "gone", name="one", kind="daskjobs")],
            "list daskjobs": [listed(*later)],
            "watch daskjobs": [Stream([], "stays")],
        }
    )
    with pytest.raises(daskjob.JobDeleted, match=words):
        client.attach("one").result(PATIENCE)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (forbidden("list"), daskjob.Forbidden),
        (status(401, "Unauthorized", "expired"), Unauthorized),
        (CLOSED, ClusterUnreachable),
    ],
)
def test_a_watch_that_cannot_be_had_ends_all_futures(answer: Any, kind: type[Exception], connect: Connect) -> None:
    server, client = connect({"get daskjobs/one": [Answer(job())], "list daskjobs": [answer]}, patience=0.0)
    if isinstance(answer, Answer) and answer.status == 403:
        server.plays["list daskjobs"] = [answer]
    futures = [client.attach("one") for _ in range(3)]
    for each in futures:
        with pytest.raises(kind):
            each.result(PATIENCE)


def test_without_a_right_to_watch_it_is_polled(connect: Connect) -> None:
    running = listed(job())
    server, client = connect(
        {
            "get daskjobs/one": [Answer(job())],
            "list daskjobs": [running, running, listed(job(version="2", **DONE))],
            "watch daskjobs": [forbidden("watch")],
        }
    )
    assert client.attach("one").result(PATIENCE) == 7
    assert server.times("list daskjobs") >= 3


def test_an_older_state_does_not_end_another_run(connect: Connect) -> None:
    """The watch may deliver what was before the retry."""
    before = job(**DONE)

    def patched(asked: Asked) -> Answer:
        rerun = asked.body["metadata"]["annotations"]
        after = job(version="3", annotations=rerun, rerun=rerun["daskjob.io/rerun"], **{**DONE, "attempt": 2})
        plays["list daskjobs"] = [listed(before)]
        server.plays["list daskjobs"] = [listed(before)]
        server.plays["watch daskjobs"] = [Stream([event("MODIFIED", before), event("MODIFIED", after)], "stays")]
        return Answer(job(version="2", annotations=rerun, **DONE))

    plays: dict[str, list[Play]] = {
        "get daskjobs/one": [Answer(before)],
        "list daskjobs": [listed(before)],
        "watch daskjobs": [Stream([], "stays")],
        "patch daskjobs/one": [patched],
    }
    server, client = connect(plays)
    first = client.attach("one")
    assert first.result(PATIENCE) == 7
    again = first.retry()
    assert again.result(PATIENCE) == 7
    assert again.status().attempt == 2


def test_a_child_process_has_connections_of_its_own(connect: Connect) -> None:
    running, ended = job(), job(version="2", **DONE)
    server, client = connect(
        {
            "get daskjobs/one": [Answer(running)],
            "list daskjobs": [listed(running), listed(ended)],
            "watch daskjobs": [Stream([], "stays")],
        }
    )
    future = client.attach("one")
    wait_for("the watch", lambda: server.times("watch daskjobs"), bool)
    child = os.fork()
    if child == 0:
        # What the parent waits for, the child can wait for, too. Whatever happens, it does not go on with the tests.
        code = 1
        try:
            code = 0 if future.result(PATIENCE) == 7 else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not future.done()


@pytest.mark.parametrize(
    ("options", "spec"),
    [
        ({"pip": ["x==1"]}, {"graph": {"pip": {"packages": ["x==1"]}}}),
        (
            {"pip": {"packages": ["x"], "indexUrl": "https://i/simple"}},
            {"graph": {"pip": {"packages": ["x"], "indexUrl": "https://i/simple"}}},
        ),
        ({"store": "s3://a/b"}, {"result": {"store": {"url": "s3://a/b"}}}),
        (
            {"store": {"url": "s3://a", "options": {"anon": True}}},
            {"result": {"store": {"url": "s3://a", "options": {"anon": True}}}},
        ),
        (
            {"workers": [{"name": "gpu", "replicas": 1}, {"name": "default", "replicas": 2}], "threads": 3},
            {"cluster": {"workers": {"replicas": 2, "threads": 3}, "workerGroups": [{"name": "gpu", "replicas": 1}]}},
        ),
        (
            {"workers": [{"name": "gpu", "adaptive": {"maximum": 2}}]},
            {"cluster": {"workers": {"replicas": 0}, "workerGroups": [{"name": "gpu", "adaptive": {"maximum": 2}}]}},
        ),
        ({"report": "s3://a/b"}, {"report": {"store": {"url": "s3://a/b"}}}),
        ({"report": {}, "store": "s3://a"}, {"report": {}, "result": {"store": {"url": "s3://a"}}}),
        (
            {"store": "s3://a", "spec": {"result": {"format": "pickle"}}},
            {"result": {"store": {"url": "s3://a"}, "format": "pickle"}},
        ),
    ],
)
def test_what_options_become(options: Any, spec: dict[str, Any]) -> None:
    manifest = manifest_of(options, "m:f", "0" * 64)
    manifest["metadata"]["name"] = "one"
    assert [str(each) for each in validate(manifest)] == []
    found = manifest["spec"]
    for part, fields in spec.items():
        assert {key: found[part][key] for key in fields} == fields


def test_secrets_and_config_maps_as_variables() -> None:
    """In all pods, beside what the templates have."""
    beside = {"name": "beside", "image": "i", "command": ["c"]}
    group = {"name": "gpu", "template": {"spec": {"containers": [beside, {"name": "worker", "args": ["--x"]}]}}}
    spec = {"runner": {"template": {"spec": {"containers": [{"name": "runner", "envFrom": [{"prefix": "A_"}]}]}}}}
    options: Any = {"env_from": ["secret/db", "configmap/it"], "workers": [group], "spec": spec}
    manifest = manifest_of(options, "m:f", "0" * 64)
    found = manifest["spec"]
    sources = [{"secretRef": {"name": "db"}}, {"configMapRef": {"name": "it"}}]

    def containers(part: Any) -> Any:
        return part["template"]["spec"]["containers"]

    assert containers(found["cluster"]["scheduler"]) == [{"name": "scheduler", "envFrom": sources}]
    assert containers(found["cluster"]["workers"]) == [{"name": "worker", "envFrom": sources}]
    assert found["cluster"]["workers"]["replicas"] == 0
    [theirs] = found["cluster"]["workerGroups"]
    assert containers(theirs) == [{"name": "worker", "args": ["--x"], "envFrom": sources}, beside]
    assert containers(found["runner"]) == [{"name": "runner", "envFrom": [{"prefix": "A_"}, *sources]}]
    assert containers(group) == [beside, {"name": "worker", "args": ["--x"]}], "what the caller gave is left alone"


def test_a_group_without_a_name_is_refused() -> None:
    with pytest.raises(TypeError, match="each group of a list needs a name"):
        manifest_of({"workers": [{"replicas": 1}]}, "m:f", "0" * 64)


def test_options_that_there_are_not() -> None:
    with pytest.raises(TypeError, match=r"no option 'imag'; there are name, .*image"):
        daskjob.connect(backend="local", imag="x")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="'k8s' is unknown; give kubernetes or local"):
        daskjob.connect(backend="k8s")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"pip": "pandas"},
            r"option pip: a list, such as \[\"lightgbm==4.6.0\"\], or a mapping was expected, .*str 'pandas'",
        ),
        ({"workers": "4"}, "option workers: a whole number, a mapping, or a list of groups"),
        ({"workers": True}, "option workers: a whole number"),
        ({"threads": 2.0}, "option threads: a whole number was expected, and it is the float 2.0"),
        ({"deadline": "1h"}, "option deadline: seconds or a timedelta"),
        ({"env": ["A=1"]}, "option env: a mapping"),
        ({"store": Path("/mnt")}, "option store: a URL"),
        ({"image": b"x"}, "option image: a text"),
        ({"env_from": "secret/a"}, r"option env_from: a list, such as \[\"secret/database\"\] was expected"),
        ({"env_from": ["db"]}, "option env_from: write secret/NAME or configmap/NAME, and not 'db'"),
        ({"env_from": ["secret/"]}, "option env_from: write secret/NAME"),
        ({"report": True}, "option report: a URL"),
        ({"by_value": pytest}, r"option by_value: a list of modules, such as \[my_module\]"),
        ({"by_value": ["pytest"]}, "option by_value: modules were expected, and 'pytest' is none: import it"),
    ],
    ids=str,
)
def test_options_of_other_types_are_told(options: Any, words: str) -> None:
    """Not passed on as what they are not: each letter of a text would be a package."""
    with pytest.raises(TypeError, match=words):
        daskjob.connect(backend="local", **options)
    with pytest.raises(TypeError, match=words):
        daskjob.job(**options)(multiply)


def test_no_option_may_be_none() -> None:
    nothing: Any = dict.fromkeys(daskjob.JobOptions.__annotations__)
    assert manifest_of(nothing, "m:f", "0" * 64)["spec"]["cluster"] == {"workers": {"replicas": 1}}


def test_no_cluster_is_told(tmp_path: Path) -> None:
    with pytest.raises(daskjob.ClusterUnreachable, match="no kubeconfig"):
        daskjob.connect(kubeconfig=tmp_path / "none")


@pytest.mark.parametrize(
    ("sizes", "error", "words"),
    [
        ({"chunksize": 0}, ValueError, "chunksize must be at least 1, and is 0"),
        ({"buffersize": 0}, ValueError, "buffersize must be at least 1, and is 0"),
        ({"buffersize": 2.5}, TypeError, "buffersize must be a whole number or None, and is a float"),
    ],
)
def test_sizes_of_map_that_cannot_be(
    connect: Connect, sizes: dict[str, Any], error: type[Exception], words: str
) -> None:
    server, client = connect({})
    with pytest.raises(error, match=words):
        client.map(multiply, [1], [2], **sizes)
    assert server.asked == []


def test_a_buffer_of_named_jobs_cannot_be(connect: Connect) -> None:
    _, client = connect({})
    with pytest.raises(ValueError, match="give generate_name in place of name"):
        client.with_options(name="one").map(multiply, [1], [2], buffersize=1)
