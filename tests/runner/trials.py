"""Tries stores as the runner does, by the Python of the image with drivers; reads and prints JSON."""

from __future__ import annotations

import json
import os
import sys

from daskjob.results.opened_store import StoreProblem, open_store, try_store, within


def trial(case: dict) -> list[str]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update({"AWS_EC2_METADATA_DISABLED": "true", **case["environment"]})

    def work() -> None:
        store = open_store(case["url"], {**case["options"], "skip_instance_cache": True}).below("team", "job")
        content = try_store(store, ".trial-a")
        try_store(store, ".trial-b", f".trial-a:{content}")

    try:
        within(case["seconds"], case["url"], work)
    except StoreProblem as problem:
        return [problem.reason, problem.message]
    return []


if __name__ == "__main__":
    print(json.dumps({name: trial(case) for name, case in json.load(sys.stdin).items()}))
