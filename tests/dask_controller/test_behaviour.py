"""Settings of the launcher: from its environment, and for kopf."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import Any

import kopf
import pytest

from daskjob.api import constants as c
from daskjob.dask_controller import behaviour, connection, new_groups, refusals, replacement
from daskjob.dask_controller.behaviour import Locks, bound_locks, configure_kopf, leave_out_annotations
from daskjob.dask_controller.essence import HandledFields
from daskjob.probes.process_settings import Environment, ProcessSettings


@pytest.mark.parametrize(
    ("environ", "settings"),
    [
        ({}, ProcessSettings((), 8080, "plain", "INFO")),
        ({"DASKJOB_NAMESPACES": ""}, ProcessSettings()),
        ({"DASKJOB_NAMESPACES": "a, b,"}, ProcessSettings(namespaces=("a", "b"))),
        ({"DASKJOB_HEALTH_PORT": "9000"}, ProcessSettings(health_port=9000)),
        ({"DASKJOB_LOG_FORMAT": "JSON"}, ProcessSettings(log_format="json")),
        ({"DASKJOB_LOG_LEVEL": "warning"}, ProcessSettings(log_level="WARNING")),
        ({"DASKJOB_EXCLUDE_NAMESPACES": "a,b"}, ProcessSettings(excluded=("a", "b"))),
    ],
)
def test_environment(environ: dict[str, str], settings: ProcessSettings) -> None:
    assert ProcessSettings.read(Environment(environ)) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DASKJOB_HEALTH_PORT", "http"),
        ("DASKJOB_HEALTH_PORT", "70000"),
        ("DASKJOB_HEALTH_PORT", "-1"),
        ("DASKJOB_LOG_FORMAT", "xml"),
        ("DASKJOB_LOG_LEVEL", "LOUD"),
    ],
)
def test_environment_that_cannot_be(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: .*; give "):
        ProcessSettings.read(Environment({name: value}))


async def test_our_settings_hold_after_their_startup_handler() -> None:
    from dask_kubernetes.operator.controller import controller

    settings = kopf.OperatorSettings()
    await controller.startup(settings=settings)
    configure_kopf(settings, set)
    assert settings.posting.enabled is False
    assert settings.peering.standalone is True
    assert settings.scanning.disabled is True
    assert isinstance(settings.persistence.diffbase_storage, HandledFields)
    assert settings.execution.default_backoff < 60
    assert settings.watching.client_timeout > settings.watching.server_timeout
    assert 0 < settings.networking.request_timeout <= 30


async def test_only_clusters_of_jobs_are_watched() -> None:
    from kopf._cogs.structs.references import Resource

    settings = kopf.OperatorSettings()
    configure_kopf(settings, set)
    for plural in ("daskclusters", "daskworkergroups"):
        resource = Resource(group="kubernetes.dask.org", version="v1", plural=plural)
        matching = [value for selector, value in settings.watching.label_selectors.items() if selector.check(resource)]
        assert matching == ["app.kubernetes.io/managed-by=daskjob-operator"]


def test_both_processes_mean_the_same_annotations_and_labels() -> None:
    assert refusals.REFUSED_ANNOTATION == c.REFUSED_ANNOTATION
    assert replacement.REPLACE_ANNOTATION == c.REPLACE_ANNOTATION
    assert new_groups.GROUP_LABEL == c.DASK_GROUP_LABEL
    assert connection.GROUP_VERSION == c.DASK_API_VERSION
    assert behaviour.LABEL_SELECTOR == c.MANAGED_SELECTOR


def test_groups_have_the_labels_of_their_cluster() -> None:
    """Or our own controller would not see the groups that it made."""
    from dask_kubernetes.operator.controller import controller

    key, value = behaviour.LABEL_SELECTOR.split("=")
    labels = controller._get_labels(kopf.Body({"metadata": {"labels": {key: value}}}).metadata)
    group = controller.build_default_worker_group_spec("a", {"replicas": 1}, {}, labels)
    assert group["metadata"]["labels"][key] == value


async def test_a_lock_lasts_as_long_as_somebody_holds_it() -> None:
    locks = Locks()
    async with locks["a/b"] as _:
        assert locks["a/b"].locked()
        assert not locks["a/c"].locked()
        waiting = asyncio.ensure_future(locks["a/b"].acquire())
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting
    del waiting
    gc.collect()
    assert len(locks) == 0


def test_their_dictionary_of_locks_is_replaced() -> None:
    from dask_kubernetes.operator.controller import controller

    class Copy:
        __name__ = "controller"
        worker_group_scale_locks: Any = controller.worker_group_scale_locks

    bound_locks(Copy)
    assert isinstance(Copy.worker_group_scale_locks, Locks)
    with pytest.raises(RuntimeError, match="has no worker_group_scale_locks"):
        bound_locks(type("Empty", (), {}))


def test_what_one_object_is_told_is_not_copied_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from dask_kubernetes.operator.controller import controller

    ignored = controller._ANNOTATION_NAMESPACES_TO_IGNORE
    monkeypatch.setattr(controller, "_ANNOTATION_NAMESPACES_TO_IGNORE", ignored)
    annotations = {"daskjob.io/refused": "{}", "daskjob.io/replace-workers": "now", "daskjob.io/another": "a", "b": "c"}
    metadata = kopf.Body({"metadata": {"annotations": annotations}}).metadata
    assert controller._get_annotations(metadata) == annotations
    leave_out_annotations(controller)
    assert controller._get_annotations(metadata) == {"daskjob.io/another": "a", "b": "c"}
    with pytest.raises(RuntimeError, match="has no _ANNOTATION_NAMESPACES_TO_IGNORE"):
        leave_out_annotations(type("Empty", (), {}))


@pytest.fixture
def restored_logging() -> Any:
    """Leaves logging as it was."""
    root = logging.getLogger()
    names = ("kopf", "httpx", "httpcore", "aiohttp", "asyncio")
    before = root.level, list(root.handlers), {name: logging.getLogger(name).level for name in names}
    asyncio_logger = logging.getLogger("asyncio")
    kept = asyncio_logger.propagate, list(asyncio_logger.handlers)
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    for name, level in before[2].items():
        logging.getLogger(name).setLevel(level)
    asyncio_logger.propagate, asyncio_logger.handlers[:] = kept


@pytest.mark.usefixtures("restored_logging")
@pytest.mark.parametrize(
    ("level", "kopfs", "requests"),
    [("DEBUG", logging.INFO, logging.WARNING), ("INFO", logging.INFO, logging.WARNING), ("ERROR", 40, 40)],
)
def test_whole_objects_are_never_logged(level: str, kopfs: int, requests: int) -> None:
    behaviour.configure_logging(ProcessSettings(log_level=level))
    assert logging.getLogger("kopf.objects").getEffectiveLevel() == kopfs
    assert logging.getLogger("httpx").getEffectiveLevel() == requests
    assert logging.getLogger("daskjob.controller").getEffectiveLevel() == logging.getLevelName(level)
