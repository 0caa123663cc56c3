"""The container that brings a job's code into a pod, before the pod's own starts.

It runs in the job's own image, and has no token. It alone mounts the Secret with credentials.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from daskjob.api.constants import FETCHING
from daskjob.fetch.fetch_limits import VOLUME_BYTES
from daskjob.manifests.checked_folders import for_fetching
from daskjob.manifests.context import AttemptContext
from daskjob.manifests.launch import RUN
from daskjob.manifests.paths import CHECKED_PATH, CODE_PATH, CREDENTIALS_PATH, FETCH_PATH, PACKAGES_PATH, RUNNER_PATH
from daskjob.manifests.pod_files import runner_config_map_name
from daskjob.sources import Fetch

#: The names of the init containers.
FETCH_CODE, INSTALL_PACKAGES = FETCHING
#: What the container may use: no device of the component's own container.
_RESOURCES = ("cpu", "memory", "ephemeral-storage")
#: The shares of the startup deadline that finding a commit and fetching it may take, and the least of each in seconds.
FIND_SHARE, FETCH_SHARE, LEAST = 0.25, 0.5, 5


def fetch_container(
    context: AttemptContext, fetch: Fetch, own: Mapping[str, Any], name: str = "", find: bool = False
) -> dict[str, Any]:
    """The container. `own`: that of the component, whose image, variables and room it has; `find`: it only finds the
    commit."""
    pip = fetch.kind == "pip"
    volume, target = ("packages", PACKAGES_PATH) if pip else ("code", CODE_PATH)
    name = name or (INSTALL_PACKAGES if pip else FETCH_CODE)
    share = FIND_SHARE if find else FETCH_SHARE
    orders = {
        "kind": fetch.kind,
        "what": dict(fetch.what),
        "work": f"{FETCH_PATH}/work",
        "seconds": max(LEAST, int(share * context.spec.startup_deadline_seconds)),
        **({"secret": fetch.secret, "credentials": CREDENTIALS_PATH} if fetch.secret else {}),
        # Without a commit, nothing is fetched: pods whose source moves are created when it is known.
        **({} if find else {"target": target}),
        **({"commit": context.attempt.commit or fetch.commit or ""} if fetch.kind == "git" and not find else {}),
    }
    secret = {"name": _secret_volume(fetch), "mountPath": CREDENTIALS_PATH, "readOnly": True}
    mounts: list[Mapping[str, Any]] = [
        {"name": "runner", "mountPath": RUNNER_PATH, "readOnly": True},
        {"name": "checked", "mountPath": CHECKED_PATH},
        {"name": "fetch", "mountPath": FETCH_PATH},
        *([] if find else [{"name": volume, "mountPath": target}]),
        *([secret] if fetch.secret else []),
    ]
    variables = [*context.spec.cluster.env, {"name": "TMPDIR", "value": FETCH_PATH}]
    return program_container(context, own, name, ("--fetch", orders), variables, mounts)


def program_container(
    context: AttemptContext,
    own: Mapping[str, Any],
    name: str,
    task: tuple[str, Mapping[str, Any]],
    variables: Sequence[Any],
    mounts: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """A container that does one thing of the runner's program. `own`: the container whose image, room and security it
    has; `task`: the program's option, and its orders."""
    option, orders = task
    policy = own.get("imagePullPolicy")
    # Kubernetes puts variables in place of `$(NAME)`, a Secret's values too, and `$` in place of `$$`. A user's URL may
    # have any characters; what else is in a command has no `$`, by the definition.
    text = json.dumps(orders).replace("$", "$$")
    return {
        "name": name,
        "image": own["image"],
        "command": ["python3", "-c", RUN, for_fetching(context), option, text],
        "env": list(variables),
        "resources": _room_of(own),
        "securityContext": dict(own["securityContext"]),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": list(mounts),
        **({"imagePullPolicy": policy} if policy else {}),
    }


def spec_of_one(
    runner: Mapping[str, Any], container: Mapping[str, Any], before: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """The spec of a pod with that container, and `before` as init containers, that runs where the runner would, under
    the same account and security, without a token. `runner`: the spec of the runner's pod."""
    needed = {each["name"] for every in (container, *before) for each in every["volumeMounts"]}
    return {
        **{key: value for key, value in runner.items() if key not in ("initContainers", "containers", "volumes")},
        "automountServiceAccountToken": False,
        **({"initContainers": list(before)} if before else {}),
        "containers": [container],
        "volumes": [each for each in runner["volumes"] if each["name"] in needed],
    }


def _room_of(own: Mapping[str, Any]) -> dict[str, Any]:
    """The requests and limits of a container, without those of devices."""
    return {
        kind: {name: amount for name, amount in each.items() if name in _RESOURCES}
        for kind, each in (own.get("resources") or {}).items()
        if kind in ("requests", "limits")
    }


def program_volume(context: AttemptContext) -> dict[str, Any]:
    """The volume with the runner's program, of which what fetches is a part."""
    return {"name": "runner", "configMap": {"name": runner_config_map_name(context.files.program)}}


def fetch_volumes(fetches: Sequence[Fetch], mode: int) -> list[dict[str, Any]]:
    """The volumes that containers which fetch mount alone, and that of packages. `mode`: of the Secrets' files."""
    volumes: list[dict[str, Any]] = [{"name": "fetch", "emptyDir": {}}]
    for each in fetches:
        if each.kind == "pip":
            volumes.append({"name": "packages", "emptyDir": {"sizeLimit": str(VOLUME_BYTES)}})
        if each.secret:
            secret = {"secretName": each.secret, "defaultMode": mode}
            volumes.append({"name": _secret_volume(each), "secret": secret})
    return volumes


def _secret_volume(fetch: Fetch) -> str:
    return "index-credentials" if fetch.kind == "pip" else "credentials"
