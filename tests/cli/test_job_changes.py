"""`daskjob cancel`, `retry`, `suspend`, `resume`, `delete` and `cron`: names, several of them, dry runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ..client.played import Answer, Asked, Stream, event, job, listed, status
from .scenes import On

CRON = {
    "apiVersion": "daskjob.io/v1alpha1",
    "kind": "DaskCronJob",
    "metadata": {"name": "nightly", "namespace": "team"},
    "spec": {"schedule": "0 3 * * *"},
}


@pytest.mark.parametrize(
    "name",
    ["one", "dj/one", "daskjob/one", "daskjobs/one", "daskjob.daskjob.io/one", "DaskJob.v1alpha1.daskjob.io/one"],
)
def test_a_name_may_have_its_kind(on: On, name: str) -> None:
    """As `daskjob list -o name` and kubectl write it."""
    _, run = on({"get daskjobs/one": [Answer(job())], "patch daskjobs/one": [Answer(job())]})
    assert run("cancel", name).stdout == "one: is being cancelled\n"
    assert run("status", name).stdout.startswith("team/one: ")


@pytest.mark.parametrize(
    ("name", "words"), [("pod/one", "write NAME or dj/NAME"), ("dcj/one", "'dcj/one' is no name"), ("dj/", "is empty")]
)
def test_a_name_of_another_kind(on: On, name: str, words: str) -> None:
    server, run = on({})
    done = run("cancel", name)
    assert done.exit_code == 2
    assert words in done.stderr
    assert server.asked == []


def test_each_is_changed_though_one_cannot_be(on: On) -> None:
    """The exit code is that of the first that could not."""
    server, run = on(
        {
            "get daskjobs/one": [Answer(job())],
            "get daskjobs/ended": [Answer(job("ended", ended="Complete"))],
            "patch daskjobs/one": [Answer(job())],
            "list daskjobs": [listed(job())],
        }
    )
    done = run("cancel", "onee", "ended", "one", "one")
    assert (done.exit_code, done.stdout) == (4, "one: is being cancelled\n")
    assert "there is no DaskJob onee in namespace team; did you mean one?" in done.stderr
    assert "ended has succeeded already" in done.stderr
    assert server.times("patch daskjobs/one") == 1


def test_a_cluster_that_is_away_is_asked_once(on: On) -> None:
    server, run = on({"get daskjobs/one": [status(401, "Unauthorized", "Unauthorized")]})
    done = run("suspend", "one", "two")
    assert done.exit_code == 3
    assert not any("two" in each.what for each in server.asked)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("cancel", "is being cancelled"),
        ("suspend", "is being suspended"),
        ("resume", "goes on"),
        ("delete", "deleted"),
        ("retry", "runs anew"),
    ],
)
def test_dry_runs(on: On, command: str, words: str) -> None:
    """One rule: without a value nothing is sent but reads; with server, the API server carries nothing out."""
    current = job(ended="Complete") if command == "retry" else job()
    server, run = on(
        {
            "get daskjobs/one": [Answer(current)],
            "patch daskjobs/one": [Answer(current)],
            "delete daskjobs/one": [Answer({})],
        }
    )
    for option in ("--dry-run", "--dry-run=client"):
        done = run(command, "one", option)
        assert (done.exit_code, done.stdout) == (0, f"one: {words} (dry run)\n")
    assert {each.what for each in server.asked} == {"get daskjobs/one"}
    assert run(command, "one", "--dry-run=server").exit_code == 0
    assert server.asked[-1].query.get("dryRun") == "All" or server.asked[-1].body["dryRun"] == ["All"]
    assert run(command, "two", "--dry-run").exit_code == 4
    assert run(command, "--dry-run", "one").exit_code == 2, "one is neither client nor server"


@pytest.mark.parametrize("command", ["run-now", "suspend", "resume"])
def test_dry_runs_of_cron_jobs(on: On, command: str) -> None:
    plays = {"get daskcronjobs/nightly": [Answer(CRON)], "patch daskcronjobs/nightly": [Answer(CRON)]}
    server, run = on(plays)
    assert run("cron", command, "dcj/nightly", "--dry-run").stdout.endswith("(dry run)\n")
    assert [each.what for each in server.asked] == ["get daskcronjobs/nightly"]
    assert run("cron", command, "nightly", "--dry-run=server").exit_code == 0
    assert server.asked[-1].query["dryRun"] == "All"
    assert run("cron", command, "nightly").exit_code == 0
    assert "dryRun" not in server.asked[-1].query


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["retry", "one", "--wait", "--dry-run"], "there is nothing to wait for"),
        (["delete", "one", "--wait", "--dry-run"], "there is nothing to wait for"),
        (["delete", "one", "--timeout", "5s"], "--timeout is for --wait"),
        (["retry", "one", "two", "--follow"], "--follow shows one job, and these are 2"),
    ],
)
def test_options_that_do_not_fit(on: On, arguments: list[str], words: str) -> None:
    server, run = on({})
    done = run(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert server.asked == []


def test_several_run_anew_and_are_waited_for(on: On) -> None:
    def patched(asked: Asked) -> Answer:
        return Answer(job(asked.what.rpartition("/")[2], asked.body["metadata"]["uid"], version="2"))

    jobs = [job("one", "u1", ended="TaskFailed"), job("two", "u2", ended="Complete")]
    anew = [job(each["metadata"]["name"], each["metadata"]["uid"], "3") for each in jobs]
    last = [event("MODIFIED", {**each, **job(ended="Complete"), "metadata": each["metadata"]}) for each in anew]
    _, run = on(
        {
            **{f"get daskjobs/{each['metadata']['name']}": [Answer(each)] for each in jobs},
            **{f"patch daskjobs/{each['metadata']['name']}": [patched] for each in jobs},
            "list daskjobs": [listed(*anew)],
            "watch daskjobs": [Stream(last, "stays")],
        }
    )
    done = run("retry", "one", "two", "--wait")
    assert (done.exit_code, done.stdout) == (0, "one  succeeded\ntwo  succeeded\n")


def test_who_reads_enough_is_no_failure(on: On) -> None:
    """`daskjob list | head -1`: no word, and the exit code of a program that SIGPIPE ends."""
    on({"list daskjobs": [listed(*(job(f"job-{number}", f"u{number}") for number in range(5000)))]})
    script = f"{sys.executable} -m daskjob.cli list | head -1 >&2; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr.split()[:1]) == ("141\n", ["NAME"])
    assert len(done.stderr.splitlines()) == 1
