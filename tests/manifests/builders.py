"""Jobs to build manifests from."""

from __future__ import annotations

from typing import Any

from daskjob.api.attempt_names import attempt_name
from daskjob.api.status import Attempt
from daskjob.lifecycle.job.observation import Job
from daskjob.manifests.context import AttemptContext, Defaults
from daskjob.manifests.dask_cluster import dask_cluster
from daskjob.manifests.runner import runner_pod

from ..lifecycle.builders import a_job

DEFAULTS = Defaults(image="localhost/dask:test")
LONGEST = "a" * 40
#: Specs, by where their code comes from.
INLINE = {"graph": {"entrypoint": "pack.age.mod:f", "source": {"inline": "x = 1\n"}}}
FILES = {"graph": {"entrypoint": "m:f", "source": {"files": {"m.py": "a", "pack/__init__.py": "b"}}}}
FROM_MAP = {"graph": {"entrypoint": "m:f", "source": {"configMap": {"name": "mine"}}}}


def job(name: str = "sum", **spec: Any) -> Job:
    return a_job().with_spec(**spec).that_is(name=name).observe().job


def attempt(of: Job, number: int = 1, nonce: str = "") -> Attempt:
    return Attempt(number, attempt_name(of.name, of.uid, number, nonce))


def context(of: Job, defaults: Defaults = DEFAULTS, number: int = 1) -> AttemptContext:
    """What all objects of an attempt are built from."""
    return AttemptContext(of.ref, of.spec, attempt(of, number), defaults)


def pod_specs(of: Job, defaults: Defaults = DEFAULTS) -> dict[str, Any]:
    """The PodSpec of each component."""
    cluster = dask_cluster(context(of, defaults))["spec"]
    runner = runner_pod(context(of, defaults))
    return {"scheduler": cluster["scheduler"]["spec"], "worker": cluster["worker"]["spec"], "runner": runner["spec"]}


def pod_labels(of: AttemptContext, component: str) -> dict[str, str]:
    """Labels of a job's pod. dask-kubernetes gives those of the cluster to the pods of scheduler and workers."""
    made = runner_pod(of) if component == "runner" else dask_cluster(of)
    return dict(made["metadata"]["labels"])


def with_template(component: str, template: Any) -> Job:
    """A job with a template for one of its components."""
    if component == "runner":
        return job(runner={"template": template})
    part = {"scheduler": "scheduler", "worker": "workers"}[component]
    return job(cluster={"image": "i", part: {"template": template}})


def container(spec: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in spec["containers"] if each["name"] == name]
    return found
