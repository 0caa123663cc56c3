"""Manifests of DaskJobs that are accepted or refused: one table for the offline validator and the real API server."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import yaml


def a_job(spec: str | dict[str, Any] = "{}", **metadata: Any) -> dict[str, Any]:
    """A small valid job; `spec` (YAML text or a mapping) is laid over it field by field."""
    changes = yaml.safe_load(spec) if isinstance(spec, str) else spec
    return {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJob",
        "metadata": {"name": "square-sum"} | metadata,
        "spec": _laid_over({"graph": {"entrypoint": "square_sum:graph"}}, changes),
    }


def _laid_over(base: Any, changes: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return deepcopy(changes)
    return base | {name: _laid_over(base.get(name), each) for name, each in changes.items()}


@dataclass(frozen=True)
class Refused:
    """`field` is where both sides see the mistake, `words` what the message must hold. Both sides say a CEL rule's
    message; for the rest of a schema the server has words of its own, `server`."""

    title: str
    manifest: dict[str, Any]
    field: str
    words: str
    server: str

    def __str__(self) -> str:
        return self.title


def refused(title: str, spec: str, field: str, words: str, server: str = "", **metadata: Any) -> Refused:
    return Refused(title, a_job(spec, **metadata), field, words, server or words)


def plain(path: str) -> str:
    """A path with map keys as fields: the server itself writes them now as `limits[cpu]`, now as `limits.cpu`."""
    return re.sub(r"\[(?!\d+\])([^\]]*)\]", r".\1", path)


ACCEPTED: dict[str, dict[str, Any]] = {
    "smallest": a_job(),
    "name of 40": a_job(name="a" * 40),
    "name of one": a_job(name="a"),
    "name generated": {k: v for k, v in a_job().items() if k != "metadata"} | {"metadata": {"generateName": "sum-"}},
    "labels and annotations": a_job(labels={"a": "b"}, annotations={"c/d": "e"}),
    "saturation": a_job("{cluster: {scheduler: {workerSaturation: '1.5'}}}"),
    "groups": a_job(
        "{cluster: {workers: {replicas: 0}, workerGroups: [{name: gpu, threads: 2, daskResources: {GPU: 1}, "
        "command: cuda, "
        "env: [{name: A, value: b}], preload: [pkg.setup], resources: {limits: {nvidia.com/gpu: 1}}, "
        "template: {metadata: {labels: {a: b}}}}, {name: spot-1, adaptive: {maximum: 9}}, {name: late, replicas: 0}, "
        "{name: big, replicas: 2, minWorkers: 2}]}}"
    ),
    "preloads": a_job("{cluster: {scheduler: {preload: [a, b.c]}, workers: {preload: [_x.y1]}}}"),
    "Dask's resources": a_job("{cluster: {workers: {daskResources: {GPU: 1, memory: '0.5', example.com/x_y-z: 0}}}}"),
    "processes": a_job(
        "{cluster: {workers: {processes: 64, command: worker}, workerGroups: [{name: a, processes: 2}]}}"
    ),
    "infinite saturation": a_job("{cluster: {scheduler: {workerSaturation: inf}}}"),
    "whole saturation": a_job("{cluster: {scheduler: {workerSaturation: 10, resources: {limits: {cpu: 1}}}}}"),
    "deep entry point": a_job("{graph: {entrypoint: 'a_1.b2._c:Outer.build'}}"),
    "any JSON": a_job(
        "{graph: {args: [1, 1.5, 2.0, true, null, text, [1, [2]], {a: {b: null}}], kwargs: {x: null, y: [1.0], z: {}}}}"
    ),
    "largest integers": a_job(f"{{graph: {{args: [{2**63 - 1}, {-(2**63)}]}}}}"),
    "whole floats and huge ones": a_job("{graph: {args: [3.0, -0.0, 1.0e+18, 1.0e+300]}}"),
    "keys": a_job('{graph: {keys: [a, 1, ["x", 0]]}}'),
    "inline": a_job("{graph: {source: {inline: 'graph = 1'}}}"),
    "largest inline": a_job({"graph": {"source": {"inline": "#" * 262144}}}),
    "files": a_job(
        "{graph: {source: {files: {a.py: '', pkg/__init__.py: '', pkg/sub/mod.py: 'x = 1', .hidden: '', a..b: ''}}}}"
    ),
    "ConfigMap": a_job("{graph: {source: {configMap: {name: my.code-1}}}}"),
    "payload": a_job({"graph": {"source": {"payload": {"sha256": "0a" * 32}}}}),
    "cluster null": a_job("{cluster: null, runner: null}"),
    "nulls": a_job("{cluster: {image: null, workers: {replicas: null, adaptive: {minimum: null, maximum: 2}}}}"),
    "null in a map": a_job("{graph: {source: {files: {a.py: 'x', b.py: null}}}}"),
    "null beside a source": a_job("{graph: {source: {inline: x, files: null}}}"),
    "fixed size": a_job("{cluster: {workers: {replicas: 4, threads: 2}}}"),
    "whole float as integer": a_job("{cluster: {workers: {threads: 4.0}}}"),
    "adaptive": a_job("{cluster: {workers: {adaptive: {minimum: 2, maximum: 2}}}}"),
    "adaptive without minimum": a_job("{cluster: {workers: {adaptive: {maximum: 9}}}}"),
    "image": a_job("{cluster: {image: 'localhost:5000/team/dask@sha256:0123', imagePullPolicy: Never}}"),
    "pull secrets": a_job("{cluster: {imagePullSecrets: [{name: a}, {name: b}]}}"),
    "environment": a_job(
        "{cluster: {env: [{name: A}, {name: B, value: ''}, {name: C, valueFrom: {secretKeyRef: {name: s, key: k}}},"
        " {name: D, valueFrom: {fieldRef: {fieldPath: status.podIP}}},"
        " {name: E, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}]}}"
    ),
    "quantities": a_job(
        "{runner: {resources: {limits: {cpu: 2, memory: 1.5Gi, a/b: 0, c: '.5', d: 1e3, e: +1k},"
        " requests: {cpu: 2000m, memory: 1536Mi, other: 1}}}}"
    ),
    "template": a_job(
        "{cluster: {workers: {template: {metadata: {labels: {a.b/c: d}, annotations: {e: f}},"
        " spec: {tolerations: [{operator: Exists}], nodeSelector: {a: b}, anything: [1, null]}}}}}"
    ),
    "deadlines": a_job("{activeDeadlineSeconds: 1, startupDeadlineSeconds: 315360000}"),
}

_NAME = "use lower-case letters, digits and '-', begin with a letter"
_ENTRYPOINT = "write package.module:attribute, e.g. square_sum:graph"
_FILES = "name each file by a relative path such as pkg/mod.py"
_SOURCE = (
    "give exactly one of inline, files, configMap, git, archive and payload; leave source out when the code is in the "
    "image"
)

REFUSED: list[Refused] = [
    # Names
    refused("name of 41", "{}", "metadata.name", "use at most 40 characters", name="a" * 41),
    refused("name begins with a digit", "{}", "metadata.name", _NAME, name="1a"),
    refused("name ends with a dash", "{}", "metadata.name", _NAME, name="a-"),
    refused("name with a dot", "{}", "metadata.name", _NAME, name="a.b"),
    refused("name in capitals", "{}", "metadata.name", _NAME, name="Sum"),
    # Unknown fields
    refused("misspelt", "{cluster: {workers: {replica: 4}}}", "spec.cluster.workers.replica", "did you mean replicas?"),
    refused("wrong case", "{activedeadlineseconds: 4}", "spec.activedeadlineseconds", "mean activeDeadlineSeconds?"),
    refused("one level up", "{image: a/b}", "spec.image", "did you mean spec.cluster.image?"),
    refused(
        "of a pod, beside the template",
        "{cluster: {workers: {nodeSelector: {a: b}}}}",
        "spec.cluster.workers.nodeSelector",
        "did you mean spec.cluster.workers.template.spec.nodeSelector?",
    ),
    refused(
        "of a pod, for all of them",
        "{cluster: {tolerations: []}}",
        "spec.cluster.tolerations",
        "did you mean spec.cluster.workers.template.spec.tolerations?",
    ),
    refused(
        "of a container, in the template",
        "{runner: {template: {envFrom: []}}}",
        "spec.runner.template.envFrom",
        "did you mean spec.runner.template.spec.containers[].envFrom?",
    ),
    refused(
        "of nothing here", "{graph: {zzz: 1}}", "spec.graph.zzz", "here may be entrypoint, args, kwargs, keys, source"
    ),
    refused("in a list", "{cluster: {env: [{name: A, val: b}]}}", "spec.cluster.env[0].val", "did you mean value?"),
    refused("in metadata", "{}", "metadata.labelz", "did you mean labels?", labelz={}),
    refused(
        "in a template's metadata",
        "{runner: {template: {metadata: {name: x}}}}",
        "spec.runner.template.metadata.name",
        "unknown field",
    ),
    # Required
    refused("no graph", "{graph: null}", "spec.graph", "is missing: graph says what to compute", "Required value"),
    refused(
        "no entry point",
        "{graph: {entrypoint: null}}",
        "spec.graph.entrypoint",
        "is missing: entrypoint is",
        "Required",
    ),
    refused(
        "no maximum",
        "{cluster: {workers: {adaptive: {minimum: 2}}}}",
        "spec.cluster.workers.adaptive.maximum",
        "is missing: maximum number of workers",
        "Required value",
    ),
    # The entry point
    refused("no colon", "{graph: {entrypoint: square_sum}}", "spec.graph.entrypoint", _ENTRYPOINT),
    refused("a path", "{graph: {entrypoint: 'a/b.py:graph'}}", "spec.graph.entrypoint", _ENTRYPOINT),
    refused("a call", "{graph: {entrypoint: 'a:b()'}}", "spec.graph.entrypoint", _ENTRYPOINT),
    refused("two colons", "{graph: {entrypoint: 'a:b:c'}}", "spec.graph.entrypoint", _ENTRYPOINT),
    refused("empty", "{graph: {entrypoint: ''}}", "spec.graph.entrypoint", _ENTRYPOINT),
    refused("a line break after it", '{graph: {entrypoint: "a:b\\n"}}', "spec.graph.entrypoint", _ENTRYPOINT),
    refused(
        "not ASCII, which Python would allow", "{graph: {entrypoint: 'é:b'}}", "spec.graph.entrypoint", _ENTRYPOINT
    ),
    refused("a number", "{graph: {entrypoint: 5}}", "spec.graph.entrypoint", 'put it in quotes, "5"', "of type string"),
    refused("args not a list", "{graph: {args: 500}}", "spec.graph.args", "write [500]", "must be of type array"),
    refused(
        "kwargs a list", "{graph: {kwargs: [1]}}", "spec.graph.kwargs", "must be a mapping", "must be of type object"
    ),
    refused("no keys", "{graph: {keys: []}}", "spec.graph.keys", "must not be empty", "at least 1 items"),
    # The source
    refused("two sources", "{graph: {source: {inline: x, configMap: {name: c}}}}", "spec.graph.source", _SOURCE),
    refused("no source", "{graph: {source: {}}}", "spec.graph.source", _SOURCE),
    refused(
        "large inline",
        f"{{graph: {{source: {{inline: {'x' * 262145}}}}}}}",
        "spec.graph.source.inline",
        "give at most 262144",
        "may not be more than 262144",
    ),
    refused("absolute path", "{graph: {source: {files: {/a.py: ''}}}}", "spec.graph.source.files", _FILES),
    refused("path up", "{graph: {source: {files: {a/../b.py: ''}}}}", "spec.graph.source.files", _FILES),
    refused("path of this folder", "{graph: {source: {files: {./b.py: ''}}}}", "spec.graph.source.files", _FILES),
    refused("path of a folder", "{graph: {source: {files: {a/: ''}}}}", "spec.graph.source.files", _FILES),
    refused("path with a blank", "{graph: {source: {files: {a b.py: ''}}}}", "spec.graph.source.files", _FILES),
    refused("empty path", "{graph: {source: {files: {'': ''}}}}", "spec.graph.source.files", _FILES),
    refused("long path", f"{{graph: {{source: {{files: {{{'a' * 201}: ''}}}}}}}}", "spec.graph.source.files", _FILES),
    refused(
        "much in files",
        f"{{graph: {{source: {{files: {{a: {'x' * 262144}, b: {'x' * 262144}, c: x}}}}}}}}",
        "spec.graph.source.files",
        "more than 524288 characters",
    ),
    refused(
        "a file that is a number",
        "{graph: {source: {files: {a.py: 1}}}}",
        "spec.graph.source.files[a.py]",
        'put it in quotes, "1"',
        "must be of type string",
    ),
    refused(
        "ConfigMap's name",
        "{graph: {source: {configMap: {name: My_Code}}}}",
        "spec.graph.source.configMap.name",
        "write the name of a ConfigMap in the job's namespace",
    ),
    refused(
        "payload's digest",
        {"graph": {"source": {"payload": {"sha256": "0A" * 32}}}},
        "spec.graph.source.payload.sha256",
        "write the SHA-256 of the payload: 64 hexadecimal digits in lower case",
    ),
    refused(
        "no digest",
        "{graph: {source: {payload: {}}}}",
        "spec.graph.source.payload.sha256",
        "is missing: sha256 of the payload",
        "Required value",
    ),
    # Templates
    refused(
        "label",
        "{cluster: {scheduler: {template: {metadata: {labels: {a: 'b c'}}}}}}",
        "spec.cluster.scheduler.template.metadata.labels[a]",
        "is malformed",
        "should match",
    ),
    refused(
        "template's spec a list",
        "{runner: {template: {spec: []}}}",
        "spec.runner.template.spec",
        "must be a mapping, not a list",
        "must be of type object",
    ),
    # Deadlines
    refused(
        "no time at all",
        "{activeDeadlineSeconds: 0}",
        "spec.activeDeadlineSeconds",
        "must be at least 1, not 0",
        "greater than or equal to 1",
    ),
    refused(
        "negative start",
        "{startupDeadlineSeconds: -5}",
        "spec.startupDeadlineSeconds",
        "must be at least 1, not -5",
        "greater than or equal to 1",
    ),
    refused(
        "time with a unit",
        "{activeDeadlineSeconds: 5m}",
        "spec.activeDeadlineSeconds",
        'must be a whole number, not the text "5m"',
        "must be of type integer",
    ),
]
