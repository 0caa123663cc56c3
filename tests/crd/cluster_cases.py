"""Clusters, worker groups and resources that are refused."""

from __future__ import annotations

from .cases import Refused, refused

_DASK_RESOURCES = "spec.cluster.workers.daskResources"
_AMOUNT = 'write a number of at least 0, a fraction in quotes ("0.5")'
_SATURATED = "spec.cluster.scheduler.workerSaturation"
_SATURATION = 'write a number from 1 to 999999, a fraction in quotes ("1.5"), or inf'
_GROUP = "spec.cluster.workerGroups[0]"
_LIMITS = "spec.cluster.workers.resources.limits"
_QUANTITY = 'write a quantity that is not negative: "500m" or 2 (cpu), 2Gi (memory)'

REFUSED: list[Refused] = [
    # The cluster
    refused("image with a blank", "{cluster: {image: 'a b'}}", "spec.cluster.image", "image reference without blanks"),
    refused("image empty", "{cluster: {image: ''}}", "spec.cluster.image", "or leave image out"),
    refused(
        "pull policy",
        "{cluster: {imagePullPolicy: always}}",
        "spec.cluster.imagePullPolicy",
        "did you mean Always?",
        'supported values: "Always", "IfNotPresent", "Never"',
    ),
    refused(
        "both sizes", "{cluster: {workers: {replicas: 2, adaptive: {maximum: 3}}}}", "spec.cluster.workers", "not both"
    ),
    refused(
        "minimum over maximum",
        "{cluster: {workers: {adaptive: {minimum: 3, maximum: 2}}}}",
        "spec.cluster.workers.adaptive.minimum",
        "make minimum at most maximum",
    ),
    refused(
        "no workers",
        "{cluster: {workers: {replicas: 0}}}",
        "spec.cluster.workers.replicas",
        "write at least 1: only beside workerGroups",
    ),
    refused(
        "negative workers",
        "{cluster: {workers: {replicas: -1}}}",
        "spec.cluster.workers.replicas",
        "must be at least 0, not -1",
        "greater than or equal to 0",
    ),
    refused(
        "workers in quotes",
        "{cluster: {workers: {replicas: '4'}}}",
        "spec.cluster.workers.replicas",
        "write 4 without quotes",
        "must be of type integer",
    ),
    refused(
        "a boolean of workers",
        "{cluster: {workers: {replicas: true}}}",
        "spec.cluster.workers.replicas",
        "must be a whole number, not true",
        "must be of type integer",
    ),
    refused(
        "half a thread",
        "{cluster: {workers: {threads: 1.5}}}",
        "spec.cluster.workers.threads",
        "must be a whole number, not the number 1.5",
        "must be of type integer",
    ),
    refused(
        "no thread",
        "{cluster: {workers: {threads: 0}}}",
        "spec.cluster.workers.threads",
        "must be at least 1",
        "greater than or equal to 1",
    ),
    refused(
        "no process",
        "{cluster: {workers: {processes: 0}}}",
        "spec.cluster.workers.processes",
        "must be at least 1",
        "greater than or equal to 1",
    ),
    refused(
        "more processes than a pod",
        "{cluster: {workerGroups: [{name: a, processes: 65}]}}",
        f"{_GROUP}.processes",
        "must be at most 64",
        "less than or equal to 64",
    ),
    refused(
        "a command of one's own",
        "{cluster: {workerGroups: [{name: a, command: dask-cuda-worker}]}}",
        f"{_GROUP}.command",
        "must be one of worker, cuda",
        'supported values: "worker", "cuda"',
    ),
    refused(
        "a file as a preload",
        "{cluster: {scheduler: {preload: [setup.py]}}}",
        "spec.cluster.scheduler.preload[0]",
        "pkg.setup for the file pkg/setup.py",
    ),
    refused(
        "an address as a preload",
        "{cluster: {workers: {preload: ['http://a/b.py']}}}",
        "spec.cluster.workers.preload[0]",
        "name a module as an import does",
    ),
    refused(
        "a group without a name",
        "{cluster: {workerGroups: [{replicas: 2}]}}",
        f"{_GROUP}.name",
        "is missing",
        "Required",
    ),
    refused(
        "two groups of one name",
        "{cluster: {workerGroups: [{name: a}, {name: b}, {name: a}]}}",
        "spec.cluster.workerGroups[2]",
        'has the same name "a" as item 0',
        "Duplicate value",
    ),
    refused("a group's name", "{cluster: {workerGroups: [{name: Gpu}]}}", f"{_GROUP}.name", "use lower-case letters"),
    refused("default", "{cluster: {workerGroups: [{name: default}]}}", f"{_GROUP}.name", "choose another name"),
    refused(
        "a long name of a group",
        f"{{cluster: {{workerGroups: [{{name: {'a' * 16}}}]}}}}",
        f"{_GROUP}.name",
        "give at most 15",
        "Too long",
    ),
    refused(
        "both sizes of a group",
        "{cluster: {workerGroups: [{name: a, replicas: 2, adaptive: {maximum: 3}}]}}",
        _GROUP,
        "not both",
    ),
    refused(
        "more minWorkers than a group has",
        "{cluster: {workerGroups: [{name: a, minWorkers: 1, adaptive: {maximum: 3}}]}}",
        f"{_GROUP}.minWorkers",
        "make minWorkers at most",
    ),
    refused(
        "more than all workers",
        "{cluster: {workers: {replicas: 4000}, workerGroups: [{name: a, replicas: 4000}, {name: b, replicas: 2001}]}}",
        "spec.cluster.workerGroups",
        "at most 10000 workers, all groups together",
    ),
    refused(
        "nine groups",
        f"{{cluster: {{workerGroups: [{', '.join(f'{{name: {each}}}' for each in 'abcdefghi')}]}}}}",
        "spec.cluster.workerGroups",
        "at most 8",
        "must have at most 8 items",
    ),
    refused(
        "a resource with a blank", "{cluster: {workers: {daskResources: {a b: 1}}}}", _DASK_RESOURCES, "name resources"
    ),
    refused(
        "a resource as two", "{cluster: {workers: {daskResources: {'a=1,b': 1}}}}", _DASK_RESOURCES, "name resources"
    ),
    refused(
        "less than no resource", "{cluster: {workers: {daskResources: {GPU: -1}}}}", f"{_DASK_RESOURCES}[GPU]", _AMOUNT
    ),
    refused("a quantity", "{cluster: {workers: {daskResources: {GPU: 1Gi}}}}", f"{_DASK_RESOURCES}[GPU]", _AMOUNT),
    refused("low saturation", "{cluster: {scheduler: {workerSaturation: 0}}}", _SATURATED, _SATURATION),
    refused("low text of it", "{cluster: {scheduler: {workerSaturation: '0.5'}}}", _SATURATED, _SATURATION),
    refused("high saturation", "{cluster: {scheduler: {workerSaturation: 1000000}}}", _SATURATED, _SATURATION),
    refused("no saturation", "{cluster: {scheduler: {workerSaturation: lots}}}", _SATURATED, _SATURATION),
    refused(
        "bare fraction of it",
        "{cluster: {scheduler: {workerSaturation: 1.5}}}",
        _SATURATED,
        "quotes",
        "must be of type integer",
    ),
    refused(
        "saturation of the workers",
        "{cluster: {workers: {workerSaturation: 2}}}",
        "spec.cluster.workers.workerSaturation",
        "unknown field",
    ),
    refused(
        "dashboard in quotes",
        "{cluster: {dashboard: 'true'}}",
        "spec.cluster.dashboard",
        "write true without quotes",
        "must be of type boolean",
    ),
    refused(
        "variable twice",
        "{cluster: {env: [{name: A}, {name: B}, {name: A}]}}",
        "spec.cluster.env[2]",
        'has the same name "A" as item 0',
        "Duplicate value",
    ),
    refused(
        "variable's value a number",
        "{cluster: {env: [{name: A, value: 1}]}}",
        "spec.cluster.env[0].value",
        'put it in quotes, "1"',
        "must be of type string",
    ),
    refused(
        "variable's name", "{cluster: {env: [{name: 'A=1'}]}}", "spec.cluster.env[0].name", "without '=' or blanks"
    ),
    refused(
        "value twice",
        "{cluster: {env: [{name: A, value: b, valueFrom: {fieldRef: {fieldPath: x}}}]}}",
        "spec.cluster.env[0]",
        "give value or valueFrom, not both",
    ),
    refused(
        "value from nowhere",
        "{cluster: {env: [{name: A, valueFrom: {}}]}}",
        "spec.cluster.env[0].valueFrom",
        "give exactly one of secretKeyRef",
    ),
    # Resources
    refused(
        "no quantity", "{cluster: {workers: {resources: {limits: {memory: lots}}}}}", f"{_LIMITS}[memory]", _QUANTITY
    ),
    refused("bare sign", "{cluster: {workers: {resources: {limits: {memory: 1e}}}}}", f"{_LIMITS}[memory]", _QUANTITY),
    refused("negative", "{cluster: {workers: {resources: {limits: {cpu: -1}}}}}", f"{_LIMITS}[cpu]", _QUANTITY),
    refused("negative text", "{cluster: {workers: {resources: {limits: {cpu: '-1'}}}}}", f"{_LIMITS}[cpu]", _QUANTITY),
    refused(
        "fraction without quotes",
        "{cluster: {workers: {resources: {limits: {cpu: 0.5}}}}}",
        f"{_LIMITS}[cpu]",
        'put it in quotes, "0.5"',
        "must be of type integer,string",
    ),
    refused(
        "request over limit",
        "{runner: {resources: {requests: {cpu: 1, memory: 1Gi}, limits: {cpu: 999m, memory: 1Gi}}}}",
        "spec.runner.resources.requests",
        "lower the request or raise the limit",
    ),
]
