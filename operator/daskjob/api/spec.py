"""`DaskJob.spec`, as crds/daskjobs.yaml describes it field by field; here only its shape and defaults."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daskjob.api.codec import from_dict
from daskjob.api.constants import MANAGED_BY, RetryAction, RunPolicy

#: The key of the worker group that `cluster.workers` describes.
DEFAULT_GROUP = "default"


@dataclass(frozen=True)
class ConfigMapSource:
    name: str = ""


@dataclass(frozen=True)
class Source:
    """Where the code is; exactly one is set. No source at all: the code is in the image."""

    inline: str | None = None
    files: Mapping[str, Any] | None = None
    config_map: ConfigMapSource | None = None


@dataclass(frozen=True)
class Graph:
    entrypoint: str = ""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    keys: tuple[Any, ...] = ()
    source: Source | None = None

    @property
    def module(self) -> str:
        """The module that the entry point names."""
        return self.entrypoint.partition(":")[0]


@dataclass(frozen=True)
class Component:
    """What scheduler, workers and runner have in common."""

    resources: Mapping[str, Any] = field(default_factory=dict)
    template: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Adaptive:
    minimum: int = 1
    maximum: int = 1


@dataclass(frozen=True)
class Workers(Component):
    replicas: int | None = None
    adaptive: Adaptive | None = None
    threads: int = 1
    #: The graph starts when so many are connected.
    min_workers: int = 1

    @property
    def initial(self) -> int:
        """How many workers a cluster starts with."""
        if self.adaptive is not None:
            return self.adaptive.minimum
        return 1 if self.replicas is None else self.replicas


@dataclass(frozen=True)
class Cluster:
    image: str | None = None
    image_pull_policy: str | None = None
    image_pull_secrets: tuple[Any, ...] = ()
    env: tuple[Any, ...] = ()
    dashboard: bool = True
    scheduler: Component = field(default_factory=Component)
    workers: Workers = field(default_factory=Workers)

    @property
    def worker_groups(self) -> Mapping[str, Workers]:
        """The worker groups by key. There is one today."""
        return {DEFAULT_GROUP: self.workers}


@dataclass(frozen=True)
class Backoff:
    """The pause before the next attempt, in seconds: doubled each time, with jitter, up to the maximum."""

    initial_seconds: int = 10
    maximum_seconds: int = 300


@dataclass(frozen=True)
class ExitCodes:
    operator: str = "In"
    values: tuple[int, ...] = ()


@dataclass(frozen=True)
class FailureRule:
    """Applies if all that is given matches the failure."""

    action: RetryAction = RetryAction.FAIL
    on_reasons: tuple[str, ...] = ()
    on_exit_codes: ExitCodes | None = None
    on_exception_types: tuple[str, ...] = ()
    #: Regular expression (RE2), to be found anywhere in the message.
    on_message_pattern: str | None = None


@dataclass(frozen=True)
class FailurePolicy:
    rules: tuple[FailureRule, ...] = ()


@dataclass(frozen=True)
class Cleanup:
    """How long the cluster is kept after the end, in seconds, by outcome."""

    after_success_seconds: int = 0
    after_failure_seconds: int = 0


@dataclass(frozen=True)
class DaskJobSpec:
    # What is computed, and with what: the run. The rest may be changed at any time.
    graph: Graph = field(default_factory=Graph)
    cluster: Cluster = field(default_factory=Cluster)
    runner: Component = field(default_factory=Component)
    priority_class_name: str | None = None

    active_deadline_seconds: int | None = None
    attempt_deadline_seconds: int | None = None
    startup_deadline_seconds: int = 600
    stall_timeout_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None
    backoff_limit: int = 0
    infrastructure_retries: int = 3
    backoff: Backoff = field(default_factory=Backoff)
    failure_policy: FailurePolicy | None = None
    suspend: bool = False
    cancel: bool = False
    cleanup: Cleanup = field(default_factory=Cleanup)
    run_policy: RunPolicy = RunPolicy.ONCE
    priority: int = 0
    managed_by: str = MANAGED_BY


def parse_spec(data: Any) -> DaskJobSpec:
    """The spec of a DaskJob as the API server stored it (so its schema holds already)."""
    return from_dict(DaskJobSpec, data)


def digest(spec: DaskJobSpec) -> str:
    """A fingerprint of the run that a spec asks for (16 hexadecimal digits).

    What has its default counts as not given: a field that a later version adds changes no fingerprint.
    """
    run = {"graph": spec.graph, "cluster": spec.cluster, "runner": spec.runner, "class": spec.priority_class_name}
    text = json.dumps({name: _given(value) for name, value in run.items()}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _given(value: Any) -> Any:
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    plain = type(value)()
    names = [each.name for each in dataclasses.fields(value)]
    return {name: _given(getattr(value, name)) for name in names if getattr(value, name) != getattr(plain, name)}
