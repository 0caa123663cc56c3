"""`daskjob wait` and `daskjob logs`, and what `daskjob submit` has of both."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from daskjob.cli.cluster_options import NAME, NAMES, STORAGE_OPTIONS, TIMEOUT, cluster, connect, seconds
from daskjob.cli.exit_codes import FAILED, INTERRUPTED, SUCCEEDED, TIMED_OUT, code_of_ends
from daskjob.cli.output import tell
from daskjob.cli.states import attempt_words, ending, where, why
from daskjob.client.credentials import Target
from daskjob.client.job_end import End
from daskjob.client.job_logs import LogChoice, LogFollower, previous_attempt, read
from daskjob.client.problems import JobDeleted
from daskjob.wire import clean

if TYPE_CHECKING:
    from daskjob.client.job_client import JobClient
    from daskjob.client.pod_log import LogLine

Body = dict[str, Any]


@click.command()
@NAMES
@cluster
@click.option(
    "--for",
    "awaited",
    type=click.Choice(["succeeded", "finished"]),
    default="succeeded",
    show_default=True,
    help="What exit code 0 means: each succeeded, or each ended, however.",
)
@TIMEOUT
def wait(target: Target, names: tuple[str, ...], awaited: str, timeout: float | None) -> None:
    """Wait until jobs have ended, well or not.

    The exit code follows from the jobs' conditions: 0 all succeeded, 1 one failed, 5 one was cancelled or deleted, 124
    the time-out came first.
    """
    wait_for(connect(target), names, None, timeout=timeout, finished=awaited == "finished")


@click.command()
@NAME
@cluster
@click.option("-f", "--follow", is_flag=True, help="From before the pod exists to the end of the job, over retries.")
@click.option(
    "--component",
    type=click.Choice(["runner", "scheduler", "worker"]),
    default="runner",
    show_default=True,
    help="Whose log: what the job prints is the runner's; what its tasks print is the workers'.",
)
@click.option("--attempt", type=click.IntRange(min=1), help="Of that attempt; by default the last, with -f the run's.")
@click.option("-p", "--previous", is_flag=True, help="Of the attempt before the last.")
@click.option("--tail", type=click.IntRange(min=0), help="Only the last lines of each pod.")
@click.option("--since", metavar="TIME", callback=seconds, help="Only lines of that time, as 90s, 5m or 1h.")
@STORAGE_OPTIONS
def logs(
    target: Target,
    name: str,
    follow: bool,
    component: str,
    attempt: int | None,
    previous: bool,
    tail: int | None,
    since: float | None,
    storage_options: dict[str, Any],
) -> None:
    """Show the log of a job's runner, scheduler or workers.

    With -f the exit code says how the job ended, as that of `daskjob wait`; with --attempt or --previous, whether that
    attempt succeeded.
    """
    if previous and attempt is not None:
        raise click.UsageError("--previous is an attempt: leave out --attempt")
    client = connect(target)
    job = client.get(name)
    number = previous_attempt(job) if previous else attempt
    choice = LogChoice(component, number, tail, None if since is None else max(1, round(since)), storage_options)
    if follow:
        follow_job(client, job, choice)
    show = _printer(component)
    for line in read(client, job, choice):
        show(line)


def follow_job(client: JobClient, job: Body, choice: LogChoice | None = None, timeout: float | None = None) -> NoReturn:
    """Prints a job's log until its end, says how it ended, and ends the program by that."""
    name = str(job["metadata"]["name"])
    chosen = choice or LogChoice()
    deadline = None if timeout is None else time.monotonic() + timeout
    follower = LogFollower(client, job, chosen, note=_note, deadline=deadline)
    show = _printer(chosen.component)
    try:
        for line in follower.lines():
            show(line)
    except TimeoutError:
        tell(f"{name} did not end within {timeout:g} s, and goes on: daskjob logs -f {name}", err=True)
        sys.exit(TIMED_OUT)
    except KeyboardInterrupt:
        tell(f"\n{name} goes on: daskjob logs -f {name} shows it, daskjob cancel {name} ends it", err=True)
        sys.exit(INTERRUPTED)
    if follower.end is None:
        assert follower.attempt is not None
        tell(f"{name}: attempt {follower.attempt['number']} {attempt_words(follower.attempt)}", err=True)
        sys.exit(SUCCEEDED if follower.attempt.get("outcome") == "Succeeded" else FAILED)
    end, last = follower.end
    tell(str(JobDeleted(name, follower.replaced)) if end is End.DELETED else ending(name, end, last), err=True)
    tell(why(last) if end is End.FAILED else "", err=True, nl=False)
    sys.exit(code_of_ends([end]))


def wait_for(
    client: JobClient,
    names: Sequence[str],
    namespace: str | None,
    *,
    timeout: float | None,
    uids: Mapping[str, str] | None = None,
    finished: bool = False,
) -> NoReturn:
    """Waits for the ends of jobs, tells of each, and ends the program by them. `finished`: any end is a good one."""
    places: dict[str, str] = {}
    known = dict(uids or {})

    def report(job: Body) -> None:
        name, place = str(job["metadata"]["name"]), where(job)
        # The first one is the one that is waited for.
        known.setdefault(name, str(job["metadata"]["uid"]))
        # Counts of tasks change all the time.
        state = place.partition(",")[0] if "tasks" in place else place
        if places.get(name) != state:
            places[name] = state
            tell(f"{name}: {place}", err=True)

    try:
        ends = client.wait(names, namespace, timeout=timeout, uids=uids, on_change=report, note=_note)
    except TimeoutError as error:
        tell(f"{error}; they go on" if len(names) > 1 else f"{error}; it goes on", err=True)
        sys.exit(TIMED_OUT)
    except KeyboardInterrupt:
        tell(f"\n{', '.join(names)}: not ended, and goes on", err=True)
        sys.exit(INTERRUPTED)
    for name in dict.fromkeys(names):
        end, job = ends[name]
        tell(ending(name, end, job))
        if end is End.DELETED:
            tell(f"daskjob: {JobDeleted(name, known[name] != job['metadata']['uid'])}", err=True)
        tell(why(job) if end is End.FAILED else "", err=True, nl=False)
    sys.exit(SUCCEEDED if finished else code_of_ends(end for end, _ in ends.values()))


def _printer(component: str) -> Callable[[LogLine], None]:
    """Prints lines; those of workers with their pods, of which there may be several."""

    def show(line: LogLine) -> None:
        text = clean(line.text, lines=False)
        click.echo(text if component != "worker" else f"[{line.pod}] {text}")

    return show


def _note(text: str) -> None:
    tell(f"daskjob: {text}", err=True)
