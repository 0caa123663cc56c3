"""What a caller says about a job beside its code, and the manifest that comes of it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from types import ModuleType
from typing import Any, TypedDict

from daskjob.api import constants as c
from daskjob.api.cluster_spec import DEFAULT_GROUP
from daskjob.api.env_sources import is_env_source, with_env_sources

#: Longer names of functions are cut: a job's name has 40 characters, of which five are drawn.
NAME_LENGTH = 34


class JobOptions(TypedDict, total=False):
    """Options of `connect`, `with_options` and `job`; what comes later counts. Times in seconds, or as timedelta."""

    #: Name of the job. Default: made of the function's name and five letters.
    name: str
    #: Begin of the name, to which five letters are added.
    generate_name: str
    #: Image for scheduler, workers and runner. Default: that of the operator's installation.
    image: str
    #: How many workers, or `spec.cluster.workers` as a mapping, or a list of groups with a `name` each
    #: (`spec.cluster.workerGroups`); the one named `default` is `spec.cluster.workers`. Default 1.
    workers: int | Mapping[str, Any] | Sequence[Mapping[str, Any]]
    #: Threads of each worker; of groups, those of the one named `default`. Default 1.
    threads: int
    #: Resources of each worker: `{"limits": {"memory": "2Gi"}}`. Default: those of the operator's installation.
    resources: Mapping[str, Any]
    #: Environment variables of scheduler, workers and runner. Default none.
    env: Mapping[str, str]
    #: Secrets and ConfigMaps of the namespace whose keys are environment variables of scheduler, workers and runner, as
    #: `kubectl set env --from` names them: `["secret/database", "configmap/settings"]`. Default none.
    env_from: Sequence[str]
    #: Packages that pip installs in each pod, as it takes them, or `spec.graph.pip` as a mapping. Default none.
    pip: Sequence[str] | Mapping[str, Any]
    #: Where the result is kept: a URL of fsspec, or `spec.result.store` as a mapping. Default: in the job's status.
    store: str | Mapping[str, Any]
    #: Where logs, trace and performance report of each attempt are kept: a URL of fsspec, or `spec.report` as a mapping
    #: ({}: in the store of the result). Default: nowhere.
    report: str | Mapping[str, Any]
    #: Modules that the image does not have: they are pickled with the function.
    by_value: Sequence[ModuleType]
    #: `backoffLimit`: attempts after a failure of the code. Default 0.
    retries: int
    #: `activeDeadlineSeconds`: how long the job may take, all attempts together. Default: any time.
    deadline: float | timedelta
    #: `ttlSecondsAfterFinished`. Default: the job is kept until it is deleted.
    ttl: float | timedelta | None
    #: Among the waiting jobs of the namespace: higher first. Default 0.
    priority: int
    #: Of the job. Default none.
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    #: Any other fields of `spec`; merged last.
    spec: Mapping[str, Any]


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    return isinstance(value, timedelta | float) or _is_number(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


#: What options take that the API server would not refuse by itself in words of Python.
_WANTED: Mapping[str, tuple[tuple[Callable[[Any], bool], ...], str]] = {
    **dict.fromkeys(("name", "generate_name", "image"), ((_is_text,), "a text")),
    "workers": ((_is_number, _is_mapping, _is_list), "a whole number, a mapping, or a list of groups"),
    **dict.fromkeys(("threads", "retries", "priority"), ((_is_number,), "a whole number")),
    **dict.fromkeys(("resources", "env", "labels", "annotations", "spec"), ((_is_mapping,), "a mapping")),
    "pip": ((_is_mapping, _is_list), 'a list, such as ["lightgbm==4.6.0"], or a mapping'),
    "env_from": ((_is_list,), 'a list, such as ["secret/database"]'),
    **dict.fromkeys(("store", "report"), ((_is_text, _is_mapping), "a URL, such as s3://bucket/folder, or a mapping")),
    "by_value": ((_is_list,), "a list of modules, such as [my_module]"),
    **dict.fromkeys(("deadline", "ttl"), ((_is_time,), "seconds or a timedelta")),
}


def check_options(options: Mapping[str, Any]) -> None:
    """Raises TypeError for an option that there is not, or that has no value that it can have."""
    known = JobOptions.__annotations__
    unknown = [each for each in options if each not in known]
    if unknown:
        raise TypeError(f"there is no option {unknown[0]!r}; there are {', '.join(known)}")
    for name, value in options.items():
        kinds, wanted = _WANTED[name]
        if value is not None and not any(is_one(value) for is_one in kinds):
            raise TypeError(f"option {name}: {wanted} was expected, and it is the {type(value).__name__} {value!r:.80}")
    odd = next((each for each in options.get("by_value") or () if not isinstance(each, ModuleType)), None)
    if odd is not None:
        raise TypeError(f"option by_value: modules were expected, and {odd!r:.80} is none: import it, and give itself")
    odd = next((each for each in options.get("env_from") or () if not is_env_source(each)), None)
    if odd is not None:
        raise TypeError(f"option env_from: write secret/NAME or configmap/NAME, and not {odd!r:.80}")


def manifest_of(options: JobOptions, label: str, sha256: str) -> dict[str, Any]:
    """The DaskJob of a payload. `label`: what people see as its entry point."""
    given: Mapping[str, Any] = {**options}
    more = {key: given[key] for key in ("threads", "resources") if given.get(key) is not None}
    workers = given.get("workers")
    cluster = _cluster(1 if workers is None else workers, more)
    if options.get("image"):
        cluster["image"] = options["image"]
    if options.get("env"):
        cluster["env"] = [{"name": name, "value": str(value)} for name, value in options["env"].items()]
    spec: dict[str, Any] = {
        "graph": {"entrypoint": label, "source": {"payload": {"sha256": sha256}}},
        "cluster": cluster,
    }
    if options.get("pip"):
        pip = options["pip"]
        spec["graph"]["pip"] = dict(pip) if isinstance(pip, Mapping) else {"packages": list(pip)}
    if options.get("store"):
        store = options["store"]
        spec["result"] = {"store": {"url": store} if isinstance(store, str) else dict(store)}
    if options.get("report") is not None:
        report = options["report"]
        spec["report"] = {"store": {"url": report}} if isinstance(report, str) else dict(report)
    for option, name in (("retries", "backoffLimit"), ("priority", "priority")):
        if given.get(option) is not None:
            spec[name] = given[option]
    for option, name in (("deadline", "activeDeadlineSeconds"), ("ttl", "ttlSecondsAfterFinished")):
        if given.get(option) is not None:
            spec[name] = _seconds(given[option])
    return {
        "apiVersion": c.API_VERSION,
        "kind": "DaskJob",
        "metadata": metadata_of(options, label),
        "spec": with_env_sources(_merged(spec, options.get("spec") or {}), options.get("env_from") or ()),
    }


def _cluster(workers: Any, more: Mapping[str, Any]) -> dict[str, Any]:
    """`spec.cluster`, as far as it says which workers there are. `more`: further fields of the default group."""
    if isinstance(workers, int):
        return {"workers": {"replicas": workers, **more}}
    if isinstance(workers, Mapping):
        return {"workers": {**workers, **more}}
    groups = [dict(each) for each in workers]
    if not all("name" in each for each in groups):
        raise TypeError("workers: each group of a list needs a name")
    default: dict[str, Any] = next((each for each in groups if each["name"] == DEFAULT_GROUP), {"replicas": 0})
    own = {key: value for key, value in default.items() if key != "name"}
    return {
        "workers": {**own, **more},
        "workerGroups": [each for each in groups if each is not default],
    }


def metadata_of(options: JobOptions, label: str) -> dict[str, Any]:
    """Name, labels and annotations."""
    metadata: dict[str, Any] = {each: dict(options[each]) for each in ("labels", "annotations") if options.get(each)}
    if options.get("name"):
        return {"name": options["name"], **metadata}
    return {"generateName": options.get("generate_name") or f"{_name(label)}-", **metadata}


def _name(label: str) -> str:
    words = re.sub("[^a-z0-9]+", "-", label.rpartition(":")[2].rpartition(".")[2].lower()).strip("-")
    return (words if words[:1].isalpha() else f"job-{words}".rstrip("-"))[:NAME_LENGTH].rstrip("-")


def _seconds(value: Any) -> int:
    """Whole seconds, rounded up: half a second is not none."""
    return math.ceil(value.total_seconds() if isinstance(value, timedelta) else value)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
        found[key] = _merged(found[key], value) if both else value
    return found
