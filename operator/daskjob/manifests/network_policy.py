"""The NetworkPolicy of an attempt: who may connect to its pods."""

from __future__ import annotations

from typing import Any

from daskjob.api import constants as c
from daskjob.manifests.context import AttemptContext


def network_policy(context: AttemptContext, cluster_uid: str) -> dict[str, Any] | None:
    """Lets the pods of the attempt connect to each other, and nobody else to them but those whom the installation's
    rules name. None: the installation makes no such policies.

    It names no ports: workers listen at random ones, and what users run on Dask, such as XGBoost, opens others. All
    pods of an attempt have the same key, with which each runs code in the others, so ports would divide nothing.

    It goes with the cluster, maybe before the last pod has ended. So it does not limit where the pods may connect to:
    a policy that does has to outlive them (the chart makes one for each namespace).
    """
    rules = context.defaults.ingress
    if rules is None:
        return None
    pods = {"matchLabels": {c.JOB_UID_LABEL: context.job.uid, c.ATTEMPT_LABEL: str(context.attempt.number)}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": context.metadata_beside(context.attempt.name, cluster_uid),
        "spec": {
            "podSelector": pods,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": pods}]}, *map(dict, rules)],
        },
    }
