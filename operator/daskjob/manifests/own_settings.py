"""The operator's own settings of a pod: they hold whatever a template makes of it. (`accounts` settles the account and
its token.)

What a template takes away by null is put back; what it sets otherwise is refused.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from daskjob.api.constants import FETCHING
from daskjob.errors import SpecError
from daskjob.schema.field_error import FieldError, join, short_name

#: Fields of the pod, and of the operator's container in it, that a template may not set otherwise.
POD_FIELDS = ("restartPolicy",)
CONTAINER_FIELDS = ("command", "terminationMessagePath", "terminationMessagePolicy")
#: Fields that a template may set, and not take away: without them Kubernetes' own default would count.
RESTORED_POD_FIELDS = ("enableServiceLinks", "terminationGracePeriodSeconds")
RESTORED_CONTAINER_FIELDS = ("image",)
#: The volume at /tmp, to which Dask spills: a template may choose what it is.
SCRATCH, SCRATCH_PATH = "tmp", "/tmp"
_READ_ONLY = ("configMap", "secret", "downwardAPI", "projected", "image")
#: What only the operator mounts at, above and below, beside the mounts themselves.
RESERVED_PATHS = ("/opt/daskjob", "/dev/termination-log")
#: The prefix of the operator's variables.
PREFIX = "DASKJOB_"
#: Dask's settings by which its traffic is encrypted, with the tree above them: Dask takes a whole part of its
#: configuration from one variable, too.
ENCRYPTION = ("distributed", "distributed.comm", "distributed.comm.require-encryption", "distributed.comm.tls")
#: The variable from which Dask takes its whole configuration.
_WHOLE = "DASK_INTERNAL_INHERIT_CONFIG"
_OWN = "is the operator's to set; remove it"


def check_variables(variables: object, path: str) -> None:
    """Raises SpecError for one of a user's variables that the operator sets. `path`: the field that has them."""
    for each in variables if isinstance(variables, list | tuple) else ():
        name = str(each.get("name"))
        if name.startswith(PREFIX):
            raise SpecError(
                f"{path}[{short_name(name)}]", f"names that begin with {PREFIX} are the operator's: choose another one"
            )
        if _is_encryption(name):
            raise SpecError(
                f"{path}[{short_name(name)}]", "is the operator's, for all of Dask's traffic is encrypted; remove it"
            )


def _is_encryption(name: str) -> bool:
    if not name.startswith("DASK_"):
        return False
    if name == _WHOLE:
        return True
    # As Dask reads it: the case does not count, nor which of - and _ it is.
    setting = name.removeprefix("DASK_").lower().replace("__", ".").replace("_", "-")
    return setting in ENCRYPTION or setting.startswith(f"{ENCRYPTION[-1]}.")


def hold(before: Mapping[str, Any], merged: Mapping[str, Any], own: str, path: str) -> dict[str, Any]:
    """The merged spec of a pod, with the operator's settings. Raises SpecError for one that the template sets
    otherwise. `before`: the operator's spec; `own`: the name of the operator's container; `path`: the template's
    spec."""
    spec = {**_held(before, merged, POD_FIELDS, path), **_restored(before, merged, RESTORED_POD_FIELDS)}
    spec["volumes"] = [_volume(each, before, f"{path}.volumes[{short_name(each['name'])}]") for each in spec["volumes"]]
    containers = {each["name"]: each for each in before["containers"]}
    spec["containers"] = [
        _container(containers[own], each, f"{path}.containers[{own}]") if each["name"] == own else each
        for each in spec["containers"]
    ]
    first = {each["name"]: each for each in before.get("initContainers", ())}
    for each in spec.get("initContainers", ()):
        # What one of these says of its end is believed.
        if each["name"] in FETCHING and each["name"] not in first:
            message = "is the name of a container of the operator's, which this pod does not have: choose another one"
            raise SpecError(f"{path}.initContainers[{each['name']}]", message)
    if first:
        spec["initContainers"] = [
            _same(first[each["name"]], each, f"{path}.initContainers[{short_name(each['name'])}]")
            if each["name"] in first
            else each
            for each in spec["initContainers"]
        ]
    return spec


