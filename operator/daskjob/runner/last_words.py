"""What scheduler and workers know of a graph that has ended, asked over a connection of its own."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Callable

from distributed import core as untyped_core
from distributed import security as untyped_security

from daskjob.runner import task_stream
from daskjob.runner.questions import Questions

# These modules of distributed have hardly any types.
core: Any = untyped_core
security: Any = untyped_security

#: Seconds for a connection: the scheduler was there a moment ago, or is gone.
CONNECT = 4.0


class LastWords:
    """Of one scheduler. `patience`: seconds that one question may take. Beside `connect`, each method raises as the
    request does."""

    def __init__(self, address: str, patience: float) -> None:
        self._address = address
        self._patience = patience
        self._security = security.Security().get_connection_args("client")
        self._questions = Questions([task_stream.fetch, totals])
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

    async def ask(self, function: Callable[[Any], str]) -> str:
        """The text that a function gives which the scheduler runs."""
        return await self._questions.ask(self.rpc, function, self._patience)

    async def scheduler_log(self) -> bytes:
        """What Dask has logged in the scheduler: its last records, the oldest first."""
        return _lines(await asyncio.wait_for(self.rpc.get_logs(), self._patience))

    async def worker_logs(self) -> dict[str, bytes]:
        """The same of each worker that is there, by its name; what tasks print is not in it."""
        answers = await asyncio.wait_for(self.rpc.worker_logs(), self._patience)
        names = {address: str(known.get("name", address)) for address, known in (await self._workers()).items()}
        return {names.get(address, address): _lines(records) for address, records in answers.items()}

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


def _lines(records: Any) -> bytes:
    """The text of Dask's log records, which come newest first."""
    if not isinstance(records, (list, tuple)):
        return b""
    return "".join(f"{text}\n" for _, text in reversed(list(records))).encode(errors="replace")


def _json(value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, default=str))
    except (TypeError, ValueError):
        # Keys that JSON does not have.
        return json.loads(json.dumps({str(key): str(item) for key, item in dict(value).items()}))
