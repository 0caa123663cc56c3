"""What the pods of scheduler, workers and runner have in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daskjob.api.cluster_spec import Component
from daskjob.errors import SpecError
from daskjob.manifests.accounts import settle_account
from daskjob.manifests.context import AttemptContext
from daskjob.manifests.fetch_container import fetch_container, fetch_volumes, program_volume
from daskjob.manifests.merging import merge
from daskjob.manifests.other_jobs_files import check_no_files
from daskjob.manifests.own_settings import SCRATCH, SCRATCH_PATH, check_variables, hold
from daskjob.manifests.paths import CHECKED_PATH, CODE_PATH, PACKAGES_PATH, RUNNER_PATH, TLS_PATH, copy_of
from daskjob.manifests.pod_files import AUTHORITY, CERTIFICATE, PRIVATE_KEY, tls_volume
from daskjob.manifests.pod_judgement import CONTAINER_SECURITY, judge, with_security
from daskjob.manifests.template import check_template
from daskjob.runner.surroundings import HOME_VARIABLE, PACKAGES_VARIABLE, SCRATCH_VARIABLE

#: The volume with the copies of what was compared with its digests. Code and job file take less than a mebibyte each.
CHECKED = {"name": "checked", "emptyDir": {"sizeLimit": "16Mi"}}
#: How the arguments of a DaskCluster's containers begin, or those of an image's entry point.
DASK_COMMANDS = (
    *(("dask-worker",), ("dask-scheduler",), ("dask-cuda-worker",)),
    *(("dask", "worker"), ("dask", "scheduler"), ("dask", "cuda", "worker")),
)
#: The variable by which user code, on every pod, knows the attempt that it belongs to.
ATTEMPT_VARIABLE = "DASKJOB_ATTEMPT"


@dataclass(frozen=True)
class PodPlan:
    """What differs between the pods of scheduler, workers and runner.

    `container`: name of the container; `path`: the template's field in the manifest, for error messages; `fields`:
    further fields of the container; `pod`: further fields of the pod's spec; `environment`: further variables;
    `variables`: those of a user for this component alone, over those of the whole job.
    """

    component: Component
    container: str
    path: str
    fields: Mapping[str, Any]
    volumes: Collection[Mapping[str, Any]] = ()
    mounts: Collection[Mapping[str, Any]] = ()
    pod: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    variables: Sequence[Any] = ()


def dask_environment(scheduler: str, more: Mapping[str, str]) -> list[dict[str, str]]:
    """The environment variables by which every client of Dask in the job's pods finds the job's scheduler and speaks
    TLS with it, and `more`. `scheduler`: its address."""
    prefix = "DASK_DISTRIBUTED__COMM"
    values = {f"{prefix}__REQUIRE_ENCRYPTION": "true", f"{prefix}__TLS__CA_FILE": f"{copy_of(TLS_PATH)}/{AUTHORITY}"}
    # Without it, dask-kubernetes adds an address without TLS, and with a domain that need not be the cluster's.
    values["DASK_SCHEDULER_ADDRESS"] = scheduler
    # For an address without a protocol.
    values[f"{prefix}__DEFAULT_SCHEME"] = "tls"
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        values[f"{prefix}__TLS__{role}__CERT"] = f"{copy_of(TLS_PATH)}/{CERTIFICATE}"
        values[f"{prefix}__TLS__{role}__KEY"] = f"{TLS_PATH}/{PRIVATE_KEY}"
    # For an image whose user has no home or working folder, or one that is not writable.
    values[HOME_VARIABLE] = values[SCRATCH_VARIABLE] = SCRATCH_PATH
    values["PYTHONUNBUFFERED"] = "1"
    return [{"name": name, "value": value} for name, value in {**values, **more}.items()]


def pod_spec(context: AttemptContext, plan: PodPlan) -> dict[str, Any]:
    """The PodSpec of one component, with the user's template merged over it.

    Raises SpecError for a template that changes the operator's own settings, or asks for what Kubernetes does not have
    or the installation does not allow.
    """
    defaults, source = context.defaults, context.source
    cluster = context.spec.cluster
    image = cluster.image or defaults.image
    check_template(plan.component.template, plan.path, defaults, plan.container, image)
    check_variables(cluster.env, "spec.cluster.env")
    check_no_files(cluster.env, "spec.cluster.env")
    check_variables(plan.variables, f"{plan.path.removesuffix('.template')}.env")
    check_no_files(plan.variables, f"{plan.path.removesuffix('.template')}.env")
    check_no_files(cluster.image_pull_secrets, "spec.cluster.imagePullSecrets")
    check_no_files(plan.component.template.get("spec"), f"{plan.path}.spec")
    code = source.volume(context.names.files) if source is not None else None
    fetches = [each for each in (context.fetch, context.packages) if each is not None]
    packages = context.packages is not None
    # Without fsGroup, the files of a volume belong to root.
    mode = 0o440 if "fsGroup" in defaults.security_context else 0o444
    scheduler = context.names.scheduler_address(defaults.cluster_domain)
    installed = {PACKAGES_VARIABLE: PACKAGES_PATH} if packages else {}
    own = {ATTEMPT_VARIABLE: str(context.attempt.number), **installed, **plan.environment}
    variables = dask_environment(scheduler, own)
    spec: dict[str, Any] = {
        "enableServiceLinks": False,
        "securityContext": dict(defaults.security_context),
        "containers": [
            {
                "name": plan.container,
                "image": image,
                # The user's variables come last: they override the operator's of the same name.
                "env": _merged(variables, cluster.env, plan.variables),
                "resources": dict(resources_of(context, plan.component, plan.container)),
                "securityContext": dict(CONTAINER_SECURITY),
                "volumeMounts": [
                    {"name": "runner", "mountPath": RUNNER_PATH, "readOnly": True},
                    {"name": "tls", "mountPath": TLS_PATH, "readOnly": True},
                    {"name": CHECKED["name"], "mountPath": CHECKED_PATH},
                    {"name": SCRATCH, "mountPath": SCRATCH_PATH},
                    *([{"name": "code", "mountPath": CODE_PATH, "readOnly": True}] if code else []),
                    *([{"name": "packages", "mountPath": PACKAGES_PATH, "readOnly": True}] if packages else []),
                    *plan.mounts,
                ],
                **plan.fields,
            }
        ],
        "volumes": [
            program_volume(context),
            tls_volume(context, mode),
            CHECKED,
            {"name": SCRATCH, "emptyDir": {"sizeLimit": defaults.tmp_size_limit} if defaults.tmp_size_limit else {}},
            *([code] if code else []),
            *(fetch_volumes(fetches, mode) if fetches else ()),
            *plan.volumes,
        ],
        # Kubernetes evicts the pods of a lost node after a minute, not after its default of five.
        "tolerations": [
            {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}
            for key in ("not-ready", "unreachable")
        ],
        **plan.pod,
    }
    policy = cluster.image_pull_policy or defaults.image_pull_policy
    if policy:
        spec["containers"][0]["imagePullPolicy"] = policy
    if context.spec.priority_class_name:
        spec["priorityClassName"] = context.spec.priority_class_name
    for each in fetches:
        check_no_files(each.secret, each.secret_field)
        container = fetch_container(context, each, spec["containers"][0])
        spec["initContainers"] = [*spec.get("initContainers", ()), container]
    pull_secrets = cluster.image_pull_secrets or [{"name": each} for each in defaults.image_pull_secrets]
    if pull_secrets:
        spec["imagePullSecrets"] = list(pull_secrets)
    merged = hold(spec, merge(spec, plan.component.template.get("spec") or {}), plan.container, f"{plan.path}.spec")
    merged = settle_account(merged, spec["volumes"], f"{plan.path}.spec", defaults.service_accounts)
    for kind in ("containers", "initContainers"):
        if kind in merged:
            merged[kind] = [
                with_security(each, defaults.pod_security)
                if kind == "initContainers" or each["name"] != plan.container
                else each
                for each in merged[kind]
            ]
    judge(merged, spec, f"{plan.path}.spec", defaults.allowed, defaults.pod_security)
    for container in merged["containers"]:
        if container["name"] == plan.container:
            _check_args(container, f"{plan.path}.spec.containers[{plan.container}].args")
        if any(each["name"] == "HOME" for each in container.get("env") or ()):
            # The user has chosen one.
            container["env"] = [each for each in container["env"] if each["name"] != HOME_VARIABLE]
    return merged


def _merged(variables: list[dict[str, str]], *theirs: Sequence[Any]) -> Any:
    for each in theirs:
        variables = merge({"env": variables}, {"env": list(each)}, "Container")["env"]
    return variables


def resources_of(context: AttemptContext, component: Component, container: str) -> Mapping[str, Any]:
    """Requests and limits of the component's own container, over which its template is merged: the installation's, if
    neither manifest nor template gives any."""
    # Nobody has checked the template yet: it may have any shape.
    spec = component.template.get("spec")
    containers = spec.get("containers") if isinstance(spec, Mapping) else None
    own = [each for each in containers if isinstance(each, Mapping)] if isinstance(containers, list) else []
    in_template = any(each.get("resources") for each in own if each.get("name") == container)
    return component.resources if component.resources or in_template else context.defaults.resources


def _check_args(container: Mapping[str, Any], path: str) -> None:
    """Raises SpecError for arguments that begin with Dask's command, as those of a DaskCluster do: here they come after
    the operator's command, which has it already."""
    args = [str(each) for each in container.get("args") or ()]
    words = next((" ".join(each) for each in DASK_COMMANDS if args[: len(each)] == [*each]), None)
    if words is not None:
        cuda = "; for dask-cuda, see spec.cluster.workers.command" if "cuda" in words else ""
        raise SpecError(
            path,
            f"are added to the operator's command: leave out {words!r}, and options that the operator sets, such as "
            f"--name{cuda}",
        )


def template_metadata(component: Component) -> dict[str, Any]:
    """Labels and annotations of the user's template, for the pods."""
    metadata = component.template.get("metadata") or {}
    return {kind: dict(metadata.get(kind) or {}) for kind in ("labels", "annotations")}
