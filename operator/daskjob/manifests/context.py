"""The one value that every builder of an attempt's objects gets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from daskjob.api import constants as c
from daskjob.api.graph_spec import PayloadSource
from daskjob.api.job_ref import JobRef
from daskjob.api.payload_secret import payload_secret_name
from daskjob.api.result_spec import Store
from daskjob.api.spec import DaskJobSpec
from daskjob.api.status import Attempt
from daskjob.api.tokens import Tokens
from daskjob.manifests.names import Names, reference
from daskjob.schema.pod_security import Level
from daskjob.sources import CodeSource, Fetch, packages_of, source_of

DEFAULT_SECURITY: Mapping[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "fsGroup": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True)
class Defaults:
    """The installation's settings for every job's pods."""

    image: str | None = None
    image_pull_policy: str | None = None
    #: What templates may do beyond the default, by the words of `daskjob.manifests.words`.
    allowed: Collection[str] = ()
    #: Labels and annotations that templates may set beyond the default: keys, `domain/*`, or `*` for all.
    allowed_metadata: Collection[str] = ()
    #: What every pod of a job fits, but for what `allowed` opens.
    pod_security: Level = Level.RESTRICTED
    #: Service accounts that a template may name, `*`: any of the namespace; all other pods have `daskjob-runner`.
    service_accounts: Collection[str] = ()
    #: Names of the Secrets that pull the images of jobs that name no such Secrets.
    image_pull_secrets: Collection[str] = ()
    security_context: Mapping[str, Any] = field(default_factory=lambda: DEFAULT_SECURITY)
    cluster_domain: str = "cluster.local"
    #: Whether runners get a token, with which they write their reports.
    report_token: bool = True
    #: The identity of the admission policy on reports (`lifecycle.enforcement.Enforcement`); empty: it is not in force.
    report_policy: str = ""
    #: Seconds for which a job's pods go on after its deadlines, or while nobody talks to them. After that they take it
    #: that no operator runs, and end by themselves.
    unattended_seconds: int = 600
    #: The name of the installation, a label's value; empty: its objects do not have the label.
    installation: str = ""
    #: Who may connect to a job's pods beside themselves: rules as in a NetworkPolicy's `ingress`. None: no policy is
    #: made, and everybody may.
    ingress: Sequence[Mapping[str, Any]] | None = ()
    #: Requests and limits of the containers of scheduler, workers and runner to which neither manifest nor template
    #: gives any.
    resources: Mapping[str, Any] = field(default_factory=dict)
    #: Size of the volume at /tmp, a quantity, beyond which the kubelet evicts the pod; empty: no limit of its own.
    tmp_size_limit: str = ""

    #: Where results of jobs go that name no store; None: into their status.
    result_store: Store | None = None

    def allows_metadata(self, key: str) -> bool:
        """Whether a template may set this label or annotation whatever its name means elsewhere."""
        domain, slash, _ = key.rpartition("/")
        return any(each in ("*", key) or (slash and each == f"{domain}/*") for each in self.allowed_metadata)


@dataclass(frozen=True)
class AttemptFiles:
    """The files that an attempt's pods mount and that do not follow from the job alone: the pods' specs have
    digests of them, so they are there before the first object is created.

    `certificate` and `key`: in PEM, drawn once for the attempt; `job_file`: the runner's orders; `program`: the
    runner's zipapp. Empty where pods are only judged."""

    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)
    job_file: bytes = b""
    program: bytes = b""


@dataclass(frozen=True)
class AttemptContext:
    """A job, its spec, one attempt of it, the installation's settings, and the attempt's files."""

    job: JobRef
    spec: DaskJobSpec
    attempt: Attempt
    defaults: Defaults = field(default_factory=Defaults)
    #: What proves that the attempt's objects are the operator's; None: they are not to be created.
    tokens: Tokens | None = None
    files: AttemptFiles = field(default_factory=AttemptFiles, repr=False)

    @cached_property
    def names(self) -> Names:
        """Names of all objects of the attempt."""
        return Names(self.job.namespace, self.attempt.name)

    @property
    def cluster_token(self) -> str | None:
        return self.tokens.cluster if self.tokens is not None else None

    @property
    def runner_token(self) -> str | None:
        return self.tokens.runner if self.tokens is not None else None

    @cached_property
    def labels(self) -> dict[str, str]:
        """The operator's labels, which every object of the attempt has."""
        installation = {c.INSTALLATION_LABEL: self.defaults.installation} if self.defaults.installation else {}
        return {
            c.MANAGED_BY_LABEL: c.MANAGER,
            c.JOB_LABEL: self.job.name,
            c.JOB_UID_LABEL: self.job.uid,
            c.ATTEMPT_LABEL: str(self.attempt.number),
            **installation,
        }

    @cached_property
    def source(self) -> CodeSource | None:
        """Where the job's code comes from; None: it is in the image."""
        return source_of(self.spec.graph)

    @property
    def fetch(self) -> Fetch | None:
        """What an init container brings; None: nothing."""
        return self.source.fetch() if self.source is not None else None

    @property
    def store(self) -> Store | None:
        """Where the result goes; None: into the status. The Python client looks for it there, so for what it pickled
        the installation's store does not count."""
        return self.spec.result.store or (self.defaults.result_store if self.payload is None else None)

    @property
    def report_store(self) -> Store | None:
        """Where what is kept of each attempt goes; None: nothing is kept, or there is no store."""
        report = self.spec.report
        if report is None:
            return None
        return report.store or self.spec.result.store or self.defaults.result_store

    @property
    def payload(self) -> PayloadSource | None:
        """What the client pickled, if that is the job's source."""
        return self.spec.graph.source.payload if self.spec.graph.source is not None else None

    @property
    def payload_secret(self) -> str | None:
        """The name of the Secret that has it."""
        return payload_secret_name(self.job.name, self.payload.sha256) if self.payload is not None else None

    @property
    def packages(self) -> Fetch | None:
        """The packages that an init container installs; None: none."""
        return packages_of(self.spec.graph)

    def metadata(self, name: str, token: str | None = None, **more: Any) -> dict[str, Any]:
        """Metadata of an object that the job owns. `token`: what proves that it is the operator's; `more`: further
        fields; labels and annotations are added to the operator's."""
        fields = self._metadata(name, reference(c.API_VERSION, "DaskJob", self.job.name, self.job.uid), more)
        if token is not None:
            fields["annotations"] = {**more.get("annotations", {}), c.TOKEN_ANNOTATION: token}
        return fields

    def metadata_beside(self, name: str, cluster_uid: str, **more: Any) -> dict[str, Any]:
        """Metadata of an object that the attempt's cluster owns."""
        return self._metadata(name, reference(c.DASK_API_VERSION, "DaskCluster", self.attempt.name, cluster_uid), more)

    def _metadata(self, name: str, owner: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "name": name,
            "namespace": self.job.namespace,
            **more,
            "labels": {**self.labels, **more.get("labels", {})},
            "ownerReferences": [owner],
        }
