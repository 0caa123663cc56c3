"""The kinds of objects that the operator reads and writes, with their API paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daskjob.api import constants as c


@dataclass(frozen=True)
class Resource:
    """A kind of object and its place in the API."""

    kind: str
    api_version: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        root = f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"
        parts = [root]
        if namespace:
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        return "/".join([*parts, *(each for each in (name, subresource) if each)])

    def stamp(self, body: dict[str, Any]) -> dict[str, Any]:
        """The object with its kind and version, which the API server leaves out of the items of a list."""
        return {**body, "kind": self.kind, "apiVersion": self.api_version}


DASK_JOBS = Resource("DaskJob", c.API_VERSION, "daskjobs")
DASK_CRON_JOBS = Resource("DaskCronJob", c.API_VERSION, "daskcronjobs")
REPORTS = Resource("DaskJobReport", c.API_VERSION, "daskjobreports")
CLUSTERS = Resource("DaskCluster", c.DASK_API_VERSION, "daskclusters")
WORKER_GROUPS = Resource("DaskWorkerGroup", c.DASK_API_VERSION, "daskworkergroups")
PODS = Resource("Pod", "v1", "pods")
SERVICES = Resource("Service", "v1", "services")
SECRETS = Resource("Secret", "v1", "secrets")
SERVICE_ACCOUNTS = Resource("ServiceAccount", "v1", "serviceaccounts")
CONFIG_MAPS = Resource("ConfigMap", "v1", "configmaps")
NETWORK_POLICIES = Resource("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies")
REPLICA_SETS = Resource("ReplicaSet", "apps/v1", "replicasets")
DEPLOYMENTS = Resource("Deployment", "apps/v1", "deployments")
EVENTS = Resource("Event", "v1", "events")
POLICIES = Resource("ValidatingAdmissionPolicy", "admissionregistration.k8s.io/v1", "validatingadmissionpolicies")
POLICY_BINDINGS = Resource(
    "ValidatingAdmissionPolicyBinding", "admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings"
)
