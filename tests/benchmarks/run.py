#!/usr/bin/env python3
"""Ours, dask-kubernetes' own DaskJob and bare pods, side by side: a job's seconds, and its requests to the API server.

Usage: python tests/benchmarks/run.py [--rounds 20] [--only NAME ...] [--every NAME=N ...] [--output FILE.json]

Runs on the cluster that KUBECONFIG names, else on the tests' own, which is started. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import report
from benchmarks.audit import count_discovery, count_requests
from benchmarks.contenders import Contender, bare, ours, peer, printed, stages, stale_objects
from benchmarks.manifests import PEER_NAMESPACE, PEER_SYSTEM, peer_operator
from benchmarks.watching import OURS, PEERS, Api, Namespace
from support.kube import Kube
from support.platform import SYSTEM, Release, load_images, running_cluster
from support.settings import image
from support.waiting import wait_for

#: Seconds that a job may take, and the removal of what it leaves.
JOB_SECONDS, GONE_SECONDS = 120.0, 60.0
#: Seconds after a job, for what its operators still write; its removal is what comes before the next.
PAUSE = 2.0
#: dask-kubernetes' definitions that its own operator needs beside those of our chart.
PEER_DEFINITIONS = ("daskjob", "daskautoscaler")
PEER_CRDS = "operator/deployment/helm/dask-kubernetes-operator/crds"


def main(arguments: argparse.Namespace) -> int:
    chosen = {each.name: each for each in (ours(), peer(fast=True), peer(fast=False), bare())}
    if arguments.only:
        chosen = {name: chosen[name] for name in arguments.only}
    with running_cluster() as kube, installed(kube, set(chosen)), namespaces(kube, chosen) as watched:
        audit = Path(arguments.audit_log or Path(kube.kubeconfig).parent / "logs" / "audit.log")
        # The first job of each fills caches, of images and of processes.
        for contender in chosen.values():
            tell(measure(kube, watched[contender.namespace], contender, -1, audit))
        runs: list[report.Run] = []
        try:
            for number in range(arguments.rounds):
                for contender in turn(list(chosen.values()), number):
                    if number % arguments.every.get(contender.name, 1):
                        continue
                    runs.append(measure(kube, watched[contender.namespace], contender, number, audit))
                    tell(runs[-1])
        finally:
            # What there is, if it is stopped.
            publish(runs, arguments.output)
    # One that never ran well leaves its targets unmeasured, not missed.
    idle = set(chosen) - {run.contender for run in runs if run.succeeded is not None}
    if idle:
        print(f"no job succeeded of: {', '.join(sorted(idle))}", file=sys.stderr)
    return 0 if not idle and all(each.reached is not False for each in report.verdicts(runs)) else 1


def publish(runs: list[report.Run], output: Path | None) -> None:
    tables = (report.table, report.verdict_table, report.stage_table, report.request_table)
    print("\n\n".join(text for each in tables if (text := each(runs))), flush=True)
    if output:
        output.write_text(json.dumps(report.as_json(runs), indent=1) + "\n")


def measure(kube: Kube, watched: Namespace, contender: Contender, number: int, audit: Path) -> report.Run:
    """One job, from nothing to nothing."""
    api = Api(kube.kubeconfig)
    # A new name each time: an address of the last one's Service may still be in the DNS cache.
    name = f"b{max(number, 0)}-{uuid.uuid4().hex[:4]}"
    # Kubelets look at their pods once a second, and so the last job's end was in step with them: this one's start must
    # not be, or all jobs would meet the same luck.
    time.sleep(random.uniform(0, 1))
    offset = audit.stat().st_size if audit.exists() else 0
    run = report.Run(contender.name, number, None)
    clock, wall = time.monotonic(), time.time()
    contender.start(api, name)
    done = watched.wait(lambda objects: contender.ended(objects, name) is not None, JOB_SECONDS)
    if done is None or not contender.ended(watched.objects, name):
        run = replace(run, problem="failed" if done else f"did not end within {JOB_SECONDS:g} s")
    else:
        contender.finish(api, name)
        gone = watched.wait(lambda objects: not stale_objects(objects, runner_may_stay=True), GONE_SECONDS)
        if gone is None:
            run = replace(run, problem=f"left: {stale_objects(watched.objects, runner_may_stay=True)}")
        # Nothing may have been left already when the end was seen.
        run = replace(
            run,
            succeeded=round(done - clock, 3),
            gone=None if gone is None else round(max(gone - done, 0.0), 3),
        )
    time.sleep(PAUSE)
    known = contender.name == report.OURS
    run = replace(run, stages=stages(watched.objects, name, wall) if known else printed(api, contender, name, wall))
    if audit.exists() and contender.accounts:
        with audit.open("rb") as log:
            log.seek(offset)
            # The last line may be half written.
            lines = log.read().decode().split("\n")[:-1]
        requests = count_requests(lines, {contender.namespace}, contender.accounts)
        run = replace(run, requests=requests, discovery=count_discovery(lines, contender.accounts))
    contender.remove(api, name)
    if watched.wait(lambda objects: not stale_objects(objects, runner_may_stay=False), GONE_SECONDS) is None:
        left = stale_objects(watched.objects, runner_may_stay=False)
        raise RuntimeError(f"{contender.name}: still there after the removal: {left}")
    return run


def turn(contenders: list[Contender], number: int) -> list[Contender]:
    """Another one first in each round."""
    shift = number % len(contenders)
    return contenders[shift:] + contenders[:shift]


def tell(run: report.Run) -> None:
    seconds = "-" if run.succeeded is None else f"{run.succeeded:6.2f} s"
    gone = "-" if run.gone is None else f"{run.gone:5.2f} s"
    words = f"round {run.round:2} {run.contender:22} {seconds} gone {gone} requests {sum(run.requests.values()):3}"
    print(f"{words} load {os.getloadavg()[0]:.1f} {run.problem}", file=sys.stderr, flush=True)


@contextmanager
def installed(kube: Kube, names: set[str]) -> Iterator[None]:
    """Our chart, if it is not there (it stays then), and dask-kubernetes' own operator, for as long as this lasts."""
    release = Release(kube, revision="benchmark")
    if report.OURS in names and not release.installed():
        release = Release(kube, revision=Path(load_images(kube)["operator"]).stem)
        release.install()
    if not names & {report.FAST, report.DOCUMENTED}:
        yield
        return
    definitions = peer_definitions()
    for body in definitions:
        kube.delete("customresourcedefinition", body["metadata"]["name"], wait=True)
        kube.kubectl("create", "-f", "-", stdin=json.dumps(body))
    try:
        for body in definitions:
            name = body["metadata"]["name"]
            look = partial(kube.get, "customresourcedefinition", name)
            wait_for(f"{name} to be served", look, established, 60)
        kube.within(PEER_SYSTEM).apply(*peer_operator(image("operator")))
        kube.within(PEER_SYSTEM).kubectl("rollout", "status", f"deployment/{PEER_SYSTEM}", "--timeout=120s")
        yield
    finally:
        for body in definitions:
            kube.delete("customresourcedefinition", body["metadata"]["name"], wait=True)
        kube.delete("clusterrolebinding", PEER_SYSTEM)
        kube.delete("namespace", PEER_SYSTEM, PEER_NAMESPACE)


