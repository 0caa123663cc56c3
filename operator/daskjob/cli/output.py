"""What is printed of jobs that have ended."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import click
import yaml

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
    "ExitedEarly": "return the result from the entry point; do not leave the program",
    "ModuleNotFound": "put the module into spec.graph.source, or install it (on a cluster: in the image)",
}
TRACEBACK_LINES = 20


def line(job: Mapping[str, Any], width: int) -> str:
    """`square-sum  Succeeded  41541750`."""
    status = job["status"]
    return f"{job['metadata']['name']:<{width}}  {status['phase']:<9}  {status.get('summary', '')}".rstrip()


def explain(job: Mapping[str, Any]) -> str:
    """Of a failed job: reason, message, end of the traceback, what to do. Empty for one that succeeded."""
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
    if reason in ADVICE:
        parts.append(f"  what to do: {ADVICE[reason]}")
    return "\n".join(parts) + "\n"


def write(jobs: Sequence[Mapping[str, Any]], output: str) -> None:
    """To stdout. One JSON or YAML object, or a List of several, as kubectl prints them; or one value a line."""
    if output == "value":
        for job in jobs:
            value = (job["status"].get("result") or {}).get("value")
            if value is not None:
                click.echo(value)
        return
    content = jobs[0] if len(jobs) == 1 else {"apiVersion": "v1", "kind": "List", "items": list(jobs)}
    if output == "json":
        json.dump(content, sys.stdout, indent=4, ensure_ascii=False)
        click.echo()
    else:
        yaml.dump(content, sys.stdout, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, and nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
