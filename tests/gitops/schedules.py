"""A DaskCronJob in its states."""

from __future__ import annotations

from typing import Any

from .lives import Document, condition

READY = condition("Ready", "True", "Scheduled", "the next job starts at 2026-03-02T06:00:00Z")


def schedule(status: Any = ..., spec: Document | None = None, generation: int = 1, **metadata: Any) -> Document:
    """One in force; without a status if that is None."""
    document = {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskCronJob",
        "metadata": {"name": "nightly", "namespace": "team", "uid": "u", "generation": generation, **metadata},
        "spec": {
            "schedule": "0 6 * * *",
            "jobTemplate": {"spec": {"graph": {"entrypoint": "m:f"}, "cluster": {"image": "i"}}},
            **(spec or {}),
        },
    }
    if status is ...:
        status = in_state(READY)
    return document if status is None else {**document, "status": status}


def in_state(*conditions: Document, **fields: Any) -> Document:
    return {"observedGeneration": 1, "conditions": list(conditions), **fields}