def established(definition: Mapping[str, Any] | None) -> bool:
    conditions = ((definition or {}).get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def peer_definitions() -> list[dict[str, Any]]:
    """Of the installed package, as it is."""
    spec = find_spec("dask_kubernetes")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("dask_kubernetes is not installed: pip install -e '.[dask-controller]'")
    folder = Path(spec.submodule_search_locations[0]) / PEER_CRDS
    return [yaml.safe_load((folder / f"{name}.yaml").read_text()) for name in PEER_DEFINITIONS]


@contextmanager
def namespaces(kube: Kube, chosen: Mapping[str, Contender]) -> Iterator[dict[str, Namespace]]:
    """A watched, empty namespace for each contender; the two of dask-kubernetes share theirs."""
    kinds = {report.OURS: [OURS], report.FAST: [PEERS], report.DOCUMENTED: [PEERS], report.BARE: []}
    found: dict[str, Namespace] = {}
    try:
        for contender in chosen.values():
            name = contender.namespace
            if name in found:
                continue
            kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
            look = partial(kube.within(name).get, "serviceaccount", "default")
            wait_for(f"the service account of namespace {name}", look, bool, 20)
            found[name] = Namespace(Api(kube.kubeconfig), name, kinds[contender.name])
        yield found
    finally:
        for name in found:
            kube.delete("namespace", name)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = list(report.TITLES)

    def every(text: str) -> tuple[str, int]:
        name, _, number = text.partition("=")
        if name not in names or not number.isdigit() or not int(number):
            raise argparse.ArgumentTypeError(f"{text!r} is not NAME=N, with a NAME of {', '.join(names)}")
        return name, int(number)

    parser.add_argument("--rounds", type=int, default=20, help="jobs of each contender (default 20)")
    parser.add_argument("--only", nargs="+", choices=names, help="these contenders alone")
    parser.add_argument(
        "--every", nargs="+", type=every, default=[], metavar="NAME=N", help="a contender in every Nth round only"
    )
    parser.add_argument("--output", type=Path, help="write every run to this file, as JSON")
    parser.add_argument("--audit-log", type=Path, help="the API server's audit log, if not the test cluster's")
    arguments = parser.parse_args()
    arguments.every = dict(arguments.every)
    return arguments


if __name__ == "__main__":
    # So that what was installed is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    assert SYSTEM in ours().accounts
    sys.exit(main(read_arguments()))
