#!/usr/bin/env python3
"""The operator with many jobs, on nodes that kwok imitates.

Usage: python tests/scale/run.py at-once --jobs 50 300 1000 [--output FILE.json]

Runs on the cluster that KUBECONFIG names, which must be one of tests/cluster on this machine, else on the tests' own,
which is started. The chart and the operator's image of this checkout are installed, and stay. Ends with 1 if a goal is
missed. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.scale import at_once, figures
from tests.scale.bench import Bench, bench
from tests.scale.figures import Figure
from tests.support.platform import Release, running_cluster
from tests.support.programs import script


async def many_at_once(made: Bench, arguments: argparse.Namespace) -> list[Figure]:
    runs, found = [], []
    for number in arguments.jobs:
        made.restart()
        runs.append(await at_once.at_once(made, number, arguments.seconds))
        found += at_once.figures(runs[-1])
        for request, count in sorted(runs[-1].requests.items()):
            print(f"{count / number:8.2f} {request}", file=sys.stderr)
        for name, words in list(runs[-1].failed.items())[:5]:
            print(f"{name} failed: {words}", file=sys.stderr)
        print(figures.table(at_once.figures(runs[-1])), flush=True)
    return found + at_once.compared(runs)


BENCHMARKS = {"at-once": many_at_once}


async def main(arguments: argparse.Namespace) -> int:
    with running_cluster() as kube:
        archive = dict([script("image", "operator").split()])["operator"]
        async with bench(kube, Release(kube, revision=Path(archive).stem)) as made:
            found = await BENCHMARKS[arguments.benchmark](made, arguments)
    print(figures.table(found), flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(figures.as_json(found), indent=1) + "\n")
    return 0 if all(each.reached is not False for each in found) else 1


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="write the figures to this file, as JSON")
    benchmarks = parser.add_subparsers(dest="benchmark", required=True)
    each = benchmarks.add_parser("at-once", help="N jobs created at once, for each N")
    each.add_argument("--jobs", type=int, nargs="+", default=[300], help="how many (default 300)")
    each.add_argument("--seconds", type=float, default=at_once.SECONDS, help="how long a run may take (default 900)")
    return parser.parse_args()


if __name__ == "__main__":
    # So that what was made is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(asyncio.run(main(read_arguments())))
