"""Checks a pod's spec, or a part of one, by the fields that Kubernetes has: types, names, keys of lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from daskjob.schema.field_error import FieldError, join, short_name
from daskjob.schema.limits import part_of
from daskjob.schema.messages import wrong_type
from daskjob.schema.pod_fields import LIST, MAP, PLAIN, POD, QUANTITY, PodType, misspelt, pod_types, similar
from daskjob.schema.quantity import is_quantity

#: The operator's own containers, by the template's place in a spec.
CONTAINERS = {("cluster", "scheduler"): "scheduler", ("cluster", "workers"): "worker", ("runner",): "runner"}
#: What else a person calls the container of that name.
_ADDED = frozenset({"dask", "container", "main", "pod", "job", "daskjob"})


@dataclass(frozen=True)
class UnknownField:
    """A field that the release of `pod_fields` does not have. A newer one may.

    `path`: as a user writes it, with names of containers and the like in brackets; `server_path`: as the API server
    does, with indexes. `meant`: the path of the field that is surely meant, of which this one is a slip of the keys;
    `nearest`: the path of the most similar one. None: there is none.
    """

    path: str
    server_path: str
    meant: str | None
    nearest: str | None

    def error(self) -> FieldError:
        """That the field does not exist."""
        hint = f": did you mean {self.nearest}?" if self.nearest else " of a pod in Kubernetes: remove it"
        return FieldError(self.path, f"unknown field{hint}")


@dataclass
class PodCheck:
    """`errors`: what no release of Kubernetes takes; `unknown`: fields of which only a cluster can say."""

    errors: list[FieldError] = field(default_factory=list)
    unknown: list[UnknownField] = field(default_factory=list)


def check_pod(spec: Any, path: str) -> PodCheck:
    """Checks a pod's spec as a template or a pod has it; null in an object means that the field is not given.

    `path`: the field that has it. It must not be deeper than `limits.DEPTH`.
    """
    check = PodCheck()
    _Walk(check, path).value(spec, POD, path, "spec")
    return check


def stray_container(spec: Mapping[str, Any], path: str, own: str, image: str | None) -> FieldError | None:
    """The error for a container that nobody can have meant: it has no image and none of the operator's has its name, or
    it would run the image of the job beside the operator's container, without a command. None: there is none.

    `spec`: a pod's spec in which `check_pod` finds no error; `own`: the name of the operator's container; `image`: that
    of the job, None: the installation's default.
    """
    for kind in ("containers", "initContainers"):
        for each in spec.get(kind) or ():
            name, where = each["name"], f"{path}.{kind}[{short_name(each['name'])}]"
            ours = f"the operator's container is named {own}" if kind == "containers" else "the operator has none"
            if kind == "containers" and name == own:
                continue
            if not each.get("image"):
                return FieldError(where, f"has no image, and none of the operator's has this name: {ours}")
            alone = kind == "containers" and not each.get("command") and not each.get("args")
            if alone and (each["image"] == image or _means_ours(name)):
                return FieldError(
                    where,
                    f"would run its image's own entry point beside Dask: {ours}; give a real sidecar a command, or "
                    "another name and image",
                )
    return None


def _means_ours(name: str) -> bool:
    """Whether a container's name is one that other operators and manifests have for scheduler, worker or runner."""
    words = {each.removesuffix("s") for each in name.lower().split("-")} - _ADDED
    return len(words) == 1 and words <= set(CONTAINERS.values())


def template_errors(spec: Any, path: str = "spec") -> Iterator[FieldError]:
    """What is wrong with the pod templates of a DaskJob's spec, without a cluster: what no release of Kubernetes takes,
    fields that are surely misspelt, stray containers. An unknown field that is not near a known one passes, for a newer
    cluster may know it.

    `spec`: one in which `limits.problems_in` finds nothing; it need not fit the schema. `path`: the field that has it.
    """
    image = part_of(spec, "cluster").get("image")
    for steps, own in CONTAINERS.items():
        pod, where = part_of(spec, *steps, "template").get("spec"), ".".join((path, *steps, "template", "spec"))
        if pod is None:
            continue
        check = check_pod(pod, where)
        yield from check.errors
        yield from (each.error() for each in check.unknown if each.meant)
        if not check.errors and (stray := stray_container(pod, where, own, image)) is not None:
            yield stray


