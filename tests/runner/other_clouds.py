"""Stores of Azure and Google, as far as their emulators are like them: what is right, missing, forbidden, or away.

Run by hand: `make clouds`. It needs npm and the network to the package registries, and takes two minutes. Ends with 1
if a store is not told as what it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..support.ports import reserved_port
from ..support.waiting import wait_for

SOURCES = Path(__file__).resolve().parents[2] / "operator"
PACKAGES = ["adlfs==2026.8.0", "gcsfs==2026.10.1", "gcp-storage-emulator==2026.7.19"]
AZURITE = "azurite@3.37.0"
#: The account that azurite has, with the key that its documentation publishes.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
#: Tries one store in a process of its own, as a runner does, and prints the reason, or nothing.
TRY = """
import json, sys
sys.path.insert(0, sys.argv[1])
from daskjob.results.opened_store import StoreProblem, open_store, try_store, within
url, options = sys.argv[2], json.loads(sys.argv[3])
try:
    within(30, url, lambda: try_store(open_store(url, options), ".trial-x"))
except StoreProblem as problem:
    print(problem.reason)
sys.stdout.flush()
import os
os._exit(0)
"""
NEW_CONTAINER = """
import os
from azure.storage.blob import BlobServiceClient
BlobServiceClient.from_connection_string(os.environ["AZURE_STORAGE_CONNECTION_STRING"]).create_container("results")
"""


def installed() -> Path:
    """The folder with the drivers and the emulators."""
    key = hashlib.sha256(json.dumps([PACKAGES, AZURITE, sys.version]).encode()).hexdigest()[:10]
    folder = Path.home() / ".cache" / "daskjob" / f"other-clouds-{key}"
    if not (folder / "done").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([folder / "bin" / "pip", "install", "-q", *PACKAGES], check=True)
        subprocess.run(["npm", "install", "--silent", "--prefix", folder, AZURITE], check=True)
        (folder / "done").touch()
    return folder


@contextmanager
def server(port: int, *command: str | Path) -> Iterator[None]:
    """Runs an emulator until it is left; it listens by then."""

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(f"{command[0]} to listen", listens, bool, 30)
            yield
        finally:
            process.kill()


def main() -> int:
    folder, azure, google = installed(), reserved_port(), reserved_port()
    blobs = f"http://127.0.0.1:{azure}/{ACCOUNT}"

    def account(key: str) -> dict[str, str]:
        parts = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};BlobEndpoint={blobs};"
        return {"AZURE_STORAGE_CONNECTION_STRING": parts}

    # The emulator has only the interface of HTTP.
    plain = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}
    anonymous = {"endpoint_url": f"http://127.0.0.1:{google}", "token": "anon", "project": "test"}
    away = {**anonymous, "endpoint_url": "http://127.0.0.1:9"}
    cases: dict[str, tuple[str, dict[str, Any], dict[str, str], str]] = {
        "Azure": ("abfs://results/folder", {}, account(KEY), ""),
        "Azure, no container": ("abfs://nobody/x", {}, account(KEY), "StoreNotFound"),
        "Azure, wrong key": ("abfs://results/folder", {}, account("A" * 86 + "=="), "StoreForbidden"),
        "Google": ("gs://results/folder", anonymous, plain, ""),
        "Google, no bucket": ("gs://nobody/x", anonymous, plain, "StoreNotFound"),
        "Google, nobody listens": ("gs://results/x", away, plain, "StoreUnavailable"),
    }
    python, wrong = folder / "bin" / "python3", 0
    emulator = [folder / "bin" / "gcp-storage-emulator", "start", "--host=127.0.0.1", f"--port={google}"]
    azurite = [folder / "node_modules" / ".bin" / "azurite-blob", "--silent", "--inMemoryPersistence"]
    with ExitStack() as stack:
        stack.enter_context(server(google, *emulator, "--in-memory", "--default-bucket=results"))
        stack.enter_context(server(azure, *azurite, "--blobPort", str(azure), "--skipApiVersionCheck"))
        subprocess.run([python, "-c", NEW_CONTAINER], env={**os.environ, **account(KEY)}, check=True)
        for name, (url, options, variables, expected) in cases.items():
            command = [python, "-c", TRY, str(SOURCES), url, json.dumps(options)]
            done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=True)
            found = done.stdout.strip().rpartition("\n")[2]
            wrong += found != expected
            print(f"{'ok' if found == expected else 'WRONG'}: {name}: {found or 'can be used'}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
