"""Which of dask-kubernetes' handlers run: one table of those kept, one of those left out; any other is an error.

Left out are the handlers of its DaskJob and autoscaler, those of pods and services (nothing uses
`DaskCluster.status.phase`), and the timers: only these make kopf put finalizers on clusters, and while no controller
runs, a cluster with a finalizer cannot be deleted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import kopf

#: kopf's registries of handlers by purpose, as attributes of `kopf.OperatorRegistry`.
FAMILIES = ("_activities", "_indexing", "_watching", "_spawning", "_changing", "_webhooks")
PACKAGE = "dask_kubernetes"


class UnexpectedRegistry(RuntimeError):
    """The handlers of kopf or dask-kubernetes differ from the tables: to run them could act on the wrong objects."""


@dataclasses.dataclass(frozen=True)
class Trigger:
    """What makes kopf call a handler, as kopf stores it and the tables below name it.

    `family`: one of `FAMILIES` without its underscore; `resource`: the decorator's (`daskcluster`); `cause`: activity
    or reason (`startup`, `create`; "": any); `field`: a dotted path; `value`: the value that the field must get.
    """

    family: str
    resource: str = ""
    cause: str = ""
    field: str = ""
    value: str = ""

    def __str__(self) -> str:
        parts = [self.family, self.resource, self.cause, self.field, self.value and f"= {self.value}"]
        return " ".join(part for part in parts if part)


KEPT: Mapping[str, Trigger] = {
    "startup": Trigger("activities", cause="startup"),
    "daskcluster_create": Trigger("changing", "daskcluster", "create"),
    "daskcluster_create_components": Trigger("changing", "daskcluster", "", "status.phase", "Created"),
    "daskcluster_default_worker_group_replica_update": Trigger("changing", "daskcluster", "", "spec.worker.replicas"),
    "daskworkergroup_create": Trigger("changing", "daskworkergroup", "create"),
    "daskworkergroup_replica_update": Trigger("changing", "daskworkergroup", "", "spec.worker.replicas"),
}
LEFT_OUT: Mapping[str, Trigger] = {
    "noop_startup": Trigger("activities", cause="startup"),
    "now": Trigger("activities", cause="probe"),
    "daskautoscaler_adapt": Trigger("spawning", "daskautoscaler"),
    "daskcluster_autoshutdown": Trigger("spawning", "daskcluster"),
    "handle_scheduler_service_status": Trigger("changing", "service", "", "status"),
    "daskworkergroup_remove": Trigger("changing", "daskworkergroup", "delete"),
    "daskjob_create": Trigger("changing", "daskjob", "create"),
    "daskjob_create_components": Trigger("changing", "daskjob", "", "status.jobStatus", "JobCreated"),
    "handle_runner_status_change_running": Trigger("changing", "pod", "", "status.phase", "Running"),
    "handle_runner_status_change_succeeded": Trigger("changing", "pod", "", "status.phase", "Succeeded"),
    "handle_runner_status_change_failed": Trigger("changing", "pod", "", "status.phase", "Failed"),
    "daskautoscaler_create": Trigger("changing", "daskautoscaler", "create"),
}
#: The create handler calls this one itself: for a new group kopf would call it a second time.
ON_CHANGE_ONLY = "daskworkergroup_replica_update"


@dataclasses.dataclass(frozen=True)
class Selection:
    """A registry to run, and the names (with triggers) of the handlers that are in it and of those that are not."""

    registry: kopf.OperatorRegistry
    kept: tuple[str, ...]
    left_out: tuple[str, ...]
    foreign: tuple[str, ...]


def handled_before(*, old: object | None, **_: Any) -> bool:
    """Whether kopf has handled the object before: False for a new one."""
    return old is not None


def select(source: kopf.OperatorRegistry) -> Selection:
    """A new registry with the handlers of `KEPT`, in the order of `source`, which does not change.

    It leaves out handlers of other packages (kopf's logins, plugins of dask-kubernetes) and lists them as `foreign`.
    Raises `UnexpectedRegistry` unless the handlers of dask-kubernetes, with their triggers, are those of the two
    tables.
    """
    target = kopf.OperatorRegistry()
    found: dict[str, Trigger] = {}
    kept, left_out, foreign, problems = [], [], [], []
    for family, handler in _handlers(source):
        name = str(handler.id).split("/", 1)[0]
        if getattr(handler.fn, "__module__", "").split(".", 1)[0] != PACKAGE:
            foreign.append(name)
            continue
        trigger = _trigger(family, handler)
        expected = KEPT.get(name) or LEFT_OUT.get(name)
        if expected is None:
            problems.append(f"{name} ({trigger}) is not known")
        elif expected != trigger:
            problems.append(f"{name} runs on '{trigger}', not on '{expected}'")
        elif name in found:
            problems.append(f"{name} is registered twice")
        found[name] = trigger
        if name not in KEPT:
            left_out.append(f"{name} ({trigger})")
            continue
        kept.append(f"{name} ({trigger})")
        if name == ON_CHANGE_ONLY:
            if handler.when is not None:
                problems.append(f"{name} has a condition of its own (when=)")
            handler = dataclasses.replace(handler, when=handled_before)
        getattr(target, family).append(handler)
    problems += [f"{name} ({KEPT[name]}) is missing" for name in KEPT if name not in found]
    if problems:
        raise UnexpectedRegistry(
            f"the installed {PACKAGE} is not one that this version can run: {'; '.join(problems)}. "
            "Install the versions that pyproject.toml names (extra dask-controller), or set the chart's "
            "daskController.enabled=false and run dask-kubernetes' own operator."
        )
    return Selection(target, tuple(kept), tuple(left_out), tuple(foreign))


def _handlers(source: kopf.OperatorRegistry) -> Iterator[tuple[str, Any]]:
    """Every handler, with its family. Raises `UnexpectedRegistry` if kopf's registry has other families."""
    if sorted(vars(source)) != sorted(FAMILIES):
        raise UnexpectedRegistry(
            f"kopf's registry has {', '.join(sorted(vars(source)))} where {', '.join(sorted(FAMILIES))} are expected: "
            "install the kopf that pyproject.toml names (extra dask-controller)."
        )
    for family in FAMILIES:
        for handler in getattr(source, family).get_all_handlers():
            yield family, handler


def _trigger(family: str, handler: Any) -> Trigger:
    selector = getattr(handler, "selector", None)
    cause = getattr(handler, "activity", None) or getattr(handler, "reason", None)
    return Trigger(
        family=family.lstrip("_"),
        resource=str(selector.any_name) if selector else "",
        cause=str(getattr(cause, "value", cause) or ""),
        field=".".join(getattr(handler, "field", None) or ()),
        value=str(getattr(handler, "new", None) or ""),
    )
