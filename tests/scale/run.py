#!/usr/bin/env python3
"""The operator with many jobs, on nodes that kwok imitates.

Usage: python tests/scale/run.py [--output FILE.json] at-once --jobs 50 300 1000
       python tests/scale/run.py alone | kept | queued | tenants | hostile | peer | all

Runs on the cluster that KUBECONFIG names, which must be one of tests/cluster on this machine, else on the tests' own,
which is started. The chart and the operator's image of this checkout are installed, and stay. Ends with 1 if a goal is
missed. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.scale import at_once, figures, hostile, kept, peer, queued, tenants
from tests.scale.bench import Bench, bench
from tests.scale.figures import Figure
from tests.scale.nodes import imitated_nodes
from tests.support.platform import Release, running_cluster
from tests.support.programs import script


async def run_at_once(
    made: Bench, jobs: list[int], seconds: float, contender: at_once.Contender = at_once.OURS
) -> list[Figure]:
    runs, found = [], []
    for number in jobs:
        made.restart()
        async with made.namespace(at_once.NAMESPACE) as namespace:
            runs.append(await at_once.at_once(made, namespace, number, seconds, contender))
        found += tell(runs[-1])
    return found + at_once.cost_ratio(runs)


async def run_peer(made: Bench, number: int, seconds: float) -> list[Figure]:
    made.restart()
    async with made.namespace(at_once.NAMESPACE) as namespace:
        ours = await at_once.at_once(made, namespace, number, seconds)
    found = tell(ours)
    async with peer.peer(made) as (namespace, processes):
        theirs = await at_once.at_once(made, namespace, number, seconds, peer.PEER, processes)
    return [*found, *tell(theirs), *peer.side_by_side(ours, theirs)]


def tell(run: at_once.Run) -> list[Figure]:
    """The figures, which are printed at once with what goes with them: a later run may fail."""
    for request, count in sorted(run.requests.items()):
        print(f"{count / run.jobs:8.2f} {request}", file=sys.stderr)
    for name, words in list(run.failed.items())[:5]:
        print(f"{name} failed: {words}", file=sys.stderr)
    if run.left:
        print(f"left: {run.left}", file=sys.stderr)
    found = at_once.figures(run)
    print(figures.table(found), file=sys.stderr, flush=True)
    return found


async def measure(made: Bench, arguments: argparse.Namespace) -> list[Figure]:
    chosen = CHOICES if arguments.benchmark == "all" else [arguments.benchmark]
    found: list[Figure] = []
    for name in chosen:
        match name:
            case "at-once":
                some = await run_at_once(made, arguments.jobs or [50, 300, 1000], arguments.seconds)
            case "alone":
                some = await run_at_once(made, arguments.jobs or [50, 300, 1000], arguments.seconds, at_once.ALONE)
            case "peer":
                some = await run_peer(made, *(arguments.jobs or [300]), arguments.seconds)
            case "kept":
                some = await kept.kept(made, *(arguments.jobs or [10_000, 1_000]))
            case "queued":
                some = await queued.queued(made, *(arguments.jobs or [5_000, 50]))
            case "tenants":
                made.restart()
                some = await tenants.tenants(made, *(arguments.jobs or [1_000]))
            case _:
                made.restart()
                some = await hostile.hostile(made, *(arguments.jobs or [20]))
        print(figures.table(some), flush=True)
        found += some
    return found


#: What --jobs means to each.
CHOICES = {
    "at-once": "N jobs at once, for each N (default 50 300 1000)",
    "alone": "the same, with runners that wait for no worker: what operator and Dask controller take by themselves",
    "kept": "N finished jobs, L of them with results of 256 KiB (default 10000 1000)",
    "queued": "N jobs behind a limit of L (default 5000 50)",
    "tenants": "N jobs of one tenant, then one of another (default 1000)",
    "hostile": "N jobs beside hostile objects (default 20)",
    "peer": "N jobs of ours, then N of dask-kubernetes' own (default 300)",
}


async def main(arguments: argparse.Namespace) -> int:
    with running_cluster() as kube:
        archive = dict([script("image", "operator").split()])["operator"]
        release = Release(kube, revision=Path(archive).stem)
        with imitated_nodes(kube) as real_node:
            async with bench(kube, release, real_node) as made:
                found = await measure(made, arguments)
    if arguments.benchmark == "all":
        print(figures.table(found), flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(figures.as_json(found), indent=1) + "\n")
    return 0 if all(each.reached is not False for each in found) else 1


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=f"{__doc__}\n--jobs, of\n" + "\n".join(f"  {name:8} {words}" for name, words in CHOICES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("benchmark", choices=[*CHOICES, "all"])
    parser.add_argument("--jobs", type=int, nargs="+", metavar="N", help="how many")
    parser.add_argument(
        "--seconds", type=float, default=at_once.SECONDS, help="how long jobs at once may take (default 900)"
    )
    parser.add_argument("--output", type=Path, help="write the figures to this file, as JSON")
    arguments = parser.parse_args()
    if arguments.benchmark == "all" and arguments.jobs:
        parser.error("--jobs is for one benchmark")
    return arguments


if __name__ == "__main__":
    # So that what was made is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    sys.exit(asyncio.run(main(read_arguments())))
