"""The kinds of objects that the operator reads and writes."""

from __future__ import annotations

from daskjob.api import constants as c
from daskjob.api.resource import Resource as Resource

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
