"""The operator's settings, from its environment. The chart's values set them; every setting has a default."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daskjob.api.resource_json import from_dict
from daskjob.api.result_spec import Store
from daskjob.lifecycle.enforcement import Policy, read_policies
from daskjob.lifecycle.job.queueing import RunLimits
from daskjob.manifests.context import DEFAULT_SECURITY, Defaults
from daskjob.manifests.pod_judgement import unfit
from daskjob.manifests.words import WORDS
from daskjob.probes.process_settings import Environment, ProcessSettings
from daskjob.schema.crds import load_report_policy
from daskjob.schema.pod_check import check_pod
from daskjob.schema.pod_security import Level

#: The value of DASKJOB_REPORT_POLICY for an installation without the policy, and of DASKJOB_INGRESS for one without
#: NetworkPolicies of jobs.
NO_POLICY = "none"
#: The least value of DASKJOB_UNATTENDED_SECONDS.
SHORTEST_MARGIN = 10
#: Characters of a label's value.
MAX_LABEL = 63


@dataclass(frozen=True)
class Settings:
    """One field per variable `DASKJOB_<NAME>`."""

    #: Namespaces, health port and logs, which the Dask controller has as well.
    process: ProcessSettings = field(default_factory=ProcessSettings)
    #: The namespace of the operator and its Lease.
    operator_namespace: str = "default"
    lease_name: str = "daskjob-operator"
    #: The identity of this process in the election; default: the host's name.
    pod_name: str = field(default_factory=socket.gethostname)
    #: Port of /metrics; 0: none.
    metrics_port: int = 8081
    #: Passes of a kind that run at a time.
    concurrency: int = 10
    #: How many jobs may run at a time, with how many workers, and whose go first; the others wait.
    limits: RunLimits = field(default_factory=RunLimits)
    #: The admission policy on reports, as it was shipped; default: that of crds/, which kubectl installs. None (the
    #: variable is `none`): the installation has no policy, and runners get no token.
    report_policy: Policy | None = field(default_factory=lambda: _report_policy(Environment({})))
    #: Further admission policies of the installation, which the operator watches.
    object_policies: tuple[Policy, ...] = ()
    #: Defaults for every job's pods.
    defaults: Defaults = field(
        default_factory=lambda: Defaults(installation=installation_name("default", "daskjob-operator"))
    )


def installation_name(namespace: str, lease: str) -> str:
    """The name of an installation, as a label's value: replicas have the same, and no other installation has it."""
    return f"{namespace}.{lease}"[:MAX_LABEL].rstrip("-_.")


