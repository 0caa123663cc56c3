"""Limits of the parts of a spec that no schema looks into: arguments, keys of a raw graph, pod templates.

The operator, the local run and `daskjob validate` check them. No real job meets them; without them one object takes the
operator's time and memory from all jobs, or leaves no room for its own status.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from daskjob.results.stored_size import text_size
from daskjob.schema.field_error import FieldError, join
from daskjob.schema.json_walk import Step, is_container, walk

#: The most bytes, as `stored_size` counts them, of args, kwargs and keys together; of one template; and of a whole job
#: without its status. etcd takes 1.5 MiB an object, and the largest status needs the rest (test_capacity).
ARGUMENTS, TEMPLATE, JOB = 256 * 1024, 64 * 1024, 640 * 1024
#: The same for the options of a store's driver.
OPTIONS = 16 * 1024
#: How many lists and objects may lie in one another: in one argument or template, and in a manifest as a whole.
DEPTH, MANIFEST_DEPTH = 64, 100
#: Options of the drivers of stores that are secret, at any depth.
SECRET_OPTIONS = frozenset(
    {
        *("key", "secret", "token", "password", "passwd", "account_key", "sas_token", "connection_string"),
        *("client_secret", "credential", "aws_access_key_id", "aws_secret_access_key", "aws_session_token"),
        *("access_key", "access_key_id", "secret_key", "secret_access_key", "private_key", "application_key"),
        *("access_token", "refresh_token", "session_token", "bearer_token", "api_token", "api_key", "apikey"),
        *("authorization", "proxy_authorization", "cookie", "credentials", "passphrase", "pwd", "sas"),
    }
)
#: What is secret in a URL: a password before the host, the parameter with the signature of one that is signed.
_SECRET_URL = re.compile(r"(?i)://[^/?#\s]*:[^/?#\s]*@|[?&](sig|signature|x-amz-signature|token|password)=")
TEMPLATES = (("cluster", "scheduler"), ("cluster", "workers"), ("runner",))
_ELSEWHERE = (
    "put data where the graph can read it (an object store, a volume or a ConfigMap that a template mounts, a file in "
    "the image) and pass its name"
)


def problem_in(spec: Any) -> str | None:
    """The first problem of a DaskJob's spec that its schema cannot find, after the field's path; None: there is none.

    `spec`: as the API server or a file has it; it need not fit the schema. Never raises and never recurses.
    """
    problem = next(problems_in(spec), None)
    return str(problem) if problem is not None else None


def problems_in(spec: Any, path: str = "spec") -> Iterator[FieldError]:
    """All such problems, at most one a part. `path`: the field of the manifest that has the spec."""
    graph = part_of(spec, "graph")
    arguments = {name: graph[name] for name in ("args", "kwargs", "keys") if name in graph}
    flatten = f"flatten it, or pass it as one string of JSON that the entry point decodes, or {_ELSEWHERE}"
    # `arguments` is one level more, and each of args and kwargs another.
    parts = [_problem(arguments, f"{path}.graph", ARGUMENTS, DEPTH + 2, flatten, _ELSEWHERE)]
    for steps in TEMPLATES:
        template, where = part_of(spec, *steps, "template"), ".".join((path, *steps, "template"))
        mounted = "keep files and long texts in a ConfigMap that the template mounts"
        parts.append(_problem(template, where, TEMPLATE, DEPTH, "no field of a pod is so deep", mounted))
    for part in ("result", "report"):
        options, where = part_of(spec, part, "store", "options"), f"{path}.{part}.store.options"
        parts.append(_problem(options, where, OPTIONS, DEPTH, "no option is so deep", "no driver takes so much"))
        parts.append(_secret_option(options, where))
    if any(parts):
        yield from (each for each in parts if each is not None)
        return
    code = f"put code into the image or a ConfigMap; {_ELSEWHERE}"
    if (whole := _problem(spec, path, JOB, MANIFEST_DEPTH, "no field is so deep", code)) is not None:
        yield whole


def _secret_option(options: Mapping[str, Any], path: str) -> FieldError | None:
    """The first option of a store's driver that is secret: who may read a job reads them."""
    for steps, value in walk(options):
        name = steps[-1] if steps else ""
        secret = isinstance(name, str) and name.lower().replace("-", "_") in SECRET_OPTIONS
        if isinstance(value, str) and value and (secret or _SECRET_URL.search(value)):
            message = "is for the Secret of secretRef, as a variable that the driver reads, e.g. AWS_SECRET_ACCESS_KEY"
            return FieldError(_written(path, steps), message)
    return None


