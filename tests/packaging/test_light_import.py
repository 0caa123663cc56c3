"""What `import daskjob` brings along: next to nothing."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = ("kopf", "dask", "distributed", "kubernetes", "cloudpickle", "yaml", "jsonschema", "click")


def loaded(code: str) -> set[str]:
    """The modules that a fresh Python has after the code."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_the_package_brings_nothing_heavy() -> None:
    assert not loaded("import daskjob") & {*HEAVY, "asyncio", "concurrent.futures"}


def test_every_public_name_of_the_client_brings_nothing_heavy() -> None:
    names = "connect job DaskJobClient JobFuture JobOptions JobFailed RemoteError Forbidden JobFunction"
    asked = "\n".join(f"daskjob.{each}" for each in names.split())
    assert not loaded(f"import daskjob\n{asked}") & set(HEAVY)


def test_a_local_client_brings_neither_kopf_nor_the_kubernetes_package() -> None:
    assert not loaded("import daskjob\ndaskjob.connect(backend='local')") & {"kopf", "kubernetes", "dask"}
