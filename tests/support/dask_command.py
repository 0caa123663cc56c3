"""The command by which a pod starts a process of Dask."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daskjob.manifests.launch import RUN
from daskjob.runner import archive
from daskjob.runner.checked_files import digests_of

PROGRAM = "runner.pyz"
#: Options of `dask cuda worker` (dask-cuda 26.10), which ends by any that it does not know: those that ours could be.
DASK_CUDA_OPTIONS = {
    *("--host", "--scheduler-file", "--name", "--nthreads", "--memory-limit", "--resources", "--preload"),
    *("--dashboard", "--no-dashboard", "--dashboard-address", "--local-directory", "--death-timeout", "--worker-port"),
}


def dask_command(
    place: Path,
    module: str,
    *arguments: str,
    code: str = "",
    first: float = 600,
    later: float = 600,
    mounted: Sequence[dict[str, Any]] = (),
    run: str = RUN,
) -> list[str]:
    """The command, with its program mounted below `place`, where its checked copy comes, too. `code`: the folder of the
    job's code; `first`, `later`: seconds without a contact; `mounted`: what the command says about other folders;
    `run`: what stands for the program that checks them."""
    folder, program = place / "mounted-program", archive.build()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PROGRAM).write_bytes(program)
    own = {
        "folder": str(folder),
        "object": "ConfigMap daskjob-runner-0",
        "digests": digests_of({PROGRAM: program}),
        "copy": str(place / "checked-program"),
        "uncopied": [],
    }
    start = ["--dask", module, code, str(first), str(later)]
    return [sys.executable, "-c", run, json.dumps([own, *mounted]), *start, *arguments]
