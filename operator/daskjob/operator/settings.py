"""The operator's settings, from its environment. The chart's values set them; each has a default."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daskjob.lifecycle.job.queueing import Limits
from daskjob.manifests.pods import DEFAULT_SECURITY, Defaults

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True)
class Settings:
    """One field a variable `DASKJOB_<NAME>`."""

    #: Namespaces to serve; empty: all.
    namespaces: tuple[str, ...] = ()
    #: Where the operator itself lives, and its Lease.
    operator_namespace: str = "default"
    lease_name: str = "daskjob-operator"
    #: Who this process is, among several of the kind.
    pod_name: str = field(default_factory=socket.gethostname)
    #: Port of /healthz and /readyz; 0: none.
    health_port: int = 8080
    #: Port of /metrics; 0: none.
    metrics_port: int = 8081
    log_format: str = "plain"
    log_level: str = "INFO"
    #: Jobs looked at side by side.
    concurrency: int = 10
    #: How many jobs may run; the others wait.
    limits: Limits = field(default_factory=Limits)
    #: The ValidatingAdmissionPolicy on reports, and its binding.
    policy_name: str = "daskjob-report-writers"
    #: What every job's pods are made with.
    defaults: Defaults = field(default_factory=Defaults)


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings. Raises ValueError, naming the variable, for one that cannot be read."""

    def text(name: str, default: str = "") -> str:
        return environment.get(f"DASKJOB_{name}", "").strip() or default

    def words(name: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in text(name).split(",") if word.strip())

    def number(name: str, default: int) -> int:
        try:
            return int(text(name, str(default)))
        except ValueError:
            raise ValueError(f"DASKJOB_{name}: {text(name)!r} is not a whole number") from None

    def port(name: str, default: int) -> int:
        value = number(name, default)
        if not 0 <= value <= 65535:
            raise ValueError(f"DASKJOB_{name}: {value} is no port; give 1 to 65535, or 0 for none")
        return value

    def limit(name: str) -> int:
        value = number(name, 0)
        if value < 0:
            raise ValueError(f"DASKJOB_{name}: {value} would let no job run; give 0 for no limit")
        return value

    def mapping(name: str, default: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            value = json.loads(text(name)) if text(name) else default
        except ValueError as error:
            raise ValueError(f"DASKJOB_{name}: not JSON: {error}") from None
        if not isinstance(value, Mapping):
            raise ValueError(f"DASKJOB_{name}: must be a JSON object")
        return value

    base = Settings()
    level = text("LOG_LEVEL", base.log_level).upper()
    if level not in LEVELS:
        raise ValueError(f"DASKJOB_LOG_LEVEL: {level!r} is none of {', '.join(LEVELS)}")
    health_port = port("HEALTH_PORT", base.health_port)
    metrics_port = port("METRICS_PORT", base.metrics_port)
    if health_port and health_port == metrics_port:
        raise ValueError(f"DASKJOB_METRICS_PORT: {metrics_port} is the health port; give another one, or 0 for none")
    concurrency = number("CONCURRENCY", base.concurrency)
    if concurrency < 1:
        raise ValueError(f"DASKJOB_CONCURRENCY: {concurrency} would look at no job; give 1 or more")
    limits = Limits(limit("MAX_RUNNING_JOBS"), limit("MAX_RUNNING_JOBS_PER_NAMESPACE"))
    return Settings(
        namespaces=words("NAMESPACES"),
        operator_namespace=text("OPERATOR_NAMESPACE", base.operator_namespace),
        lease_name=text("LEASE_NAME", base.lease_name),
        pod_name=text("POD_NAME", base.pod_name),
        health_port=health_port,
        metrics_port=metrics_port,
        log_format=text("LOG_FORMAT", base.log_format),
        log_level=level,
        concurrency=concurrency,
        limits=limits,
        policy_name=environment.get("DASKJOB_POLICY_NAME", base.policy_name).strip(),
        defaults=Defaults(
            image=text("DEFAULT_IMAGE") or None,
            image_pull_policy=text("DEFAULT_IMAGE_PULL_POLICY") or None,
            allowed=words("ALLOW"),
            security_context=mapping("POD_SECURITY_CONTEXT", DEFAULT_SECURITY),
            cluster_domain=text("CLUSTER_DOMAIN", "cluster.local"),
        ),
    )
