"""Judges a pod as the Pod Security Standards do, at their newest version.

Each control is a row of `CONTROLS`, or one of the functions after it where a value counts that is not given. A test
compares the verdicts with those of a real API server.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from daskjob.schema.field_error import join, short_name, shown


class Level(StrEnum):
    """The standard's levels, the strictest first."""

    RESTRICTED = "restricted"
    BASELINE = "baseline"
    PRIVILEGED = "privileged"


@dataclass(frozen=True)
class Violation:
    """`path`: the field; `message`: what the level asks of it; `fit`: the strictest level that takes the value;
    `control`: the field without names and indexes, as in `CONTROLS`."""

    path: str
    message: str
    fit: Level
    control: str


@dataclass(frozen=True)
class Control:
    """A field whose values are bounded. Where it is not given, it is within the bounds.

    `field`: below the pod's spec or a container, `[]` for each item of a list; `level`: the least strict level that
    bounds it; `pod`, `containers`: whether the pod's spec and its containers have it; `allowed`: the values; `must`:
    what is asked for.
    """

    field: str
    level: Level
    allowed: Collection[Any] | Callable[[Any], bool]
    must: str
    pod: bool = False
    containers: bool = False

    def takes(self, value: Any) -> bool:
        return self.allowed(value) if callable(self.allowed) else value in self.allowed


#: The capabilities that container runtimes give by default.
CAPABILITIES = (
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
    *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)
#: Parameters of the kernel that belong to the pod alone.
SYSCTLS = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
)
SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
PROFILES = ("RuntimeDefault", "Localhost")
#: Kinds of volumes that the level restricted takes; `name` is none.
VOLUMES = (
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected"),
    "secret",
)
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
#: Where a host may stand that the kubelet asks, from the node's network.
HOSTS = tuple(
    f"{handler}.{kind}.host"
    for handler in (*PROBES, "lifecycle.postStart", "lifecycle.preStop")
    for kind in ("httpGet", "tcpSocket")
)
#: Lists whose items a path names by this field, as `check_pod` does, and not by their index.
_KEYS = {"ports": "containerPort", "volumes": "name"}
_B, _R = Level.BASELINE, Level.RESTRICTED

CONTROLS: tuple[Control, ...] = (
    *(Control(name, _B, (False,), "must not be true", pod=True) for name in ("hostNetwork", "hostPID", "hostIPC")),
    Control("securityContext.windowsOptions.hostProcess", _B, (False,), "must not be true", pod=True, containers=True),
    Control("securityContext.privileged", _B, (False,), "must not be true", containers=True),
    Control(
        "securityContext.capabilities.add[]",
        _B,
        CAPABILITIES,
        f"must be one of {', '.join(CAPABILITIES)}",
        containers=True,
    ),
    Control("ports[].hostPort", _B, (0,), "must not be given", containers=True),
    *(Control(field, _B, ("",), "must not be given", containers=True) for field in HOSTS),
    *(
        Control(
            f"securityContext.{name}.type", _B, PROFILES, "must be RuntimeDefault or Localhost", True, containers=True
        )
        for name in ("appArmorProfile", "seccompProfile")
    ),
    Control(
        "securityContext.seLinuxOptions.type",
        _B,
        SELINUX_TYPES,
        f"must be one of {', '.join(SELINUX_TYPES[1:])}",
        pod=True,
        containers=True,
    ),
    *(
        Control(f"securityContext.seLinuxOptions.{name}", _B, ("",), "must not be given", pod=True, containers=True)
        for name in ("user", "role")
    ),
    Control("securityContext.procMount", _B, ("Default",), "must be Default", containers=True),
    Control("securityContext.sysctls[].name", _B, SYSCTLS, f"must be one of {', '.join(SYSCTLS)}", pod=True),
    Control("volumes[].hostPath", _B, (), "must not be given", pod=True),
    Control("securityContext.runAsUser", _R, lambda user: user != 0, "must not be 0", pod=True, containers=True),
    Control(
        "securityContext.capabilities.add[]", _R, ("NET_BIND_SERVICE",), "must be NET_BIND_SERVICE", containers=True
    ),
)
#: Annotations by which AppArmor was chosen before there was a field; the name of a container follows.
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


