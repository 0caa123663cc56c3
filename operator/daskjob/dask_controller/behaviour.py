"""Settings of kopf, log lines and locks of the Dask controller."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable, Container
from typing import Any

import kopf

from daskjob.dask_controller.essence import HandledFields
from daskjob.dask_controller.origin import GROUPS_ANNOTATION
from daskjob.dask_controller.refusals import REFUSED_ANNOTATION
from daskjob.dask_controller.replacement import REPLACE_ANNOTATION
from daskjob.probes import process_settings
from daskjob.probes.process_settings import ProcessSettings

#: Only the operator's clusters: another operator of dask-kubernetes may handle those of other users. A worker group has
#: the labels of its cluster.
LABEL_SELECTOR = "app.kubernetes.io/managed-by=daskjob-operator"
WATCHED = ("daskclusters", "daskworkergroups")
#: Annotations of one object, which dask-kubernetes would copy from a cluster to its worker group, and to pods.
NOT_COPIED = (REFUSED_ANNOTATION, REPLACE_ANNOTATION, GROUPS_ANNOTATION)


def configure_kopf(settings: kopf.OperatorSettings, complete: Callable[[], Container[str]]) -> None:
    """Changes `settings`, after dask-kubernetes' own startup handler has changed them. `complete`: gives the UIDs of
    the clusters whose worker group exists."""
    process_settings.configure_kopf(settings)
    for resource in WATCHED:
        settings.watching.label_selectors["kubernetes.dask.org", "v1", resource] = LABEL_SELECTOR
    settings.networking.request_timeout = 20
    settings.networking.error_backoffs = [0.2, 0.5, 1, 2, 4, 8, 15, 30, 30, 30, 30]
    settings.persistence.diffbase_storage = HandledFields(complete)
    # Annotations only: the CRDs' status has no field for kopf's progress.
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage()
    # Seconds after an error of a handler; kopf's default of a minute is longer than many jobs.
    settings.execution.default_backoff = 5


def configure_logging(settings: ProcessSettings) -> None:
    """Sets format and level of the log. kopf never logs at DEBUG: those lines have whole objects, users' code
    included."""
    process_settings.configure_logging(settings)
    for name in ("kopf", "httpx", "httpcore", "aiohttp"):
        quietest = logging.INFO if name == "kopf" else logging.WARNING
        logging.getLogger(name).setLevel(max(quietest, logging.getLogger().level))


class Locks(weakref.WeakValueDictionary[str, asyncio.Lock]):
    """One lock per key, which exists only while a task uses it.

    It replaces the controller's dictionary of locks, which keeps the lock of every worker group for ever.
    """

    def __getitem__(self, key: str) -> asyncio.Lock:
        lock: asyncio.Lock | None = self.get(key)
        if lock is None:
            lock = asyncio.Lock()
            self[key] = lock
        return lock


def bound_locks(controller: Any) -> None:
    """Replaces the dictionary of locks in dask-kubernetes' module. Raises `RuntimeError` if it has none."""
    if not hasattr(controller, "worker_group_scale_locks"):
        raise RuntimeError(
            f"{controller.__name__} has no worker_group_scale_locks: install the dask-kubernetes of pyproject.toml"
        )
    controller.worker_group_scale_locks = Locks()


def leave_out_annotations(controller: Any) -> None:
    """Makes dask-kubernetes' module copy no annotation of `NOT_COPIED`. Raises `RuntimeError` if it has no list of what
    it does not copy."""
    if not hasattr(controller, "_ANNOTATION_NAMESPACES_TO_IGNORE"):
        raise RuntimeError(
            f"{controller.__name__} has no _ANNOTATION_NAMESPACES_TO_IGNORE: install the dask-kubernetes of "
            "pyproject.toml"
        )
    controller._ANNOTATION_NAMESPACES_TO_IGNORE += NOT_COPIED
