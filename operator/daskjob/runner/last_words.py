"""What scheduler and workers know of a graph that has ended, asked over a connection of its own."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, Callable

from distributed import core as untyped_core
from distributed import security as untyped_security

from daskjob.runner import task_stream
from daskjob.runner.output_copy import output_of
from daskjob.runner.questions import Questions, by_value, pickle

# These modules of distributed have hardly any types.
core: Any = untyped_core
security: Any = untyped_security

#: Seconds for a connection: the scheduler was there a moment ago, or is gone.
CONNECT = 4.0
#: Workers that are asked for their output at the same time: the scheduler has so many answers in its memory.
WORKERS_AT_ONCE = 10


class LastWords:
    """Of one scheduler. `patience`: seconds that one question may take. Beside `connect`, each method raises as the
    request does."""

    def __init__(self, address: str, patience: float) -> None:
        self._address = address
        self._patience = patience
        self._security = security.Security().get_connection_args("client")
        self._questions = Questions([task_stream.fetch, totals, output_of])
        self._output_of = pickle.dumps(by_value(output_of))
        self.rpc: Any = None

    async def connect(self) -> bool:
        """Whether the scheduler is there."""
        try:
            comm = await asyncio.wait_for(core.connect(self._address, timeout=CONNECT, **self._security), CONNECT + 1)
        except (OSError, asyncio.TimeoutError):
            return False
        comm.abort()
        self.rpc = core.rpc(self._address, timeout=self._patience, connection_args=self._security)
        return True

    async def close(self) -> None:
        """Closes the connections."""
        if self.rpc is not None:
            await self.rpc.close_rpc()

    async def ask(self, function: Callable[..., str], **keywords: Any) -> str:
        """The text that a function gives which the scheduler runs."""
        return await self._questions.ask(self.rpc, function, self._patience, **keywords)

    async def scheduler_log(self) -> bytes:
        """The end of what the scheduler's process has printed (`output_copy`)."""
        return str(json.loads(await self.ask(output_of))[1]).encode(errors="replace")

    async def worker_logs(self, most: int, notes: list[str]) -> dict[str, bytes]:
        """The same of each worker that is there, at most so many, by the name of its pod: the processes of a pod have
        one log. `notes` gets which are missing."""
        workers = sorted((str(known.get("name")), address) for address, known in (await self._workers()).items())
        if len(workers) > most:
            notes.append(f"logs of {len(workers) - most} workers are left out, of {len(workers)}")
        found: dict[str, bytes] = {}
        silent: list[str] = []
        waiting = iter(workers[:most])
        until = time.monotonic() + self._patience

        async def ask_some() -> None:
            for name, address in waiting:
                try:
                    pod, text = await self._output(address, min(self._patience / 3, until - time.monotonic()))
                    found[pod] = text.encode(errors="replace")
                except (OSError, asyncio.TimeoutError, ValueError, TypeError, KeyError):
                    silent.append(name)

        await asyncio.gather(*(ask_some() for _ in range(WORKERS_AT_ONCE)))
        if silent:
            notes.append(f"no logs of {len(silent)} workers, which did not answer: {', '.join(silent[:10])}")
        return found

    async def _output(self, address: str, patience: float) -> list[str]:
        arguments = {"args": pickle.dumps(()), "kwargs": pickle.dumps({}), "wait": True}
        message = {"op": "run", "function": self._output_of, **arguments}
        answers = await asyncio.wait_for(self.rpc.broadcast(msg=message, workers=[address]), patience)
        # Without `result` if the function failed there.
        answer: list[str] = json.loads(answers[address]["result"])
        return answer

    async def metrics(self) -> dict[str, Any]:
        """`scheduler`: totals of tasks, by prefix; `workerMetrics`: by name, what each worker last said of itself."""
        found = {
            str(known.get("name", address)): {
                "threads": known.get("nthreads"),
                "memoryLimit": known.get("memory_limit"),
                "metrics": _json(known.get("metrics")),
            }
            for address, known in (await self._workers()).items()
        }
        return {"scheduler": json.loads(await self.ask(totals)), "workerMetrics": found}

    async def _workers(self) -> dict[str, Any]:
        answer = await asyncio.wait_for(self.rpc.identity(), self._patience)
        return dict(answer.get("workers") or {})


def totals(dask_scheduler: Any) -> str:
    """As JSON: by prefix, the first thousand, how often its tasks entered each state, and the seconds that they took,
    by action. The scheduler runs it."""
    import json

    prefixes = {}
    for prefix in list(dask_scheduler.task_prefixes.values())[:1000]:
        seconds = {str(action): round(float(value), 6) for action, value in dict(prefix.all_durations).items()}
        prefixes[str(prefix.name)] = {"states": dict(prefix.state_counts), "seconds": seconds}
    return json.dumps({"prefixes": prefixes})


def _json(value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, default=str))
    except (TypeError, ValueError):
        # Keys that JSON does not have.
        return json.loads(json.dumps({str(key): str(item) for key, item in dict(value).items()}))