def _held(before: Mapping[str, Any], merged: Mapping[str, Any], names: tuple[str, ...], path: str) -> dict[str, Any]:
    held = dict(merged)
    for name in names:
        if name in before:
            held[name] = _same(before[name], merged.get(name), join(path, name))
        elif merged.get(name):
            raise SpecError(join(path, name), _OWN)
    return held


def _restored(before: Mapping[str, Any], merged: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: before[name] for name in names if name in before and merged.get(name) is None}


def _same(ours: Any, found: Any, path: str) -> Any:
    """`ours`, if nothing was changed in it but taken away. Raises SpecError for another change."""
    if isinstance(ours, Mapping) and isinstance(found, Mapping):
        for name, value in found.items():
            if value is not None and name not in ours:
                raise SpecError(join(path, name), _OWN)
        return {name: _same(value, found.get(name), join(path, name)) for name, value in ours.items()}
    if found is not None and found != ours:
        raise SpecError(path, _OWN)
    return ours


def _volume(volume: Mapping[str, Any], before: Mapping[str, Any], path: str) -> Any:
    ours = next((each for each in before["volumes"] if each["name"] == volume["name"]), None)
    if ours is None:
        return volume
    if volume["name"] != SCRATCH:
        return _same(ours, volume, path)
    kind = next((kind for kind in _READ_ONLY if volume.get(kind) is not None), None)
    if kind is not None:
        raise SpecError(f"{path}.{kind}", "cannot be written to, and Dask writes there: use emptyDir or ephemeral")
    return volume


def _container(ours: Mapping[str, Any], merged: Mapping[str, Any], path: str) -> dict[str, Any]:
    container = {**_held(ours, merged, CONTAINER_FIELDS, path), **_restored(ours, merged, RESTORED_CONTAINER_FIELDS)}
    mounts = {each["mountPath"]: each for each in ours["volumeMounts"]}
    problem = next(_misplaced(container, mounts, path), None)
    if problem is not None:
        raise SpecError(problem.path, problem.message)
    container["volumeMounts"] = [
        _same(mounts[each["mountPath"]], each, f"{path}.volumeMounts[{short_name(each['mountPath'])}]")
        if each["mountPath"] in mounts
        else each
        for each in container["volumeMounts"]
    ]
    return container


def _misplaced(container: Mapping[str, Any], ours: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """The mounts and devices of a user at, above or below a path of the operator's."""
    places = {"volumeMounts": "mountPath", "volumeDevices": "devicePath"}
    given = [
        (each[key], f"{path}.{kind}[{short_name(each[key])}]")
        for kind, key in places.items()
        for each in container.get(kind) or ()
        if kind != "volumeMounts" or not _is_ours(each, ours)
    ]
    for place, where in given:
        at = _plain(place)
        for own in (*RESERVED_PATHS, *map(_plain, ours)):
            below = _is_below(at, own) and own != SCRATCH_PATH
            if at == own or below or _is_below(own, at):
                hint = f", or give the volume {SCRATCH} another source" if own == SCRATCH_PATH else ""
                yield FieldError(where, f"is in the way of {own}, which is the operator's: mount it elsewhere{hint}")


def _is_ours(mount: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether it is one of the operator's mounts: at its path, and not of another volume."""
    own = ours.get(mount["mountPath"])
    return own is not None and mount.get("name") in (None, own["name"])


def _plain(place: str) -> str:
    """A path without detours, as the kubelet takes it. /run and /var/run are one folder in the usual images."""
    plain = posixpath.normpath(f"/{place.lstrip('/')}")
    return f"/var{plain}" if plain == "/run" or plain.startswith("/run/") else plain


def _is_below(place: str, other: str) -> bool:
    return place.startswith(other.rstrip("/") + "/")
