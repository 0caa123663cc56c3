"""Functions of this program that workers run: their images have nothing of this project."""

from __future__ import annotations

import sys
from typing import Any, Callable


class Shipped:
    """A function that is sent as the source of its module, which imports nothing of this project.

    Neither pickle by name nor by value would do: no worker can import the module, and what pickles a whole graph by
    value differs between releases of Dask.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.__name__ = function.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def __reduce__(self) -> Any:
        module: Any = sys.modules[self._function.__module__]
        source = module.__loader__.get_source(module.__name__)
        name = f"daskjob_{module.__name__.rpartition('.')[2]}"
        code = f"exec(compile({source!r}, {name!r}, 'exec'), names) or names[{self._function.__name__!r}]"
        return eval, (f"(lambda names: {code})({{'__name__': {name!r}}})",)
