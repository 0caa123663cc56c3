"""Functions that Dask's scheduler runs for the runner, whatever the scheduler can import."""

from __future__ import annotations

import asyncio
import types
from typing import Any, Awaitable, Callable, Iterable

from distributed.protocol import pickle as untyped_pickle

pickle: Any = untyped_pickle

Question = Callable[[Any], str]


class Questions:
    """Asks one scheduler. `functions`: all that it will be asked; each returns text."""

    def __init__(self, functions: Iterable[Question]) -> None:
        self._pickled = {function: pickle.dumps(by_value(function)) for function in functions}
        self._nothing = {"args": pickle.dumps(()), "kwargs": pickle.dumps({}), "wait": True}

    async def ask(self, rpc: Any, function: Question, patience: float, **keywords: Any) -> str:
        """What the function returns there. Raises OSError, asyncio.TimeoutError, and RuntimeError if the scheduler does
        not run functions."""
        arguments = {**self._nothing, "kwargs": pickle.dumps(keywords)} if keywords else self._nothing
        question = rpc.run_function(function=self._pickled[function], **arguments)
        answer = await asyncio.wait_for(question, patience)
        if not isinstance(answer, dict) or answer.get("status") != "OK":
            raise RuntimeError(f"the scheduler does not run functions: {str(answer)[:500]}")
        return str(answer["result"])


async def of_workers(question: Awaitable[Any], patience: float) -> Any:
    """What the workers answer to a question that the scheduler passes on; {} if one is busy, frozen or gone for so many
    seconds, which says nothing of the scheduler."""
    try:
        return await asyncio.wait_for(question, patience)
    except Exception:
        return {}


def by_value(function: Question) -> Any:
    """A copy of the function in module `__main__`: pickle sends the code of such functions, not a name to import."""
    origin: Any = function
    space = {"__builtins__": __builtins__}
    copy = types.FunctionType(origin.__code__, space, origin.__name__, origin.__defaults__)
    copy.__module__ = "__main__"
    return copy
