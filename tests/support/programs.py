"""The programs and scripts of the test cluster (tests/cluster)."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

from .settings import PREBUILT

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "tests" / "cluster"


@functools.cache
def folder() -> Path:
    """Where `tests/cluster/build` puts the programs: CLUSTER_BIN, or a folder named for the Kubernetes version."""
    modules = (CLUSTER / "kubernetes" / "go.mod").read_text()
    match = re.search(r"^require k8s\.io/kubernetes v(.*)$", modules, re.MULTILINE)
    assert match, "tests/cluster/kubernetes/go.mod does not require k8s.io/kubernetes"
    return Path(os.environ.get("CLUSTER_BIN") or Path.home() / ".cache" / "daskjob" / f"bin-{match[1]}")


def program(name: str) -> str:
    """Path of a program. Raises FileNotFoundError, naming what builds it."""
    if PREBUILT:
        if found := shutil.which(name):
            return found
        raise FileNotFoundError(f"{name} is not on PATH: install it, or unset DASKJOB_TEST_PREBUILT")
    path = folder() / name
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: run tests/cluster/build, or set CLUSTER_BIN to the folder that has it"
        )
    return str(path)


def script(name: str, *arguments: str, timeout: float = 1800) -> str:
    """What a script of tests/cluster printed. Raises AssertionError with its words if it fails."""
    done = subprocess.run(
        [CLUSTER / name, *arguments], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"tests/cluster/{name} {' '.join(arguments)}: {done.stderr}{done.stdout}".strip()
    return done.stdout
