"""The kinds of objects that the operator asks the API server for, and where the API has them."""

from __future__ import annotations

from dataclasses import dataclass

from daskjob.api import constants as c


@dataclass(frozen=True)
class Resource:
    """A kind of object, and where the API has it."""

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


DASK_JOBS = Resource("DaskJob", c.API_VERSION, "daskjobs")
DASK_CRON_JOBS = Resource("DaskCronJob", c.API_VERSION, "daskcronjobs")
REPORTS = Resource("DaskJobReport", c.API_VERSION, "daskjobreports")
CLUSTERS = Resource("DaskCluster", c.DASK_API_VERSION, "daskclusters")
WORKER_GROUPS = Resource("DaskWorkerGroup", c.DASK_API_VERSION, "daskworkergroups")
DEPLOYMENTS = Resource("Deployment", "apps/v1", "deployments")
PODS = Resource("Pod", "v1", "pods")
SERVICES = Resource("Service", "v1", "services")
SECRETS = Resource("Secret", "v1", "secrets")
CONFIG_MAPS = Resource("ConfigMap", "v1", "configmaps")
EVENTS = Resource("Event", "v1", "events")
POLICIES = Resource("ValidatingAdmissionPolicy", "admissionregistration.k8s.io/v1", "validatingadmissionpolicies")
POLICY_BINDINGS = Resource(
    "ValidatingAdmissionPolicyBinding", "admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings"
)

#: What is watched and listed of jobs, all but the jobs themselves by the operator's label.
WATCHED = (DASK_JOBS, REPORTS, CLUSTERS, WORKER_GROUPS, DEPLOYMENTS, PODS)
#: What a job's source may refer to.
BY_REFERENCE = {each.kind: each for each in (CONFIG_MAPS,)}
BY_KIND = {each.kind: each for each in WATCHED}
