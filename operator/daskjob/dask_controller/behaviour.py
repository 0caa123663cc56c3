"""How the controller runs: what its environment says, and kopf's settings."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import kopf

from daskjob.dask_controller.essence import HandledFields

#: Clusters of other people may be handled by an operator of dask-kubernetes beside this one. Workers' groups have
#: their cluster's labels.
LABEL_SELECTOR = "app.kubernetes.io/managed-by=daskjob-operator"
WATCHED = ("daskclusters", "daskworkergroups")


@dataclass(frozen=True)
class ControllerSettings:
    """What the process reads of its environment.

    `namespaces`     DASKJOB_NAMESPACES, separated by commas; empty (default): all namespaces
    `health_port`    DASKJOB_HEALTH_PORT, of /healthz and /readyz, default 8080; 0: none
    `log_format`     DASKJOB_LOG_FORMAT, json or plain (default)
    `log_level`      DASKJOB_LOG_LEVEL, a name of Python's logging, default INFO
    """

    namespaces: tuple[str, ...] = ()
    health_port: int = 8080
    log_format: str = "plain"
    log_level: str = "INFO"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> ControllerSettings:
        """Raises `ValueError` naming the variable, what it holds and what it may hold."""
        port = environ.get("DASKJOB_HEALTH_PORT", "") or "8080"
        if not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"DASKJOB_HEALTH_PORT is {port!r}: give a port number, e.g. 8080, or 0 for none")
        log_format = (environ.get("DASKJOB_LOG_FORMAT", "") or "plain").lower()
        if log_format not in ("json", "plain"):
            raise ValueError(f"DASKJOB_LOG_FORMAT is {log_format!r}: give json or plain")
        log_level = (environ.get("DASKJOB_LOG_LEVEL", "") or "INFO").upper()
        if log_level not in logging.getLevelNamesMapping():
            raise ValueError(f"DASKJOB_LOG_LEVEL is {log_level!r}: give DEBUG, INFO, WARNING or ERROR")
        names = (name.strip() for name in environ.get("DASKJOB_NAMESPACES", "").split(","))
        return cls(tuple(name for name in names if name), int(port), log_format, log_level)


def configure_kopf(settings: kopf.OperatorSettings) -> None:
    """Changes `settings` after dask-kubernetes' own startup handler has set its own."""
    settings.posting.enabled = False
    settings.peering.standalone = True
    # The resources are known and there when this runs: no watch of definitions and namespaces, and no rights on them.
    settings.scanning.disabled = True
    for resource in WATCHED:
        settings.watching.label_selectors["kubernetes.dask.org", "v1", resource] = LABEL_SELECTOR
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 5
    settings.networking.request_timeout = 20
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = [0.2, 0.5, 1, 2, 4, 8, 15, 30, 30, 30, 30]
    settings.persistence.diffbase_storage = HandledFields()
    # Not in the status as well: the definitions have no place for it there.
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage()
    # After an error of a handler; kopf's minute is most of a job.
    settings.execution.default_backoff = 5
    settings.process.ultimate_exiting_timeout = 20


def configure_logging(settings: ControllerSettings) -> None:
    """Log lines in the format asked for; never kopf's own at DEBUG, which hold whole objects, users' code included."""
    kopf.configure(log_format=kopf.LogFormat.JSON if settings.log_format == "json" else kopf.LogFormat.FULL)
    logging.getLogger().setLevel(settings.log_level)
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
