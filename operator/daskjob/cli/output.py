"""What is printed, and of jobs that have ended what: with nothing that a terminal would obey."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import click
import yaml

from daskjob.results.store import PICKLE
from daskjob.wire import clean

#: What to do, where the message alone does not say it.
ADVICE = {
    "TaskFailed": "mend the task's code; the task's key names the function",
    "EntrypointFailed": "mend the code that builds the graph",
    "DeadlineExceeded": "raise spec.activeDeadlineSeconds, or do less",
    "AttemptDeadlineExceeded": "raise spec.attemptDeadlineSeconds, or do less",
    "Stalled": "find the task that waits (--dashboard shows it), or raise spec.stallTimeoutSeconds",
    "StartupDeadlineExceeded": "run again with -v to see the logs of scheduler and workers",
    "SchedulerLost": "run again with -v to see the scheduler's log",
    "SchedulerUnreachable": "run again with -v to see the scheduler's log",
    "NoWorkers": "run again with -v to see the workers' logs",
    "WorkersKilled": "if memory ran out, raise spec.cluster.workers.resources.limits.memory or work on smaller pieces",
    "WorkersPaused": "raise spec.cluster.workers.resources.limits.memory, or work on smaller pieces",
    "NoFreeThreads": "wait in `with worker_client() as client:`, or gather in the entry point",
    "ExitedEarly": "return the result from the entry point; do not leave the program",
    "ModuleNotFound": "put the module into spec.graph.source, or install it (on a cluster: in the image)",
}
TRACEBACK_LINES = 20


def tell(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Prints a text for people, without what a terminal obeys: a manifest, a webhook or a log may have brought it."""
    click.echo(clean(text), err=err, nl=nl)


def line(job: Mapping[str, Any], width: int) -> str:
    """`square-sum  Succeeded  41541750`."""
    status = job["status"]
    return f"{job['metadata']['name']:<{width}}  {status['phase']:<9}  {status.get('summary', '')}".rstrip()


def explain(job: Mapping[str, Any], advice: Mapping[str, str] = ADVICE) -> str:
    """Of a failed job: reason, message, end of the traceback, what to do. Empty for one that succeeded. `advice`: what
    to do, by reason."""
    failure = job["status"].get("failure")
    if not failure:
        return ""
    name, reason = job["metadata"]["name"], failure["reason"]
    message = failure.get("message") or ""
    kind = failure.get("exceptionType")
    if kind and not message.startswith(kind):
        message = f"{kind}: {message}"
    parts = [f"{name} failed: {reason}", *textwrap.indent(message, "  ").splitlines()]
    if failure.get("taskKey"):
        parts.append(f"  task: {failure['taskKey']}")
    if failure.get("traceback"):
        lines = failure["traceback"].rstrip().splitlines()
        cut = f" (last {TRACEBACK_LINES} lines)" if len(lines) > TRACEBACK_LINES else ""
        parts.append(f"  traceback{cut}:")
        parts += [f"    {each}" for each in lines[-TRACEBACK_LINES:]]
    if reason in advice:
        parts.append(f"  what to do: {advice[reason]}")
    return "\n".join(parts) + "\n"


def write(jobs: Sequence[Mapping[str, Any]], output: str) -> None:
    """To stdout. One JSON or YAML object, or a List of several, as kubectl prints them; or one value a line."""
    if output == "value":
        for job in jobs:
            result = job["status"].get("result") or {}
            if is_pickle(result):
                tell(how_to_open(job), err=True)
                continue
            stored = result.get("preview") if result.get("format") == "json" else result.get("location")
            value = result.get("value", stored)
            if value is not None:
                write_value(value)
        return
    write_content(jobs[0] if len(jobs) == 1 else {"apiVersion": "v1", "kind": "List", "items": list(jobs)}, output)


def is_pickle(result: Mapping[str, Any]) -> bool:
    """Whether the result is a pickle, which nothing but Python opens, and only for who trusts the job's code."""
    return result.get("format") == PICKLE or (result.get("types") or {}).get("") == PICKLE


def how_to_open(job: Mapping[str, Any]) -> str:
    """What to do with a result that is a pickle."""
    metadata, result = job["metadata"], job["status"].get("result") or {}
    namespace, name = metadata.get("namespace", "default"), metadata["name"]
    where = f", at {result['location']}" if result.get("location") else ""
    return (
        f"the result of {name}, a {result.get('type')}, is a pickle of {result.get('size')} bytes{where}, and is not "
        "printed. If you trust who made the job, because a pickle can run code: daskjob.connect"
        f"({namespace!r}).attach({name!r}, allow_pickle=True).result() in Python gives it"
    )


def write_value(text: str) -> None:
    """A value's JSON, to stdout."""
    click.echo(_escaped(text))


def write_content(content: Any, output: str) -> None:
    """To stdout, as json or yaml."""
    if output == "json":
        click.echo(_escaped(json.dumps(content, indent=4, ensure_ascii=False)))
    else:
        click.echo(_yaml(content), nl=False)


def _escaped(text: str) -> str:
    """The same JSON with escapes for control, direction and unassigned characters, which only its strings can have."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text)


def _yaml(content: Any) -> str:
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    if text.replace("\n", "").isprintable():
        return text
    escaped: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=120)
    return escaped


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, and nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
