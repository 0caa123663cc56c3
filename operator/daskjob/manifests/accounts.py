"""The service account of a job's pods, and whether they may have a token of it.

Pods have the account `daskjob-runner`, on which the operator puts no rights: what the namespace gives to its account
`default`, user code does not get. A template may name another account if the installation allows it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from daskjob.api import constants as c
from daskjob.errors import SpecError

#: Allows every account of the namespace.
ANY = "*"


def service_account(namespace: str) -> dict[str, Any]:
    """The account of pods whose template names no other: one in each namespace, which all jobs share and none owns."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": c.RUNNER_ACCOUNT,
            "namespace": namespace,
            "labels": {c.MANAGED_BY_LABEL: c.MANAGER, c.COMPONENT_LABEL: "runner-account"},
        },
        # For pods of others that name it.
        "automountServiceAccountToken": False,
    }


def settle_account(
    merged: Mapping[str, Any], own_volumes: Iterable[Mapping[str, Any]], path: str, allowed: Collection[str]
) -> dict[str, Any]:
    """A pod's spec with its account named, and with Kubernetes' mount of a token off unless the template asks for it.

    `merged`: the spec, with the user's template merged over the operator's; `own_volumes`: the operator's, of which the
    runner's has a token of its own; `path`: the template's spec, for messages; `allowed`: accounts that a template may
    name. Raises SpecError for another account, and for a token without an account that is named.
    """
    if merged.get("serviceAccount"):
        raise SpecError(f"{path}.serviceAccount", "is the old name of a field: use serviceAccountName")
    name = merged.get("serviceAccountName") or c.RUNNER_ACCOUNT
    if name != c.RUNNER_ACCOUNT and not {name, ANY}.intersection(allowed):
        raise SpecError(f"{path}.serviceAccountName", f"{name!r} is not allowed here: {_choices(allowed)}")
    mounts = bool(merged.get("automountServiceAccountToken"))
    if name == c.RUNNER_ACCOUNT:
        volumes = (each for each in merged.get("volumes") or () if each not in own_volumes)
        token = next((each for volume in volumes for each in _tokens(volume, path)), None)
        if token is not None:
            raise SpecError(token, f"needs an account: {_how_to_name_one(allowed)}")
        if mounts:
            raise SpecError(f"{path}.automountServiceAccountToken", f"needs an account: {_how_to_name_one(allowed)}")
    kept = {key: value for key, value in merged.items() if key != "serviceAccount"}
    return {**kept, "serviceAccountName": name, "automountServiceAccountToken": mounts}


def _tokens(volume: Mapping[str, Any], path: str) -> Iterator[str]:
    """The fields of a volume by which the account proves who it is."""
    for index, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
        for kind in ("serviceAccountToken", "podCertificate"):
            if source.get(kind) is not None:
                yield f"{path}.volumes[{volume['name']}].projected.sources[{index}].{kind}"


def _choices(allowed: Collection[str]) -> str:
    if not allowed:
        return "leave it out, or have the operator installed with the name in the chart's job.serviceAccounts"
    return f"take one of the chart's job.serviceAccounts ({', '.join(sorted(allowed))}), or have it added there"


def _how_to_name_one(allowed: Collection[str]) -> str:
    named = ", ".join(sorted(allowed)) or "which has none yet"
    return (
        f"set serviceAccountName to one of the chart's job.serviceAccounts ({named}), or remove this; the account "
        f"{c.RUNNER_ACCOUNT} has no rights"
    )
