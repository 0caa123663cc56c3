"""Archives of images as `docker save` writes them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: An image with Debian's and Python's packages, some of which a later layer takes away.
VENV = "opt/daskjob-venv/lib/python3.12/site-packages"
OS = 'PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="13"\n'
STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc (2.41-12)
Version: 2.41-12+b1
Description: of several lines
 the second

Package: mawk
Status: deinstall ok config-files
Architecture: amd64
Version: 1.3.4

Package: zlib1g
Status: install ok installed
Architecture: amd64
Source: zlib
Version: 1:1.3.1
"""
KOPF = """\
Name: kopf
Version: 1.45.2
Requires-Dist: PyYAML (>=6)
Requires-Dist: aiohttp<4 ; python_version >= "3.12"
Requires-Dist: uvloop ; extra == "uvloop"
Requires-Dist: colorama ; sys_platform == "win32"

Description.
Name: not this one
"""
OURS = 'Name: daskjob\nVersion: 0.1.0\nRequires-Dist: kopf ; extra == "x"\n'
LAYERS: tuple[Mapping[str, str], ...] = (
    {
        "etc/os-release": OS,
        "var/lib/dpkg/status": STATUS,
        f"{VENV}/kopf-1.45.2.dist-info/METADATA": KOPF,
        f"{VENV}/aiohttp-3.14.5.dist-info/METADATA": "Name: aiohttp\nVersion: 3.14.5\n",
        f"{VENV}/PyYAML-6.0.4.dist-info/METADATA": "Name: PyYAML\nVersion: 6.0.4\n",
        f"{VENV}/uvloop-1.0.dist-info/METADATA": "Name: uvloop\nVersion: 1.0\n",
        f"{VENV}/kopf/METADATA": "Name: no package\nVersion: 1\n",
        "usr/lib/python3/dist-packages/pip-25.1.1.dist-info/METADATA": "Name: pip\nVersion: 25.1.1\n",
        "old/lib/python3.12/site-packages/gone-1.0.dist-info/METADATA": "Name: gone\nVersion: 1.0\n",
        "older/lib/python3.12/site-packages/gone-2.0.dist-info/METADATA": "Name: gone\nVersion: 2.0\n",
    },
    {
        ".wh.old": "",
        "older/lib/.wh..wh..opq": "",
        f"{VENV}/daskjob-0.1.0.dist-info/METADATA": OURS,
    },
)
CONFIG: Mapping[str, Any] = {
    "created": "2026-03-01T12:00:00.123456789Z",
    "config": {"Env": ["PATH=/bin", "PYTHON_VERSION=3.12.9"], "Labels": {"org.opencontainers.image.revision": "abc"}},
}


def tar(files: Mapping[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def write(path: Path, layers: tuple[Mapping[str, str], ...] = LAYERS, config: Mapping[str, Any] = CONFIG) -> Path:
    """Writes an archive with these layers, the lowest first."""
    files = {
        f"blobs/sha256/{index}": tar({name: text.encode() for name, text in layer.items()})
        for index, layer in enumerate(layers)
    }
    manifest = [
        {"Config": "blobs/sha256/" + "ab" * 32, "RepoTags": ["localhost/daskjob/operator:1"], "Layers": [*files]}
    ]
    files["blobs/sha256/" + "ab" * 32] = json.dumps(config).encode()
    path.write_bytes(tar({**files, "manifest.json": json.dumps(manifest).encode()}))
    return path
