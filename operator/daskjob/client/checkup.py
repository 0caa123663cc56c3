"""Whether a cluster is ready for somebody's jobs: each check asks one thing, changes nothing, and says what to do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from daskjob.api import constants as c
from daskjob.api.resource import DEPLOYMENTS, LEASES, Resource
from daskjob.api.times import from_text
from daskjob.client.job_client import JobClient
from daskjob.client.problems import ClientError, Forbidden, InvalidJob, NotFound, NotInstalled, Rejected
from daskjob.client.transport import Body
from daskjob.client.watching import Selection, list_all

VERSION = Resource("Version", "", "version", root="")
OPENAPI = Resource("OpenAPI", "", c.API_VERSION, root="/openapi/v3/apis")
WHO = Resource("SelfSubjectReview", "authentication.k8s.io/v1", "selfsubjectreviews")
MAY_I = Resource("SelfSubjectAccessReview", "authorization.k8s.io/v1", "selfsubjectaccessreviews")
NAMESPACES = Resource("Namespace", "v1", "namespaces")
QUOTAS = Resource("ResourceQuota", "v1", "resourcequotas")
#: The paths of the fields of a schema, by the schema; None: of this version's own.
Fields = Callable[[Mapping[str, Any] | None], Collection[str]]
#: The oldest minor version of Kubernetes that the chart takes.
OLDEST = 30


class Verdict(Enum):
    """`UNKNOWN`: the user may not look, or only a job can tell."""

    OK = "ok"
    UNKNOWN = "?"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """What a check found; of what is wrong or unknown, what to do."""

    verdict: Verdict
    subject: str
    words: str


@dataclass(frozen=True)
class Right:
    """A right in the namespace, and the commands that need it."""

    group: str
    resource: str
    verbs: Sequence[str]
    commands: str

    def request(self, verb: str, namespace: str) -> Body:
        resource, _, subresource = self.resource.partition("/")
        attributes = {"namespace": namespace, "verb": verb, "group": self.group, "resource": resource}
        if subresource:
            attributes["subresource"] = subresource
        return {"apiVersion": "authorization.k8s.io/v1", "kind": MAY_I.kind, "spec": {"resourceAttributes": attributes}}


RIGHTS = (
    Right(c.GROUP, "daskjobs", ("get", "list", "watch"), "list, status, wait, result"),
    Right(c.GROUP, "daskjobs", ("create",), "submit"),
    Right(c.GROUP, "daskjobs", ("patch",), "cancel, retry, suspend, resume"),
    Right(c.GROUP, "daskjobs", ("delete",), "delete"),
    Right(c.GROUP, "daskcronjobs", ("list", "create", "patch"), "cron"),
    Right("", "pods", ("get", "list", "watch"), "logs, dashboard"),
    Right("", "pods/log", ("get",), "logs"),
    Right("", "events", ("list",), "events"),
    Right("", "pods/portforward", ("create",), "dashboard"),
)


def check_cluster(client: JobClient, fields: Fields, operator_namespace: str) -> Iterator[Finding]:
    """The findings, one after the other. `fields`: the paths of the fields of a schema; without one, of this version's
    own schema of a job's spec. Raises ClientError if the cluster cannot be reached."""
    yield _version(client)
    yield _user(client)
    served = _definitions(client, fields)
    yield served
    if served.verdict is Verdict.WRONG:
        return
    namespace = client.namespace
    leases = _looked(client, LEASES, operator_namespace)
    yield _operator(leases, operator_namespace)
    yield _namespace(client, namespace, _settings(client, leases, operator_namespace))
    yield from (_right(client, right, namespace) for right in RIGHTS)
    yield _quota(client, namespace)
    yield _admission(client)


