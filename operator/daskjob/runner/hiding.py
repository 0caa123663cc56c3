"""Takes this project's own modules out of a process of Dask: there, `daskjob` is what the image has of that name."""

from __future__ import annotations

import os
import sys


def own_place() -> str:
    """What is on the path for this package to be found: the program's file, or the folder of an installation."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def hide_package(place: str) -> None:
    """Takes the package off `sys.path` and out of `sys.modules`; functions that are known go on working, and import
    nothing of it any more. `place`: as of `own_place`."""
    if place in sys.path:
        sys.path.remove(place)
    for name in [each for each in sys.modules if each.partition(".")[0] == "daskjob"]:
        del sys.modules[name]
