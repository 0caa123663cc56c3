"""How the controller runs: kopf's settings, its log lines and its locks."""

from __future__ import annotations

import asyncio
import logging
import weakref
from typing import Any

import kopf

from daskjob.dask_controller.essence import HandledFields
from daskjob.probes import process_settings
from daskjob.probes.process_settings import ProcessSettings

#: Clusters of other people may be handled by an operator of dask-kubernetes beside this one. Workers' groups have
#: their cluster's labels.
LABEL_SELECTOR = "app.kubernetes.io/managed-by=daskjob-operator"
WATCHED = ("daskclusters", "daskworkergroups")


def configure_kopf(settings: kopf.OperatorSettings) -> None:
    """Changes `settings` after dask-kubernetes' own startup handler has set its own."""
    process_settings.configure_kopf(settings)
    for resource in WATCHED:
        settings.watching.label_selectors["kubernetes.dask.org", "v1", resource] = LABEL_SELECTOR
    settings.networking.request_timeout = 20
    settings.networking.error_backoffs = [0.2, 0.5, 1, 2, 4, 8, 15, 30, 30, 30, 30]
    settings.persistence.diffbase_storage = HandledFields()
    # Not in the status as well: the definitions have no place for it there.
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage()
    # After an error of a handler; kopf's minute is most of a job.
    settings.execution.default_backoff = 5


def configure_logging(settings: ProcessSettings) -> None:
    """Log lines as asked for; never kopf's own at DEBUG, which hold whole objects, users' code included."""
    process_settings.configure_logging(settings)
    for name in ("kopf", "httpx", "httpcore", "aiohttp"):
        quietest = logging.INFO if name == "kopf" else logging.WARNING
        logging.getLogger(name).setLevel(max(quietest, logging.getLogger().level))


class Locks(weakref.WeakValueDictionary[str, asyncio.Lock]):
    """A lock for each key, kept while somebody holds it.

    In place of the controller's dictionary of locks, which keeps one for every worker group that ever was.
    """

    def __getitem__(self, key: str) -> asyncio.Lock:
        lock: asyncio.Lock | None = self.get(key)
        if lock is None:
            lock = asyncio.Lock()
            self[key] = lock
        return lock


def bound_locks(controller: Any) -> None:
    """Raises `RuntimeError` if the controller's module has no such dictionary."""
    if not hasattr(controller, "worker_group_scale_locks"):
        raise RuntimeError(
            f"{controller.__name__} has no worker_group_scale_locks: install the dask-kubernetes of pyproject.toml"
        )
    controller.worker_group_scale_locks = Locks()
