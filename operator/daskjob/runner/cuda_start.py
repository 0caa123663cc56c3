"""What `command: cuda` needs of its image and its pod, looked at before dask-cuda starts, which tells it late or never.

dask-cuda starts a process for each GPU that it finds, whatever the job says: with other counts nobody could tell which
processes are a worker. Where it finds none, it ends at once, with exit code 0 and not a word.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

from daskjob.runner.preloads import leave_words
from daskjob.runner.surroundings import PROCESSES_VARIABLE

MISSING = (
    "the image has no dask-cuda, with which command: cuda starts workers: use an image that has it, or leave command "
    "out (for one GPU in each pod, Dask's usual worker is enough)"
)
#: A package of that name is there. Takes the error.
BROKEN = (
    "the image's dask-cuda, with which command: cuda starts workers, cannot be imported: {}. pip install "
    "dask-cuda[cu12] or dask-cuda[cu13], by the version of CUDA, brings all that it needs"
)
#: Takes how many there are, or why none is found.
NO_GPU = (
    "command: cuda finds no GPU here ({}): give the workers resources.limits nvidia.com/gpu, and their template the "
    "runtimeClassName by which the cluster hands out GPUs, if it has one"
)
#: Takes the number of GPUs twice, and what the job says.
OTHER_COUNT = (
    "command: cuda starts a process for each GPU that it finds here, which is {}, and processes is {}: give processes, "
    "and resources.limits nvidia.com/gpu, the same number. CUDA_VISIBLE_DEVICES, where it is set, says which there are"
)


def end_without_package() -> None:
    """Ends the process, in words, if the image has no dask-cuda. Imports nothing."""
    if importlib.util.find_spec("dask_cuda") is None:
        leave_words("DaskCudaMissing", MISSING)


def end_without_gpus() -> None:
    """Ends the process, in words, if dask-cuda cannot be imported, or would start another number of processes than the
    job counts with. `dask_cuda` and `distributed` are imported here."""
    processes = int(os.environ.get(PROCESSES_VARIABLE) or 1)
    try:
        utils: Any = importlib.import_module("dask_cuda.utils")
    except ImportError as error:
        leave_words("DaskCudaMissing", BROKEN.format(f"{type(error).__name__}: {error}"[:300]))
    try:
        count: int = utils.get_n_gpus()
    except Exception as error:
        # NVIDIA's library is not there, or says that it cannot work: the exception is of its own kind.
        leave_words("WrongGpuCount", NO_GPU.format(f"{type(error).__name__}: {error}"[:300]))
    if count < 1:
        leave_words("WrongGpuCount", NO_GPU.format("NVIDIA's library says 0"))
    if count != processes:
        leave_words("WrongGpuCount", OTHER_COUNT.format(count, processes))