def _version(client: JobClient) -> Finding:
    answer = client.transport.request("get", VERSION, None)
    version = str(answer.get("gitVersion") or "")
    minor = "".join(filter(str.isdigit, str(answer.get("minor") or "0")))
    words = f"{client.transport.host} answers: Kubernetes {version}"
    if int(minor or 0) < OLDEST:
        return Finding(Verdict.WRONG, "cluster", f"{words}; DaskJobs need 1.{OLDEST} or newer: upgrade the cluster")
    return Finding(Verdict.OK, "cluster", words)


def _user(client: JobClient) -> Finding:
    try:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": WHO.kind}
        answer = client.transport.request("create", WHO, None, body=body)
        user = answer["status"]["userInfo"]["username"]
    except (ClientError, KeyError, TypeError):
        return Finding(
            Verdict.UNKNOWN, "user", "the cluster does not say who you are to it; kubectl auth whoami asks, too"
        )
    return Finding(Verdict.OK, "user", f"you are {user}")


def _definitions(client: JobClient, fields: Fields) -> Finding:
    """Whether DaskJobs are served, and have the fields that this version knows."""
    subject = "definitions"
    try:
        answer = client.transport.request("get", OPENAPI, None)
    except (NotFound, NotInstalled):
        return Finding(
            Verdict.WRONG,
            subject,
            f"the cluster has no {c.API_VERSION}: install the operator's chart, or choose another cluster (--context)",
        )
    except ClientError as error:
        return Finding(Verdict.UNKNOWN, subject, f"{error}; `daskjob list` says whether there are DaskJobs")
    known, served = set(fields(None)), set(fields(_spec_schema(answer)))
    missing, more = sorted(known - served), sorted(served - known)
    if missing:
        words = (
            f"the cluster's are older than this command: they lack {_some(missing)}; do without, or upgrade the chart"
        )
        return Finding(Verdict.UNKNOWN, subject, words)
    if more:
        words = f"the cluster's are newer than this command, which does not know {_some(more)}: upgrade daskjob"
        return Finding(Verdict.UNKNOWN, subject, words)
    return Finding(
        Verdict.OK, subject, f"DaskJobs of {c.API_VERSION}, with all {len(known)} fields that this command knows"
    )