class _Walk:
    """`top`: the path of the pod's spec."""

    def __init__(self, check: PodCheck, top: str) -> None:
        self._check = check
        self._top = top

    def value(self, value: Any, kind: str, path: str, server_path: str) -> None:
        if kind.startswith(LIST):
            if self._is(value, list, "array", path):
                for index, each in enumerate(value):
                    self.value(each, kind.removeprefix(LIST), join(path, index), f"{server_path}[{index}]")
        elif kind.startswith(MAP):
            if self._is(value, Mapping, "object", path):
                for name, each in value.items():
                    if each is not None:
                        self.value(each, kind.removeprefix(MAP), f"{path}[{short_name(name)}]", f"{server_path}.{name}")
        elif kind in PLAIN:
            if not _is_plain(value, PLAIN[kind]):
                self._error(path, wrong_type(value, PLAIN[kind]))
            elif kind == QUANTITY and not _is_amount(value):
                self._error(path, 'must be a quantity that is not negative: "500m" or 2 (cpu), 2Gi (memory)')
        elif kind in pod_types() and self._is(value, Mapping, "object", path):
            self._object(value, pod_types()[kind], path, server_path)

    def _object(self, value: Mapping[str, Any], kind: PodType, path: str, server_path: str) -> None:
        for name, each in value.items():
            where, there = join(path, short_name(name)), f"{server_path}.{name}"
            if name not in kind.fields:
                self._check.unknown.append(self._unknown(name, kind, path, where, there))
            elif name in kind.keys:
                self._keyed(each, name, kind, where, there)
            elif each is not None:
                self.value(each, kind.fields[name], where, there)

    def _keyed(self, items: Any, name: str, kind: PodType, path: str, server_path: str) -> None:
        """A list whose items are merged by keys."""
        if not self._is(items, list, "array", path):
            return
        keys = kind.keys[name]
        first = next(iter(keys))
        for index, each in enumerate(items):
            missing = [key for key, default in keys.items() if default is None and not _has(each, key)]
            if isinstance(each, Mapping) and missing:
                ours = f" (ours are: {', '.join(CONTAINERS.values())})" if name == "containers" else ""
                self._error(path, f"each item needs a {missing[0]}{ours}")
                continue
            where = f"{path}[{short_name(str(each[first]))}]" if isinstance(each, Mapping) else join(path, index)
            self.value(each, kind.fields[name].removeprefix(LIST), where, f"{server_path}[{index}]")

    def _unknown(self, name: str, kind: PodType, path: str, where: str, server_path: str) -> UnknownField:
        name = short_name(name)
        meant, nearest = misspelt(name, kind.fields), similar(name, kind.fields)
        near = join(path, nearest) if nearest else None
        if meant is None:
            near = self._indented(name, path) or near or self._elsewhere(name, path)
        return UnknownField(where, server_path, join(path, meant) if meant else None, near)

    def _indented(self, name: str, path: str) -> str | None:
        """The field of this very name elsewhere, if it was written into the pod's spec instead of a container's, or the
        other way round."""
        types, security = pod_types(), ".securityContext"
        if path == f"{self._top}{security}":
            return f"{self._top}.containers[]{security}.{name}" if name in types["SecurityContext"].fields else None
        if path.endswith(security):
            return f"{self._top}{security}.{name}" if name in types["PodSecurityContext"].fields else None
        if path == self._top:
            return f"{self._top}.containers[].{name}" if name in types["Container"].fields else None
        return join(self._top, name) if name in types[POD].fields else None

    def _elsewhere(self, name: str, path: str) -> str | None:
        """The field of that name of the pod's spec; or of a container, if it was written into the pod's spec."""
        types = pod_types()
        if meant := misspelt(name, types[POD].fields):
            return join(self._top, meant)
        meant = misspelt(name, types["Container"].fields) if path == self._top else None
        return f"{self._top}.containers[].{meant}" if meant else None

    def _is(self, value: Any, kind: type, json_type: str, path: str) -> bool:
        if isinstance(value, kind):
            return True
        self._error(path, wrong_type(value, (json_type,)))
        return False

    def _error(self, path: str, message: str) -> None:
        self._check.errors.append(FieldError(path, message))


def _has(item: Any, key: str) -> bool:
    return isinstance(item, Mapping) and item.get(key) not in (None, "")


def _is_amount(value: str | float) -> bool:
    """Whether it is a quantity as pods may have them."""
    if isinstance(value, str):
        return is_quantity(value) and not value.startswith("-")
    return value >= 0


def _is_plain(value: Any, kinds: tuple[str, ...]) -> bool:
    if isinstance(value, bool):
        return "boolean" in kinds
    if isinstance(value, str):
        return "string" in kinds
    if isinstance(value, int | float):
        # The API server stores a float with a whole value as an integer.
        return "number" in kinds or ("integer" in kinds and float(value).is_integer())
    return False