def read_settings(variables: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings. Raises ValueError, which names the variable, for an invalid one."""
    environment, base = Environment(variables), Settings()
    process = ProcessSettings.read(environment)
    metrics_port = environment.port("METRICS_PORT", base.metrics_port)
    if process.health_port and process.health_port == metrics_port:
        raise ValueError(f"DASKJOB_METRICS_PORT: {metrics_port} is the health port; give another one, or 0 for none")
    concurrency = environment.number("CONCURRENCY", base.concurrency)
    if concurrency < 1:
        raise ValueError(f"DASKJOB_CONCURRENCY: {concurrency} would look at no job; give 1 or more")
    unattended_seconds = environment.number("UNATTENDED_SECONDS", base.defaults.unattended_seconds)
    if unattended_seconds < SHORTEST_MARGIN:
        raise ValueError(
            f"DASKJOB_UNATTENDED_SECONDS: {unattended_seconds} is shorter than what an operator may take to restart; "
            f"give {SHORTEST_MARGIN} or more"
        )
    namespace = environment.text("OPERATOR_NAMESPACE", base.operator_namespace)
    lease = environment.text("LEASE_NAME", base.lease_name)
    level = Level(environment.choice("POD_SECURITY", base.defaults.pod_security, list(Level)))
    return Settings(
        process=process,
        operator_namespace=namespace,
        lease_name=lease,
        pod_name=environment.text("POD_NAME", base.pod_name),
        metrics_port=metrics_port,
        concurrency=concurrency,
        limits=RunLimits(
            total=_limit(environment, "MAX_RUNNING_JOBS"),
            per_namespace=_limit(environment, "MAX_RUNNING_JOBS_PER_NAMESPACE"),
            workers_per_namespace=_limit(environment, "MAX_WORKERS_PER_NAMESPACE"),
            workers_per_job=_limit(environment, "MAX_WORKERS_PER_JOB"),
            classes=_classes(environment, "NAMESPACE_CLASSES"),
        ),
        report_policy=_report_policy(environment),
        object_policies=_policies("OBJECT_POLICIES", environment.objects("OBJECT_POLICIES")),
        defaults=Defaults(
            image=environment.text("DEFAULT_IMAGE") or None,
            image_pull_policy=environment.text("DEFAULT_IMAGE_PULL_POLICY") or None,
            allowed=_allowed(environment),
            allowed_metadata=environment.words("ALLOW_METADATA"),
            pod_security=level,
            security_context=_security_context(environment, level),
            service_accounts=environment.words("SERVICE_ACCOUNTS"),
            image_pull_secrets=environment.words("IMAGE_PULL_SECRETS"),
            cluster_domain=environment.text("CLUSTER_DOMAIN", "cluster.local"),
            unattended_seconds=unattended_seconds,
            installation=installation_name(namespace, lease),
            resources=environment.mapping("RESOURCES", {}),
            tmp_size_limit=environment.text("TMP_SIZE_LIMIT"),
            result_store=_result_store(environment),
            ingress=None if environment.text("INGRESS") == NO_POLICY else environment.objects("INGRESS"),
        ),
    )


def _report_policy(environment: Environment) -> Policy | None:
    """The policy of the variable, a JSON list of policy and binding."""
    name = "REPORT_POLICY"
    if environment.text(name) == NO_POLICY:
        return None
    found = _policies(name, environment.objects(name) or load_report_policy())
    if len(found) != 1:
        raise ValueError(f"DASKJOB_{name}: has {len(found)} policies; give one with its binding, or {NO_POLICY}")
    return found[0]


def _policies(name: str, manifests: Sequence[Mapping[str, Any]]) -> tuple[Policy, ...]:
    try:
        return read_policies(manifests)
    except ValueError as error:
        raise ValueError(f"DASKJOB_{name}: {error}") from None


def _allowed(environment: Environment) -> tuple[str, ...]:
    words = environment.words("ALLOW")
    unknown = next((each for each in words if each not in WORDS), None)
    if unknown is not None:
        raise ValueError(f"DASKJOB_ALLOW: {unknown!r} is unknown; give words of {', '.join(WORDS)}")
    return words


def _result_store(environment: Environment) -> Store | None:
    given = environment.mapping("RESULT_STORE", {})
    if not given:
        return None
    url = given.get("url")
    if not isinstance(url, str) or not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s@?#]+", url):
        raise ValueError(
            "DASKJOB_RESULT_STORE: url must be one of fsspec without user and parameters: s3://bucket/folder"
        )
    try:
        store: Store = from_dict(Store, given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"DASKJOB_RESULT_STORE: {error}") from None
    return store


def _security_context(environment: Environment, level: Level) -> Mapping[str, Any]:
    """The security context of each pod, which must itself fit the level that every pod has to fit."""
    context = environment.mapping("POD_SECURITY_CONTEXT", DEFAULT_SECURITY)
    errors = [(each.path, each.message) for each in check_pod({"securityContext": context}, "").errors]
    fits = f"(pod security level {level}); change the chart's job.podSecurityContext, or job.podSecurity"
    errors = errors or [(each.path, f"{each.message} {fits} to {each.fit}") for each in unfit(context, level)]
    for path, message in errors:
        # The container of which it may be told is the operator's, and fits.
        field = path.partition("securityContext")[2].lstrip(".")
        raise ValueError(f"DASKJOB_POD_SECURITY_CONTEXT: {field} {message}")
    return context


def _limit(environment: Environment, name: str) -> int:
    value = environment.number(name, 0)
    if value < 0:
        raise ValueError(f"DASKJOB_{name}: {value} would let no job run; give 0 for no limit")
    return value


def _classes(environment: Environment, name: str) -> tuple[frozenset[str], ...]:
    """The classes of namespaces: `a,b;c;` is that of a and b, that of c, and that of all others."""
    text = environment.text(name)
    classes = [[word.strip() for word in each.split(",") if word.strip()] for each in text.split(";")] if text else []
    named = [namespace for each in classes for namespace in each]
    if len(classes) == 1:
        raise ValueError(f"DASKJOB_{name}: one class puts no namespace before another; give two or more, or none")
    twice = next((each for each in named if named.count(each) > 1), None)
    if twice is not None:
        raise ValueError(f"DASKJOB_{name}: namespace {twice} is named twice; name it once")
    return tuple(map(frozenset, classes))
