"""The runner's own connection to the scheduler, in a thread of its own and apart from user code's clients.

It waits for workers, counts tasks, asks for more or fewer workers, and detects a lost scheduler, whatever user code
does with its client meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Callable, Optional
from urllib.parse import urlsplit

import dask.config
from dask.utils import parse_timedelta
from distributed import core as untyped_core
from distributed import security as untyped_security

from daskjob import wire
from daskjob.runner import cadence, group_load, snapshot
from daskjob.runner.adaptive_size import INTERVAL as ADAPTIVE_INTERVAL
from daskjob.runner.adaptive_size import Scaler
from daskjob.runner.obstacles import PAUSED_END, Obstacles
from daskjob.runner.questions import Questions, of_workers
from daskjob.runner.reach import reach
from daskjob.runner.task_counts import Progress
from daskjob.wire.jobfile import JobFile
from daskjob.wire.worker_groups import pod_of

if TYPE_CHECKING:
    from daskjob.runner.recording import Recording

# These modules of distributed have hardly any types.
core: Any = untyped_core
security: Any = untyped_security

#: Seconds between rows of attempts to connect.
PAUSE = 0.1
#: Seconds between snapshots while the runner waits for workers, a twentieth of the time that it has waited: the least
#: and the most.
WAITING = 0.05
LONGEST_WAITING = 0.5
#: The least and the most afterwards, so that snapshots take at most 5 % of the time.
SHORTEST = 0.5
LONGEST = 5.0
#: Seconds that a request to the scheduler may take; less for one that its workers answer, because a snapshot with it is
#: a request, and for a connection that asks who it is.
CALL = 8.0
LOOK = 3.0
#: Seconds without a successful connection after which the scheduler counts as lost.
LOST = 6.0


class SchedulerLost(Exception):
    """The scheduler no longer answers, or another one answers in its place."""


class Scheduler:
    """The connection. It calls `publish` with parts of the report's status, and `fail` once, with the report's
    `failure`, from its own thread."""

    def __init__(
        self,
        job: JobFile,
        publish: Callable[[dict[str, Any]], None],
        fail: Callable[[dict[str, Any]], None],
        recording: Optional[Recording] = None,
    ) -> None:
        self._job = job
        self._recording = recording
        self._publish = publish
        self._fail = fail
        self._deadline = time.monotonic() + job.scheduler_timeout
        self._security = security.Security().get_connection_args("client")
        self._progress = Progress()
        self.obstacles = Obstacles(min(PAUSED_END, job.scheduler_timeout), job.groups, job.scheduler_timeout)
        #: The limit, in MiB, of workers that are all paused; 0 while one is not.
        self.paused_limit = 0.0
        self._scalers = {each.name: Scaler(each.adaptive) for each in job.groups if each.adaptive is not None}
        self._loop = asyncio.new_event_loop()
        self._rpc: Any = None
        self._id = ""
        self._last: dict[str, Any] = {}
        self._snapshot: dict[str, Any] = {"workers": {}}
        self._retired: list[str] = []
        self._retiring: Optional[asyncio.Task[None]] = None
        self._asked_adaptive = 0.0
        self._broken = False
        functions: list[Callable[[Any], str]] = [snapshot.counts, snapshot.erred]
        functions += recording.functions if recording is not None else ()
        self._questions = Questions(functions)
        #: The last counts by prefix, and when to count again.
        self._prefixes: dict[str, list[int]] = {}
        self._count_due = 0.0
        self._had_worker = False
        #: Of the last snapshot: the unfinished tasks that `fire_and_forget` asked for, all unfinished tasks, and
        #: whether tasks have clients.
        self.forgotten = 0
        self.unfinished = 0
        self.has_nested_clients = False
        self.last_error = "no attempt was made"
        self.connected = threading.Event()
        self.enough_workers = threading.Event()
        threading.Thread(target=self._loop.run_until_complete, args=(self._main(),), daemon=True).start()

    def wait(self, event: threading.Event) -> bool:
        """Waits for `connected` or `enough_workers`, at most until the job's scheduler timeout. Returns whether it
        came."""
        return event.wait(max(0.0, self._deadline - time.monotonic()))

    @property
    def some_worker(self) -> str:
        """The address of a worker that takes tasks; empty: none is connected."""
        workers = self._alive()["workers"].items()
        return next((address for address, row in workers if row[2]), "")

    @property
    def identity(self) -> str:
        """What tells it from other schedulers; empty while it is not connected."""
        return self._id

    @property
    def workers(self) -> int:
        """How many workers are connected and not retired."""
        return sum(self.joined.values())

    def refresh(self) -> dict[str, Any]:
        """Progress and workers from a new snapshot; from the last one if that takes longer than a second."""
        if self._id:
            self._call(self._observe(), 1.0)
        return dict(self._last)

    def observe(self) -> bool:
        """Takes a snapshot now. Returns whether the scheduler answered."""
        return self._call(self._observe(), CALL) is not None

    def erred_tasks(self) -> list[tuple[str, str, str]]:
        """Key, exception and traceback, as texts, of the tasks that erred last, newest first; [] without an answer."""
        text = self._call(self._ask(snapshot.erred), CALL)
        return [(key, error, trace) for key, error, trace in json.loads(text)] if text else []

    def alive(self) -> bool:
        """Whether the scheduler that the runner first reached still answers. False takes about 15 s."""
        deadline = time.monotonic() + 2 * LOST
        while time.monotonic() < deadline:
            answer = self._call(self._probe(), CALL + 1)
            if answer is not None:
                return bool(answer == self._id)
            time.sleep(0.3)
        return False

    def is_busy(self) -> bool:
        """Whether the same scheduler may be there, though it has not answered in time."""
        return bool(self._call(self._is_busy(), 4 * LOST))

    def _call(self, work: Any, patience: float) -> Any:
        """Runs a coroutine in the connection's loop. Returns its result; None if it fails or takes too long."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(patience)
        except Exception:
            future.cancel()
            return None

    async def _main(self) -> None:
        try:
            await self._connect()
            await self._watch()
        except SchedulerLost as error:
            self._fail(wire.failure("SchedulerLost", str(error)))

    async def _connect(self) -> None:
        while not self._id:
            try:
                await self._run(reach, self._job.scheduler, self._security.get("ssl_context"))
                self._id = await self._identify(CALL)
            except Exception as error:
                self.last_error = f"{type(error).__name__}: {error}".strip(": ")
                await asyncio.sleep(PAUSE)
        self._rpc = core.rpc(self._job.scheduler, timeout=CALL, connection_args=self._security)
        if self._recording is not None:
            await self._recording.begin(self._ask, self._rpc)
        self._publish({"stage": wire.Stage.CONNECTED, "timings": {"connected": wire.timestamp(time.time())}})
        self.connected.set()

    async def _identify(self, patience: float) -> str:
        comm = await asyncio.wait_for(
            core.connect(self._job.scheduler, timeout=patience, **self._security), patience + 1.0
        )
        try:
            await asyncio.wait_for(comm.write({"op": "identity", "reply": True}), CALL)
            answer = await asyncio.wait_for(comm.read(), CALL)
        finally:
            comm.abort()
        return str(answer["id"])

    async def _watch(self) -> None:
        began = time.monotonic()
        while True:
            asked = time.monotonic()
            try:
                await self._observe(asked >= self._count_due)
                if self._scalers and asked - self._asked_adaptive >= ADAPTIVE_INTERVAL:
                    self._asked_adaptive = asked
                    await self._scale()
            except (OSError, asyncio.TimeoutError):
                await self._survive()
            except SchedulerLost:
                raise
            except Exception as error:
                # This thread must go on after any odd answer: nothing else detects a lost scheduler.
                print(f"daskjob: an odd answer of the scheduler: {error!r}", file=sys.stderr, flush=True)
            now = time.monotonic()
            if self.enough_workers.is_set():
                pause = min(LONGEST, max(SHORTEST, 20 * (now - asked)))
            else:
                pause = min(LONGEST_WAITING, max(WAITING, (now - began) / 20))
            await asyncio.sleep(pause)

    async def _survive(self) -> None:
        """Waits until the scheduler answers again. Raises SchedulerLost if it does not, or if another one answers."""
        since = time.monotonic()
        while True:
            answer = await self._probe()
            if answer == self._id:
                return
            if answer:
                raise SchedulerLost(
                    f"another scheduler answers at {self._job.scheduler}: the first one, and all that it knew, is gone"
                )
            if await self._accepts():
                # The scheduler still accepts connections: it is busy, not gone.
                since = time.monotonic()
            elif time.monotonic() - since > LOST:
                where = self._job.scheduler
                raise SchedulerLost(f"the scheduler at {where} does not answer any more: {self.last_error}")
            await asyncio.sleep(0.5)

    async def _probe(self) -> Optional[str]:
        try:
            return await self._identify(LOOK)
        except Exception as error:
            self.last_error = f"{type(error).__name__}: {error}".strip(": ")
            return None

    async def _is_busy(self) -> bool:
        return await self._accepts() and await self._probe() in (None, self._id)

    async def _accepts(self) -> bool:
        address = urlsplit(self._job.scheduler)

        def attempt() -> bool:
            try:
                socket.create_connection((address.hostname, address.port), 3.0).close()
            except OSError:
                return False
            return True

        return bool(await self._run(attempt))

    async def _run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Runs a function that blocks, in a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)

    async def _ask(self, function: Callable[..., str], **keywords: Any) -> str:
        return await self._questions.ask(self._rpc, function, CALL, **keywords)

    async def _observe(self, whole: bool = True) -> bool:
        """Takes a snapshot, and publishes what is new in it; unless `whole`, with the last counts of tasks."""
        try:
            answer = json.loads(await self._ask(snapshot.counts, **({} if whole else {"whole": False})))
        except (OSError, asyncio.TimeoutError):
            raise
        except Exception as error:
            if not self._broken:
                print(f"daskjob: no progress of tasks can be shown: {error}", file=sys.stderr, flush=True)
            self._broken = True
            answer = await self._observe_workers()
        if answer["id"] != self._id:
            raise SchedulerLost(f"another scheduler answers at {self._job.scheduler}: the first one is gone")
        if whole:
            self._count_due = cadence.next_count(time.monotonic(), answer["spent"])
        self._prefixes = answer.setdefault("prefixes", self._prefixes)
        self._snapshot = answer
        self.forgotten, self.has_nested_clients = answer["forgotten"], answer["nested"]
        limits = [row[3] for row in answer["workers"].values()]
        self.paused_limit = max(limits) / 2**20 if limits and all(limits) else 0.0
        self.unfinished = sum(row[2] + row[3] for row in answer["prefixes"].values())
        usable = self._usable()
        part: dict[str, Any] = {"progress": self._progress.take(answer["prefixes"])}
        now, blocked, idle = time.monotonic(), self.obstacles.blocked, self.obstacles.idle
        stacks, logs = blocked.wants_stacks(now, answer), idle.wants_logs(now, answer)
        part["waiting"] = self.obstacles.look(now, answer)
        part["workers"] = {"connected": self.workers, "threads": sum(threads for _, threads, *_ in usable)}
        part["workers"].update(self._sizes())
        if part != self._last:
            self._last = dict(part)
            if self.workers and not self._had_worker:
                self._had_worker = True
                part["timings"] = {"firstWorker": wire.timestamp(time.time())}
            self._publish(part)
        joined = self.joined
        if all(joined[each.name] >= each.min_workers for each in self._job.groups):
            self.enough_workers.set()
        failure = self.obstacles.find_end(time.monotonic(), answer)
        if failure is not None:
            self._fail(failure)
        # What is known by now waits for no worker's answer.
        if stacks:
            blocked.judge(time.monotonic(), await of_workers(self._rpc.call_stack(), LOOK))
        if logs:
            idle.judge(time.monotonic(), await of_workers(self._rpc.worker_logs(n=50), LOOK))
        if self._recording is not None:
            await self._recording.follow(self._ask)
        return True

    async def _observe_workers(self) -> dict[str, Any]:
        identity = await asyncio.wait_for(self._rpc.identity(), CALL)
        workers = {
            address: [str(worker.get("name", address)), worker.get("nthreads", 1), True, *([0] * 7)]
            for address, worker in identity.get("workers", {}).items()
        }
        numbers = {"spent": 0.0, "forgotten": 0, "nested": False, "free": 0}
        nothing: dict[str, Any] = {"prefixes": {}, "stuck": [], "placed": [], "offers": []}
        return {"id": identity["id"], "workers": workers, **numbers, **nothing}

    def _usable(self) -> list[list[Any]]:
        return [row for row in self._alive()["workers"].values() if row[2]]

    @property
    def joined(self) -> dict[str, int]:
        """How many workers of each group are connected and not retired."""
        return group_load.joined(self._alive(), self._job.groups)

    def _sizes(self) -> dict[str, Any]:
        """The report's `workers`, as far as it is about groups and their sizes."""
        wanted = {name: {"wanted": scaler.wanted} for name, scaler in self._scalers.items()}
        retired = {"retired": list(self._retired)} if wanted else {}
        if len(self._job.groups) == 1:
            return {**wanted.get(self._job.groups[0].name, {}), **retired}
        joined, groups = self.joined, self._job.groups
        # A group of a fixed size that has no worker yet wants one if tasks wait for it.
        lacking = [each for each in groups if each.adaptive is None and not joined[each.name]]
        wanted |= {each.name: {"wanted": 1} for each in lacking if group_load.is_awaited(self._snapshot, each, groups)}
        rows = [{"name": name, "connected": count, **wanted.get(name, {})} for name, count in joined.items()]
        return {"groups": rows, **retired}

    async def _scale(self) -> None:
        surplus: dict[str, int] = {}
        joined = self.joined
        for name, scaler in self._scalers.items():
            if len(self._job.groups) == 1:
                # The scheduler's target includes retired workers that are still connected; the runner's does not.
                target = int(await asyncio.wait_for(self._rpc.adaptive_target(), CALL))
                target -= len(self._snapshot["workers"]) - len(self._usable())
                target = math.ceil(target / self._job.groups[0].processes)
            else:
                target = group_load.target(self._alive(), self._job.groups, name, _target_duration())
            _, surplus[name] = scaler.decide(time.monotonic(), target, joined[name])
        if any(surplus.values()) and (self._retiring is None or self._retiring.done()):
            self._retiring = asyncio.ensure_future(self._retire(surplus))

    def _alive(self) -> dict[str, Any]:
        """The last snapshot, without retired workers."""
        gone = {*self._retired}
        workers = self._snapshot["workers"].items()
        left = {key: row for key, row in workers if pod_of(row[0], self._job.groups) not in gone}
        return {**self._snapshot, "workers": left}

    async def _retire(self, surplus: dict[str, int]) -> None:
        """Retires so many workers of each group, the least busy: the scheduler moves their data to others and gives
        them no more tasks. The operator deletes their pods."""
        try:
            mine: list[str] = []
            for name, count in surplus.items():
                if len(self._job.groups) == 1 and self._job.groups[0].processes == 1:
                    names = [str(each) for each in await self._rpc.workers_to_close(n=count, attribute="name")]
                else:
                    names = group_load.idle(self._alive(), self._job.groups, name)
                mine += [each for each in names if each not in self._retired][:count]
            rows = self._snapshot["workers"].items()
            leaving = {key: pod_of(row[0], self._job.groups) for key, row in rows}
            leaving = {key: pod for key, pod in leaving.items() if pod in mine}
            retire = self._rpc.retire_workers
            gone = await retire(workers=list(leaving), close_workers=False, remove=False) if leaving else ()
        except (OSError, asyncio.TimeoutError) as error:
            print(f"daskjob: could not retire workers: {error}", file=sys.stderr, flush=True)
            return
        # The operator deletes whole pods: one is retired when all of its processes are.
        left = {pod for address, pod in leaving.items() if address not in gone}
        self._retired += [pod for pod in mine if pod in leaving.values() and pod not in left]


def _target_duration() -> float:
    return float(parse_timedelta(dask.config.get("distributed.adaptive.target-duration")))
