"""`DaskJob.spec`, as crds/daskjobs.yaml describes it field by field; here only its shape and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daskjob.api.codec import from_dict


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


@dataclass(frozen=True)
class DaskJobSpec:
    graph: Graph = field(default_factory=Graph)
    cluster: Cluster = field(default_factory=Cluster)
    runner: Component = field(default_factory=Component)
    active_deadline_seconds: int | None = None
    startup_deadline_seconds: int = 600


def parse_spec(data: Any) -> DaskJobSpec:
    """The spec of a DaskJob as the API server stored it (so its schema holds already)."""
    return from_dict(DaskJobSpec, data)
