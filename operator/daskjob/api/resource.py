"""The kinds of objects that operator and client read and write, and where an API server has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from daskjob.api import constants as c


@dataclass(frozen=True)
class Resource:
    """`plural`: its name in paths; `root`: the path of its API, if that does not follow from the version."""

    kind: str
    api_version: str
    plural: str
    root: str | None = None

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of all objects, of those of a namespace, of one, or of a subresource of it. Names may have any
        characters."""
        root = self.root
        if root is None:
            root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        parts = [root]
        if namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        return "/".join([*parts, *(quote(each, safe="") for each in (name, subresource) if each)])

    def stamp(self, body: dict[str, Any]) -> dict[str, Any]:
        """The object with its kind and version, which the API server leaves out of the items of a list."""
        return {"apiVersion": self.api_version, "kind": self.kind, **body}


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
LEASES = Resource("Lease", "coordination.k8s.io/v1", "leases")
EVENTS = Resource("Event", "v1", "events")
POLICIES = Resource("ValidatingAdmissionPolicy", "admissionregistration.k8s.io/v1", "validatingadmissionpolicies")
POLICY_BINDINGS = Resource(
    "ValidatingAdmissionPolicyBinding", "admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings"
)
