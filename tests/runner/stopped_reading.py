"""Writes a job's result into a store, and reads it on a way that stops in the middle of a file, by the Python of the
image with drivers. Reads JSON: `options` of the store, and the address of the `line`."""

from __future__ import annotations

import hashlib
import json
import os
import sys

from daskjob.client import store_reading
from daskjob.client.stored_results import StoredCopy
from daskjob.results.opened_store import open_store

FOLDER = ("team", "one", "u1", "1")


def written(options: dict) -> dict:
    """The job whose result was written."""
    data = os.urandom(1_000_000)
    listed = {"path": "value.pickle", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest = json.dumps({"type": "bytes", "format": "pickle", "files": [listed]}).encode()
    place = open_store("s3://results", options).below(*FOLDER)
    place.write("value.pickle", data)
    place.write("manifest.json", manifest)
    record = {"format": "pickle", "location": place.url, "sha256": hashlib.sha256(manifest).hexdigest()}
    return {
        "metadata": {"namespace": "team", "name": "one", "uid": "u1"},
        "spec": {"result": {"store": {"url": "s3://results", "options": options}}},
        "status": {"result": record},
    }


if __name__ == "__main__":
    given = json.load(sys.stdin)
    copy = StoredCopy(written(given["options"]), {"endpoint_url": given["line"]})
    store_reading.ANSWER_SECONDS = 0.5
    try:
        print(len(list(copy.files())))
    except store_reading.StoredFileError as error:
        print(error)
