#!/usr/bin/env python3
"""What a job costs its tasks: tasks of no work with progress on, against plain distributed in the same pods.

Usage: python tests/benchmarks/overhead.py [--local] [--tasks 100000] [--pairs 5] [--output FILE.json]

Runs a DaskJob for each pair on the cluster that KUBECONFIG names, else on the tests' own, which is started, with the
release that is installed there; with --local in processes of this machine, by `daskjob run`. Prints Markdown. Ends with
1 if the target is missed. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.jobs import apply, result_of
from support.kube import Manifest
from support.platform import running_cluster

NAMESPACE = "benchmark-overhead"
CODE = Path(__file__).with_name("overhead_job.py")
#: The most that the job's seconds may be, times those of plain distributed, in the median of the pairs.
LIMIT = 1.02
#: Root tasks that a worker holds for each of its threads.
SATURATION = 1000
#: Seconds for a job with that many tasks altogether, on a busy machine.
PER_TASK, LEAST = 0.004, 300


def main(arguments: argparse.Namespace) -> int:
    jobs = [manifest(arguments.tasks, number) for number in range(arguments.pairs)]
    pairs = []
    for status in run_locally(jobs) if arguments.local else run_on_cluster(jobs):
        if status["phase"] != "Succeeded":
            print(f"the job failed: {status['failure']}", file=sys.stderr)
            return 1
        pairs.append(result_of(status))
        print(f"pair {len(pairs)}: {pairs[-1]}; progress: {status['progress']['summary']}", file=sys.stderr)
    print(table(pairs, arguments.tasks))
    if arguments.output:
        arguments.output.write_text(json.dumps(pairs, indent=1) + "\n")
    return 0 if ratio(pairs, "seconds") <= LIMIT else 1


def manifest(tasks: int, number: int) -> Manifest:
    """The job of a pair; the plain process is first in every second. Two workers with one thread each, which hold many
    tasks at a time: with Dask's default two, and most of the time goes into waiting for messages, in which a job's own
    work would not show.

    A pair has a job of its own: any client that has computed before takes longer than a new one, as the plain one is.
    """
    cluster = {"workers": {"replicas": 2, "minWorkers": 2}, "scheduler": {"workerSaturation": SATURATION}}
    arguments = [tasks, bool(number % 2)]
    graph = {"entrypoint": "overhead_job:main", "args": arguments, "source": {"inline": CODE.read_text()}}
    return {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJob",
        "metadata": {"name": f"overhead-{number + 1}"},
        "spec": {"graph": graph, "cluster": cluster, "activeDeadlineSeconds": seconds_for(tasks)},
    }


def seconds_for(tasks: int) -> int:
    return int(LEAST + PER_TASK * 2 * tasks)


def run_locally(jobs: Sequence[Manifest]) -> Iterator[dict[str, Any]]:
    """The status of each, one after the other."""
    for job in jobs:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "job.yaml")
            file.write_text(json.dumps(job))
            command = [sys.executable, "-m", "daskjob.cli", "run", str(file), "-o", "json"]
            done = subprocess.run(command, stdout=subprocess.PIPE, cwd=folder)
        yield json.loads(done.stdout)["status"]


def run_on_cluster(jobs: Sequence[Manifest]) -> Iterator[dict[str, Any]]:
    """The status of each, one after the other."""
    with running_cluster() as kube:
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        try:
            for job in jobs:
                yield apply(kube.within(NAMESPACE), job).end(job["spec"]["activeDeadlineSeconds"] + 60)
        finally:
            kube.delete("namespace", NAMESPACE)


def ratio(pairs: Sequence[Mapping[str, Any]], unit: str) -> float:
    """The median of job over plain, pair by pair, in `seconds` or `cpu`."""
    return statistics.median(pair["job"][unit] / pair["plain"][unit] for pair in pairs)


def table(pairs: Sequence[Mapping[str, Any]], tasks: int) -> str:
    """A Markdown table, a line a pair, with the medians in the last one."""
    lines = [
        f"{tasks} tasks of no work, the job over plain distributed in the same pods: "
        f"**{ratio(pairs, 'seconds'):.3f}** in the median of {len(pairs)} pairs (at most {LIMIT}), "
        f"{ratio(pairs, 'cpu'):.3f} in CPU seconds.",
        "",
        "| pair | job (s) | plain (s) | ratio | job (CPU s) | plain (CPU s) | ratio | load |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for number, pair in enumerate(pairs):
        job, plain = pair["job"], pair["plain"]
        cells = [str(number + 1)]
        for unit in ("seconds", "cpu"):
            cells += [f"{job[unit]:.2f}", f"{plain[unit]:.2f}", f"{job[unit] / plain[unit]:.3f}"]
        lines.append(f"| {' | '.join([*cells, format(pair['load'], '.1f')])} |")
    return "\n".join(lines)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--local", action="store_true", help="in processes of this machine, without a cluster")
    parser.add_argument("--tasks", type=int, default=100_000, help="of each measurement (default 100000)")
    parser.add_argument("--pairs", type=int, default=5, help="of measurements (default 5)")
    parser.add_argument("--output", type=Path, help="write every pair to this file, as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(read_arguments()))