def violations(spec: Mapping[str, Any], level: Level, path: str) -> Iterator[Violation]:
    """What of a pod's spec the level does not take. `spec`: one in which `check_pod` finds no error; `path`: the field
    that has it."""
    if level is Level.PRIVILEGED:
        return
    strict = level is Level.RESTRICTED
    containers = list(containers_of(spec, path))
    for control in CONTROLS:
        if control.level is Level.RESTRICTED and not strict:
            continue
        steps = control.field.split(".")
        places = [(path, spec)] if control.pod else []
        for where, place in [*places, *(containers if control.containers else [])]:
            for found, value in _values(place, steps, where):
                if value is not None and not control.takes(value):
                    fit = Level.BASELINE if control.level is Level.RESTRICTED else Level.PRIVILEGED
                    actual = "" if control.must.startswith("must not") else f", not {shown(value)}"
                    yield Violation(found, f"{control.must}{actual}", fit, control.field)
    if strict:
        yield from _other_volumes(spec, path)
        yield from _what_must_be_given(spec, containers, path)


def annotation_violations(annotations: Mapping[str, Any], level: Level, path: str) -> Iterator[Violation]:
    """What of a pod's annotations the level does not take. `path`: the field that has them."""
    if level is Level.PRIVILEGED:
        return
    for key, value in annotations.items():
        taken = str(value) == "runtime/default" or str(value).startswith("localhost/")
        if key.startswith(APPARMOR) and value != "" and not taken:
            message = f"must be runtime/default or localhost/…, not {shown(value)}"
            yield Violation(f"{path}[{short_name(key)}]", message, Level.PRIVILEGED, "annotations")


def containers_of(spec: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All containers of a pod, with their paths."""
    for kind in CONTAINERS:
        for each in spec.get(kind) or ():
            yield f"{path}.{kind}[{short_name(each['name'])}]", each


def _values(place: Any, steps: list[str], path: str) -> Iterator[tuple[str, Any]]:
    """The values of a field of `CONTROLS`, with their paths."""
    if not steps:
        yield path, place
    elif isinstance(place, Mapping):
        name, is_list = steps[0].removesuffix("[]"), steps[0].endswith("[]")
        where, value = join(path, name), place.get(name)
        if not is_list:
            yield from _values(value, steps[1:], where)
        for index, item in enumerate(value or ()) if is_list else ():
            key = item.get(_KEYS[name], index) if name in _KEYS else index
            yield from _values(item, steps[1:], f"{where}[{short_name(str(key))}]")


def _other_volumes(spec: Mapping[str, Any], path: str) -> Iterator[Violation]:
    for volume in spec.get("volumes") or ():
        for kind, source in volume.items():
            # hostPath is a row of its own, at both levels.
            if source is not None and kind not in ("name", "hostPath", *VOLUMES):
                message = f"must be one of {', '.join(VOLUMES)}"
                yield Violation(
                    f"{path}.volumes[{short_name(volume['name'])}].{kind}", message, Level.BASELINE, "volumes[]"
                )


def _what_must_be_given(
    spec: Mapping[str, Any], containers: list[tuple[str, Mapping[str, Any]]], path: str
) -> Iterator[Violation]:
    """The controls of the level restricted by which a field that is not given counts."""
    pod = spec.get("securityContext") or {}
    windows = (spec.get("os") or {}).get("name") == "windows"
    if pod.get("runAsNonRoot") is False:
        yield _missing(path, "runAsNonRoot", "must be true")
    for where, container in containers:
        own = container.get("securityContext") or {}
        if (own.get("runAsNonRoot") if own.get("runAsNonRoot") is not None else pod.get("runAsNonRoot")) is not True:
            yield _missing(where, "runAsNonRoot", "must be true, here or in the pod's")
        if windows:
            # Kubernetes has none of the following there.
            continue
        if own.get("allowPrivilegeEscalation") is not False:
            yield _missing(where, "allowPrivilegeEscalation", "must be false")
        if "ALL" not in ((own.get("capabilities") or {}).get("drop") or ()):
            yield _missing(where, "capabilities.drop", "must contain ALL")
        if not ((own.get("seccompProfile") or {}).get("type") or (pod.get("seccompProfile") or {}).get("type")):
            yield _missing(where, "seccompProfile.type", "must be RuntimeDefault or Localhost, here or in the pod's")


def _missing(where: str, field: str, message: str) -> Violation:
    return Violation(f"{where}.securityContext.{field}", message, Level.BASELINE, f"securityContext.{field}")
