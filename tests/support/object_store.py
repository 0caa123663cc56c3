"""A server that speaks S3, and the Python of an image with the drivers of stores."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from .ports import reserved_port

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "image_with_stores" / "requirements.txt"


def python_with_stores() -> str:
    """The Python of an image that has the drivers of stores. The project's own cannot: they want another dateutil than
    the operator's client of Kubernetes."""
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:10]
    folder = Path.home() / ".cache" / "daskjob" / f"image-with-stores-{key}"
    python = folder / "bin" / "python3"
    if not (folder / "done").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", str(REQUIREMENTS)], check=True)
        (folder / "done").touch()
    return str(python)


class S3:
    """The server with the bucket `results`, while it is entered; `users`: variables with the keys of each."""

    def __init__(self, python: str) -> None:
        port = reserved_port()
        self.address = f"http://127.0.0.1:{port}"
        pipe = subprocess.PIPE
        # -P: what is beside the script must not stand in for the standard library's.
        command = [python, "-P", str(HERE / "s3.py"), str(port)]
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None
        lines = (line for line in self._process.stdout if line.startswith(b"{"))
        self.users: dict[str, dict[str, str]] = json.loads(next(lines))

    @property
    def options(self) -> dict[str, Any]:
        return {"endpoint_url": self.address, "client_kwargs": {"region_name": "us-east-1"}}

    def __enter__(self) -> S3:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()
