"""How an event loop waits for what happens in threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Bell:
    """Rung once, by any thread, for the loop that runs now: `rung` is awaited there. Nobody minds if that was given up
    or if the loop is closed by then."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.rung: asyncio.Future[Any] = self._loop.create_future()

    def ring(self, value: Any = None, error: BaseException | None = None) -> None:
        """`rung` gives the value, or raises the error."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._set, value, error)

    def _set(self, value: Any, error: BaseException | None) -> None:
        if self.rung.done():
            return
        if error is not None:
            self.rung.set_exception(error)
        else:
            self.rung.set_result(value)


async def elsewhere(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """What the function gives in a thread of its own. The loop's own threads are few, and it waits for them at its end:
    here one may follow a job for hours. Who gives up waiting leaves the call alone."""
    bell = Bell()

    def call() -> None:
        try:
            value = function(*args, **kwargs)
        except BaseException as error:
            bell.ring(error=error)
        else:
            bell.ring(value)

    threading.Thread(target=call, name="daskjob call", daemon=True).start()
    found: T = await bell.rung
    return found