def _spec_schema(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    schemas = (answer.get("components") or {}).get("schemas") or {}
    for each in schemas.values():
        kinds = each.get("x-kubernetes-group-version-kind") or ()
        if any(kind.get("kind") == "DaskJob" for kind in kinds):
            spec: Mapping[str, Any] = (each.get("properties") or {}).get("spec") or {}
            return spec
    return {}


def _operator(leases: list[Body] | Finding, namespace: str) -> Finding:
    """Whether an operator leads."""
    subject = "operator"
    if isinstance(leases, Finding):
        return Finding(leases.verdict, subject, leases.words)
    own = [each for each in leases if _is_operators(each)]
    if not own:
        words = (
            f"there is no Lease of an operator in namespace {namespace}: is the chart installed there, and its pod up?"
        )
        return Finding(Verdict.WRONG, subject, f"{words} Another namespace: --operator-namespace")
    for each in own:
        spec = each.get("spec") or {}
        renewed = from_text(str(spec.get("renewTime") or ""))
        age = (datetime.now(UTC) - renewed.astimezone(UTC)).total_seconds() if renewed else None
        # Clocks differ; a leader renews it every two seconds.
        if spec.get("holderIdentity") and age is not None and age < 60 + float(spec.get("leaseDurationSeconds") or 0):
            return Finding(Verdict.OK, subject, f"{spec['holderIdentity']} leads")
    name = own[0]["metadata"]["name"]
    return Finding(
        Verdict.WRONG,
        subject,
        f"nobody leads: Lease {name} has run out; kubectl -n {namespace} describe deployment {name} says why",
    )


def _is_operators(lease: Body) -> bool:
    name, holder = str(lease["metadata"]["name"]), str((lease.get("spec") or {}).get("holderIdentity") or "")
    return "daskjob" in name or holder.startswith(f"{name}-")


def _settings(client: JobClient, leases: list[Body] | Finding, namespace: str) -> Mapping[str, Sequence[str]] | None:
    """The namespaces that the operator serves and excludes; None: the user may not look."""
    names = [each["metadata"]["name"] for each in leases if _is_operators(each)] if isinstance(leases, list) else []
    found = _looked(client, DEPLOYMENTS, namespace) if names else []
    if isinstance(found, Finding):
        return None
    for each in found:
        if each["metadata"]["name"] in names:
            containers = each["spec"]["template"]["spec"]["containers"]
            variables = {one["name"]: one.get("value") or "" for one in containers[0].get("env") or ()}
            return {
                name: [word for word in variables.get(variable, "").split(",") if word]
                for name, variable in (("served", "DASKJOB_NAMESPACES"), ("excluded", "DASKJOB_EXCLUDE_NAMESPACES"))
            }
    return None


def _namespace(client: JobClient, name: str, settings: Mapping[str, Sequence[str]] | None) -> Finding:
    """Whether it exists, and the operator serves it."""
    subject = f"namespace {name}"
    try:
        client.transport.request("get", NAMESPACES, None, name)
    except NotFound:
        return Finding(Verdict.WRONG, subject, "does not exist: create it, or give another one (-n)")
    except Forbidden:
        settings = None
    except ClientError as error:
        return Finding(Verdict.UNKNOWN, subject, str(error))
    if settings is None:
        return Finding(
            Verdict.UNKNOWN, subject, "you may not see whether the operator serves it: daskjob doctor --try does"
        )
    if name in settings["excluded"] and not settings["served"]:
        return Finding(
            Verdict.WRONG, subject, "is excluded by the installation (excludeNamespaces): give another one (-n)"
        )
    if settings["served"] and name not in settings["served"]:
        served = ", ".join(settings["served"])
        return Finding(Verdict.WRONG, subject, f"is not served; the installation serves {served} (watchNamespaces)")
    return Finding(Verdict.OK, subject, "is served")


def _right(client: JobClient, right: Right, namespace: str) -> Finding:
    subject = f"right to {', '.join(right.verbs)} {right.resource}"
    missing = []
    for verb in right.verbs:
        try:
            answer = client.transport.request("create", MAY_I, None, body=right.request(verb, namespace))
        except ClientError as error:
            return Finding(Verdict.UNKNOWN, subject, str(error))
        if not (answer.get("status") or {}).get("allowed"):
            missing.append(verb)
    if not missing:
        return Finding(Verdict.OK, subject, f"for {right.commands}")
    words = f"you may not {' or '.join(missing)}, so these do not work: {right.commands}"
    role = "view" if set(missing) <= {"get", "list", "watch"} else "edit"
    return Finding(
        Verdict.WRONG, subject, f"{words}; ask an administrator for the role {role} in namespace {namespace}"
    )


def _quota(client: JobClient, namespace: str) -> Finding:
    found = _looked(client, QUOTAS, namespace)
    if isinstance(found, Finding):
        return Finding(found.verdict, "quota", found.words)
    used_up = []
    for each in found:
        status = each.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        used_up += [
            f"{name} ({used[name]} of {hard[name]}, {each['metadata']['name']})"
            for name in hard
            if used.get(name) == hard[name]
        ]
    if used_up:
        words = f"used up: {', '.join(used_up)}; jobs wait until others end: delete what is not needed, or ask for more"
        return Finding(Verdict.WRONG, "quota", words)
    if found:
        counted = sorted({name for each in found for name in (each.get("spec") or {}).get("hard") or ()})
        return Finding(Verdict.OK, "quota", f"not used up; counts {', '.join(counted)}")
    return Finding(Verdict.OK, "quota", "none in this namespace")


def _looked(client: JobClient, endpoint: Resource, namespace: str) -> list[Body] | Finding:
    """The objects, or what keeps the user from them."""
    try:
        return list_all(client.transport, Selection(endpoint, namespace))[0]
    except Forbidden:
        words = f"you may not list {endpoint.plural} in namespace {namespace}: an administrator can run daskjob doctor"
        return Finding(Verdict.UNKNOWN, endpoint.plural, words)
    except ClientError as error:
        return Finding(Verdict.UNKNOWN, endpoint.plural, str(error))


def _some(paths: Sequence[str]) -> str:
    # A field without those in it.
    top: list[str] = []
    for each in paths:
        if not top or not each.startswith(tuple(f"{top[-1]}{mark}" for mark in ".[{")):
            top.append(each)
    top = [f"spec.{each}" for each in top]
    return ", ".join(top[:4]) + (f" and {len(top) - 4} more" if len(top) > 4 else "")


def _admission(client: JobClient) -> Finding:
    """Whether schema, policies and webhooks let a job pass: asked by a dry run."""
    subject = "admission"
    try:
        client.dry("server").create(_small_job(None, 180))
    except Forbidden:
        return Finding(Verdict.UNKNOWN, subject, "not asked, because you may not create daskjobs")
    except (Rejected, InvalidJob) as error:
        return Finding(Verdict.WRONG, subject, f"refuses a small job: {error}; who made that rule says what it wants")
    except ClientError as error:
        return Finding(Verdict.UNKNOWN, subject, str(error))
    return Finding(Verdict.OK, subject, "a small job would be taken (dry run); of its pods, only --try tells")


def _small_job(image: str | None, timeout: float) -> Body:
    """A job of one number. `timeout`: seconds in which it has to end."""
    return {
        "apiVersion": c.API_VERSION,
        "kind": "DaskJob",
        "metadata": {"generateName": "doctor-"},
        "spec": {
            "graph": {"entrypoint": "trial:graph", "source": {"inline": "def graph(client):\n    return 1\n"}},
            "cluster": {"image": image} if image else {},
            # If nobody is left to delete it.
            "ttlSecondsAfterFinished": 600,
            "activeDeadlineSeconds": max(1, int(timeout)),
            # What keeps its pods from starting is told by the job's own failure, before our time is over.
            "startupDeadlineSeconds": max(1, int(timeout * 0.6)),
            "infrastructureRetries": 0,
        },
    }


def try_job(
    client: JobClient,
    image: str | None,
    timeout: float,
    where: Callable[[Body], str],
    note: Callable[[str], None],
) -> Finding:
    """Runs a small job, and deletes it: only that tells whether its image can be pulled, and quotas, policies and the
    operator let it run. `timeout`: seconds; `where` says where a job is in words, with which `note` is called
    whenever that has changed."""
    subject = "a job"
    try:
        job = client.create(_small_job(image, timeout))
    except (Forbidden, Rejected, InvalidJob) as error:
        return Finding(Verdict.WRONG, subject, f"cannot be created: {error}")
    name, uid = str(job["metadata"]["name"]), str(job["metadata"]["uid"])
    try:
        return _tried(client, name, uid, timeout, where, note)
    finally:
        client.delete(name, uid=uid)


def _tried(
    client: JobClient,
    name: str,
    uid: str,
    timeout: float,
    where: Callable[[Body], str],
    note: Callable[[str], None],
) -> Finding:
    last: Body = {}
    words = ""

    def report(job: Body) -> None:
        nonlocal words
        last.update(job)
        if where(job) != words:
            words = where(job)
            note(words)

    try:
        _, job = client.wait([name], timeout=timeout, uids={name: uid}, on_change=report)[name]
    except TimeoutError:
        if not (last.get("status") or {}).get("phase"):
            words = "no operator has looked at it: does one run, and serve this namespace?"
        return Finding(Verdict.WRONG, "a job", f"did not end within {timeout:g} s: {words}")
    status = job.get("status") or {}
    failure = status.get("failure") or {}
    if failure or status.get("phase") != "Succeeded":
        ended = f"{failure.get('reason') or status.get('phase') or 'deleted'}: {failure.get('message') or ''}".strip()
        return Finding(Verdict.WRONG, "a job", f"failed: {ended}")
    return Finding(Verdict.OK, "a job", "ran to its end, and was deleted")
