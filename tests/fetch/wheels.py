"""Wheels of one module each, and a package index of one of them, which runs as a program in a pod."""

from __future__ import annotations

import io
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def wheel(name: str, version: str, requires: tuple[str, ...] = (), module: str = "") -> bytes:
    """A wheel with one module, which has its version. `module`: its path, if it is not called as the package."""
    info = f"{name}-{version}.dist-info"
    about = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {each}" for each in requires)]
    files = {
        module or f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": "\n".join(["Metadata-Version: 2.1", *about]) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return buffer.getvalue()


class _Index(BaseHTTPRequestHandler):
    """Has `index_thing` 1.5, which needs dask as the image has it."""

    FILE = "index_thing-1.5-py3-none-any.whl"

    def do_GET(self) -> None:
        pages = {
            "/simple/index-thing/": ("text/html", f'<!DOCTYPE html><a href="/{self.FILE}">{self.FILE}</a>'.encode()),
            f"/{self.FILE}": ("application/zip", wheel("index_thing", "1.5", ("dask",))),
        }
        if self.path not in pages:
            self.send_error(404)
            return
        kind, content = pages[self.path]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8081), _Index).serve_forever()