def no_room_in(manifest: Mapping[str, Any]) -> str | None:
    """The problem of a job whose spec and metadata, managed fields included, leave no room for its status; None: they
    do. The spec is one in which `problem_in` finds nothing."""
    metadata = manifest.get("metadata")
    size = stored_size(manifest.get("spec")) + stored_size(metadata)
    if size <= JOB:
        return None
    return (
        f"metadata and spec take {size} bytes as JSON, of at most {JOB}, which leaves no room for the status: shorten "
        "annotations, labels or the spec; kubectl apply --server-side keeps no copy of the spec in an annotation"
    )


def too_deep(manifest: Any) -> FieldError | None:
    """The error for a manifest in which a field is deeper than any can be; None: there is none."""
    for steps, _ in walk(manifest):
        if len(steps) > MANIFEST_DEPTH:
            message = f"lies more than {MANIFEST_DEPTH} levels deep; no field of a manifest does"
            return FieldError(_written("", steps), message)
    return None


def too_large(manifest: Any) -> FieldError | None:
    """The error for a manifest that is so large that no other check should look into it; None: it is not."""
    size = 0
    for steps, value in walk(manifest):
        size += _own_size(steps, value)
        if size > 2 * JOB:
            return FieldError("", f"takes more than {2 * JOB} bytes as JSON, of at most {JOB}: {_ELSEWHERE}")
    return None


def stored_size(value: Any) -> int:
    """How many bytes a JSON value takes in etcd as the API server writes it: without blanks, in UTF-8, each of `<`, `>`
    and `&` as six bytes."""
    return sum(_own_size(steps, each) for steps, each in walk(value))


def _problem(part: Any, path: str, most: int, depth: int, flatten: str, elsewhere: str) -> FieldError | None:
    """The first value of a part that is too deep or that JSON does not have, or that the part is too large. `flatten`,
    `elsewhere`: what to do about depth and size."""
    size = 0
    for steps, value in walk(part):
        if len(steps) >= depth and is_container(value):
            return FieldError(_written(path, steps), f"has more than {DEPTH} lists and objects around it: {flatten}")
        if isinstance(value, float) and not math.isfinite(value):
            return FieldError(_written(path, steps), f'{value} is not JSON: write it as a string, "{value}"')
        if any(isinstance(each, str) and _has_surrogate(each) for each in (value, *steps[-1:])):
            message = "has half of a surrogate pair, which is no character: write the character itself"
            return FieldError(_written(path, steps), message)
        size += _own_size(steps, value)
        if size > 2 * most:
            # Counting on would take time from other jobs.
            break
    if size <= most:
        return None
    taken = f"more than {2 * most}" if size > 2 * most else str(size)
    which = f" ({' and '.join(part)})" if path.endswith(".graph") else ""
    return FieldError(path, f"takes {taken} bytes as JSON{which}, of at most {most}: {elsewhere}")


def _own_size(steps: Sequence[Step], value: Any) -> int:
    """The bytes of a value without what is in it, with its key, and the comma or bracket after it."""
    size = 1 if steps else 0
    if steps and isinstance(steps[-1], str):
        size += text_size(steps[-1]) + 1
    if is_container(value):
        return size + (1 if value else 2)
    if isinstance(value, str):
        return size + text_size(value)
    if isinstance(value, int) and value.bit_length() > 64:
        # Python writes no number of many thousand digits.
        return size + value.bit_length() * 3 // 10
    return size + len(str(value))


def _has_surrogate(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def part_of(value: Any, *steps: str) -> Mapping[str, Any]:
    for step in steps:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _written(path: str, steps: Sequence[Step]) -> str:
    """The path with the steps: with the first ten of them, each cut at 60 characters."""
    for step in steps[:10]:
        path = join(path, ascii(step[:60])[1:-1] if isinstance(step, str) else step)
    return path + "…" * (len(steps) > 10)
