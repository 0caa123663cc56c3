#!/usr/bin/env python3
"""Jobs of all endings on a real cluster, for a while: what memory the operator takes, and what is left at the end.

Usage: python tests/benchmarks/soak.py [--minutes 30] [--at-once 3] [--only NAME ...] [--output FILE.json]

Runs on the cluster that KUBECONFIG names, else on the tests' own, which is started; its nodes must be on this machine.
The installed release is used; the chart of this checkout is installed if there is none, or with --install.
Prints Markdown. Ends with 1 if a target is missed. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import growth
from benchmarks.endings import ENDINGS, Ending
from support.containers import cpu_seconds, main_process, resident
from support.jobs import KINDS
from support.kube import Kube, KubectlFailed, Manifest
from support.platform import SYSTEM, Release, load_images, running_cluster
from support.waiting import wait_for

COMPONENTS = ("operator", "dask-controller")
#: Seconds between two samples.
INTERVAL = 15.0
#: Minutes whose samples do not count, or a quarter of all, if that is less.
WARM_UP = 5.0
#: Jobs that are kept after their end, as users do: else what the operator knows of would grow with them.
KEPT_JOBS = 20
#: Seconds within which all must be gone once the last job is deleted.
GONE_SECONDS = 120.0


def main(arguments: argparse.Namespace) -> int:
    with running_cluster() as kube:
        release = installed(kube, anew=arguments.install)
        with namespace(kube) as own:
            chosen = [each for each in ENDINGS if not arguments.only or each.name in arguments.only]
            soak = growth.Soak(warm_up=60 * min(WARM_UP, arguments.minutes / 4))
            watch = Watch(release, own, soak)
            try:
                Jobs(own, soak, chosen, arguments.seed).run(60 * arguments.minutes, arguments.at_once)
                soak.left = what_is_left(own)
            finally:
                # What there is, if it is stopped.
                watch.stop()
                print(growth.tables(soak), flush=True)
                if arguments.output:
                    arguments.output.write_text(json.dumps(growth.as_json(soak), indent=1) + "\n")
    return 0 if all(each.reached is not False for each in growth.verdicts(soak)) else 1


@dataclass
class Jobs:
    """Lives jobs of the chosen endings, in rounds, each round in an order of its own."""

    kube: Kube
    soak: growth.Soak
    chosen: list[Ending]
    seed: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: deque[str] = field(default_factory=deque)
    stopped: bool = False

    def run(self, seconds: float, at_once: int) -> None:
        """Starts no more after that time, and returns when the last one is over."""
        until, turns = time.monotonic() + seconds, self._turns()

        def work() -> None:
            while time.monotonic() < until and not self.stopped:
                with self.lock:
                    number, ending = next(turns)
                self._live(ending, f"{ending.name.replace(' ', '-')}-{number}")

        with ThreadPoolExecutor(at_once) as pool:
            try:
                for each in [pool.submit(work) for _ in range(at_once)]:
                    each.result()
            finally:
                self.stopped = True

    def _turns(self) -> Iterator[tuple[int, Ending]]:
        chance, number, turn = random.Random(self.seed), 0, 0
        while True:
            now = [each for each in self.chosen if turn % each.every == 0] or self.chosen
            chance.shuffle(now)
            for ending in now:
                yield number, ending
                number += 1
            turn += 1

    def _live(self, ending: Ending, name: str) -> None:
        began, seen, problem = time.monotonic(), "", ""
        try:
            seen = ending.live(self.kube, name)
        except Exception as error:
            # Whatever it is, it is what became of this job, and the others go on.
            problem = f"{type(error).__name__}: {error}"
        lived = growth.Lived(ending.name, ending.ended, seen, time.monotonic() - began, problem)
        with self.lock:
            self.soak.jobs.append(lived)
            self.kept.append(name)
            old = [self.kept.popleft() for _ in range(len(self.kept) - KEPT_JOBS)]
        tell(name, lived)
        if old:
            self.kube.delete("daskjobs.daskjob.io", *old)


def tell(name: str, lived: growth.Lived) -> None:
    words = f"{name:32} {lived.seconds:5.0f} s  {lived.seen}"
    if not lived.as_expected:
        words += f"  WRONG: was to end as {lived.expected}\n{lived.problem}"
    print(words.rstrip(), file=sys.stderr, flush=True)


class Watch:
    """Looks at the operator's processes and the namespace's objects every 15 s, until it is stopped."""

    def __init__(self, release: Release, kube: Kube, soak: growth.Soak) -> None:
        self._release, self._kube, self._soak = release, kube, soak
        self._began, self._began_at = time.monotonic(), datetime.now(UTC)
        self._over = threading.Event()
        #: Each container by its pod's name and how often it was started anew.
        self._seen: dict[str, set[tuple[str, int]]] = {name: set(self._pods(name)) for name in COMPONENTS}
        self._first = {name: len(seen) for name, seen in self._seen.items()}
        self._pool = ThreadPoolExecutor(1)
        self._looking = self._pool.submit(self._look)

    def stop(self) -> None:
        """Raises what made it end before."""
        self._over.set()
        self._pool.shutdown()
        self._soak.restarts = {name: len(seen) - self._first[name] for name, seen in self._seen.items()}
        self._soak.errors = {name: self._errors(name) for name in COMPONENTS}
        self._looking.result()

    def _pods(self, component: str) -> dict[tuple[str, int], Manifest]:
        pods = self._release.pods(component)
        running = [pod for pod in pods if pod["status"].get("containerStatuses")]
        return {
            (pod["metadata"]["name"], pod["status"]["containerStatuses"][0]["restartCount"]): pod for pod in running
        }

    def _look(self) -> None:
        while True:
            for component in COMPONENTS:
                pods = self._pods(component)
                self._seen[component].update(pods)
                for pod in pods.values():
                    self._sample(component, pod)
            kinds = Counter(each["kind"] for each in self._kube.list(f"daskjobs.daskjob.io,{KINDS}"))
            self._soak.objects.append(dict(kinds))
            if self._over.wait(INTERVAL):
                return

    def _sample(self, component: str, pod: Manifest) -> None:
        pid = main_process(pod)
        memory, cpu = resident(pid), cpu_seconds(pid)
        if memory is not None and cpu is not None:
            passed = round(time.monotonic() - self._began, 1)
            self._soak.samples.append(growth.Sample(passed, component, pid, memory, cpu))

    def _errors(self, component: str) -> int:
        """Lines of the logs, as far as they are still there, that tell of an error."""
        since = f"--since-time={self._began_at:%Y-%m-%dT%H:%M:%SZ}"
        system = self._kube.within(SYSTEM)
        logs = [system.kubectl("logs", name, since) for name, _ in self._pods(component)]
        return sum(is_error(line) for log in logs for line in log.splitlines())


def is_error(line: str) -> bool:
    try:
        words = json.loads(line)
    except ValueError:
        # A traceback that no logger told of; or what Python says as it ends.
        return line.startswith("Traceback")
    return isinstance(words, dict) and words.get("severity") in ("error", "fatal")


def what_is_left(kube: Kube) -> list[str]:
    """Deletes all jobs, waits for all to go, and says what did not."""
    kube.kubectl("delete", "daskjobs.daskjob.io", "--all", "--wait=false")
    try:
        return wait_for("all to be gone", lambda: objects(kube), lambda left: not left, GONE_SECONDS)
    except AssertionError:
        return objects(kube)


def objects(kube: Kube) -> list[str]:
    """Kind and name of all that jobs are made of; without the runner's program and the account of the pods, one for all
    jobs of a namespace, and what every namespace has."""
    program = {each["metadata"]["name"] for each in kube.list("configmaps", "daskjob.io/component=runner-program")}
    accounts = {("ServiceAccount", "default"), ("ServiceAccount", "daskjob-runner")}
    own = {*accounts, ("ConfigMap", "kube-root-ca.crt"), *(("ConfigMap", name) for name in program)}
    found = [(each["kind"], each["metadata"]["name"]) for each in kube.list(f"daskjobs.daskjob.io,{KINDS}")]
    return [f"{kind} {name}" for kind, name in found if (kind, name) not in own]


def installed(kube: Kube, anew: bool) -> Release:
    release = Release(kube, revision="soak")
    if anew or not release.installed():
        release = Release(kube, revision=Path(load_images(kube)["operator"]).stem)
        release.install()
    return release


@contextmanager
def namespace(kube: Kube) -> Iterator[Kube]:
    """A new one, deleted at the end."""
    own = kube.within(f"soak-{uuid.uuid4().hex[:5]}")
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": own.namespace}})
    try:
        wait_for("its service account", lambda: own.get("serviceaccount", "default"), bool, 20)
        yield own
    finally:
        try:
            own.kubectl("delete", "namespace", own.namespace, "--timeout=110s")
        except KubectlFailed as error:
            print(error, file=sys.stderr)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="start jobs for so long (default 30)")
    parser.add_argument("--at-once", type=int, default=3, help="jobs at a time (default 3, for two cores)")
    names = [each.name for each in ENDINGS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"of these alone: {', '.join(names)}")
    parser.add_argument("--seed", type=int, default=0, help="of the order of the jobs (default 0)")
    parser.add_argument("--install", action="store_true", help="install the chart and image of this checkout before")
    parser.add_argument("--output", type=Path, help="write every job and sample to this file, as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    # So that what was made is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(read_arguments()))
