"""A clock that a test sets, and an event loop whose clock jumps to the next timer: hours pass in no time, and in the
same order every time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Clock(Generic[T]):
    """It stands still, but for whoever sets `now`."""

    def __init__(self, now: T) -> None:
        self.now = now

    def __call__(self) -> T:
        return self.now


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        selector: Any = self._selector  # type: ignore[attr-defined]
        wait = selector.select

        def select(timeout: float | None) -> Any:
            if timeout is None:
                raise RuntimeError("nothing will ever happen: all tasks wait for each other")
            self.now += max(timeout, 0.0)
            return wait(0)

        selector.select = select

    def time(self) -> float:
        return self.now


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs a test on such a loop."""
    loop = JumpingLoop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
