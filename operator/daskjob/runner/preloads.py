"""Dask's preloads, of which one that fails ends the process at once, in words.

Dask itself goes on without a module whose `dask_setup` fails, and a task would meet what is missing much later. The
operator sends this module's source, as part of the command of scheduler and workers, into images that have nothing of
this project: it imports the standard library alone, and works with Python 3.9.
"""

import json
import os
import sys
from typing import Any

#: Exit code of a process whose preload failed.
PRELOAD_EXIT = 1
LOG = "/dev/termination-log"


def end_with_preloads(arguments: "list[str]") -> None:
    """Watches the modules that Dask's arguments name with `--preload`. `distributed` is imported here."""
    names = [arguments[index + 1] for index, each in enumerate(arguments[:-1]) if each == "--preload"]
    if not names:
        return
    from distributed import preloading

    dask: Any = preloading
    load, start = dask._import_module, dask.Preload.start

    def loading(name, *more, **others):  # type: ignore[no-untyped-def]
        try:
            return load(name, *more, **others)
        except BaseException as error:
            end_by(name, names, error)
            raise

    async def starting(self):  # type: ignore[no-untyped-def]
        try:
            await start(self)
        except BaseException as error:
            end_by(self.name, names, error)
            raise

    dask._import_module, dask.Preload.start = loading, starting


def end_by(name: str, names: "list[str]", error: BaseException) -> None:
    """Ends the process for a module that the job's spec names."""
    if name not in names:
        return
    import traceback

    traceback.print_exception(type(error), error, error.__traceback__)
    message = f"preload {name} failed: {type(error).__name__}: {error}"[:1000]
    print(f"daskjob: PreloadFailed: {message}", file=sys.stderr, flush=True)
    last = {"protocol": 1, "outcome": "Failed", "failure": {"reason": "PreloadFailed", "message": message}}
    try:
        with open(os.environ.get("DASKJOB_TERMINATION_LOG") or LOG, "w", encoding="utf-8") as file:
            file.write(json.dumps(last))
    except OSError:
        pass
    os._exit(PRELOAD_EXIT)


def run_dask(module: str) -> None:
    """Runs one of Dask's programs with the arguments of this process."""
    import runpy

    end_with_preloads(sys.argv)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__" and len(sys.argv) > 1:
    run_dask(sys.argv.pop(1))
