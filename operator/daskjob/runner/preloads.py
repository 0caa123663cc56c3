"""Dask's preloads, of which one that fails ends the process at once, in words; and the start of Dask's processes.

Dask itself goes on without a module whose `dask_setup` fails, and a task would meet what is missing much later.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from daskjob.runner.hiding import hide_package, own_place
from daskjob.runner.name_clashes import explain_failures
from daskjob.runner.output_copy import keep_output
from daskjob.runner.stale_errors import forget_errors

#: Exit code of a process that cannot start.
START_FAILED = 1
LOG = "/dev/termination-log"


def end_with_preloads(arguments: list[str]) -> None:
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


def end_by(name: str, names: list[str], error: BaseException) -> None:
    """Ends the process for a module that the job's spec names."""
    if name not in names:
        return
    import traceback

    traceback.print_exception(type(error), error, error.__traceback__)
    leave_words("PreloadFailed", f"preload {name} failed: {type(error).__name__}: {error}"[:1000])


def leave_words(reason: str, message: str) -> None:
    """Ends the process, with why in its log and its termination message."""
    print(f"daskjob: {reason}: {message}", file=sys.stderr, flush=True)
    last = {"protocol": 1, "outcome": "Failed", "failure": {"reason": reason, "message": message}}
    try:
        with open(os.environ.get("DASKJOB_TERMINATION_LOG") or LOG, "w", encoding="utf-8") as file:
            file.write(json.dumps(last))
    except OSError:
        pass
    os._exit(START_FAILED)


def watch_children(arguments: list[str]) -> None:
    """Has the workers that a nanny starts do the same, by a preload that comes before the others. `arguments`: the
    program's name and arguments after it."""
    import tempfile

    import dask.config

    # A nanny reads it for each process: it stays as long as the nanny. A local run removes the folder of Dask's files.
    place = os.environ.get("DASK_TEMPORARY_DIRECTORY") or ""
    folder = tempfile.mkdtemp(prefix="daskjob-", dir=place if os.path.isdir(place) else None)
    path = os.path.join(folder, "daskjob_watches_preloads.py")
    own = own_place()
    with open(path, "w", encoding="utf-8") as file:
        # Dask imports what its arguments name in the nanny, too.
        file.write(f"import os, sys\nif os.getpid() != {os.getpid()}:\n    sys.path.insert(0, {own!r})\n")
        file.write("    from daskjob.runner.preloads import watch_child\n")
        file.write(f"    watch_child({arguments!r}, {own!r})\n")
    if "--preload" not in arguments:
        # Arguments take the place of Dask's settings.
        known = dask.config.get("distributed.worker.preload", None) or []
        names = [known] if isinstance(known, str) else known
        arguments[1:1] = [each for name in names for each in ("--preload", str(name))]
    further = dask.config.get("distributed.worker.preload-argv", None) or []
    if further and not isinstance(further[0], str):
        # A list for each preload.
        dask.config.set({"distributed.worker.preload-argv": [[], *further]})
    first = arguments.index("--preload") if "--preload" in arguments else 1
    arguments[first:first] = ["--preload", path]


def watch_child(arguments: list[str], place: str) -> None:
    """What a worker of a nanny does first: it forgets errors of connections (`runner.stale_errors`), keeps what it
    prints, and watches the nanny's preloads. `place`: of this package, which is hidden then."""
    hide_package(place)
    forget_errors()
    keep_output()
    end_with_preloads(arguments)


def run_dask(module: str) -> None:
    """Runs one of Dask's programs with the arguments of this process. The job's code is first in PYTHONPATH."""
    import runpy

    explain_failures((os.environ.get("PYTHONPATH") or "").partition(os.pathsep)[0])
    keep_output()
    cuda = not module.startswith("distributed.")
    if cuda:
        from daskjob.runner.cuda_start import end_without_gpus

        end_without_gpus()
    end_with_preloads(sys.argv)
    if cuda or "--nanny" in sys.argv:
        watch_children(sys.argv)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__" and len(sys.argv) > 1:
    run_dask(sys.argv.pop(1))
