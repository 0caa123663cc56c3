"""What an installation's operator, and Kubernetes, would say of a job's pods, without a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daskjob.cli import cron

if TYPE_CHECKING:
    from daskjob.schema import FieldError


@dataclass(frozen=True)
class Installation:
    """The chart's values of the same names, by their defaults."""

    allow: Sequence[str] = ()
    allow_metadata: Sequence[str] = ()
    pod_security: str = "restricted"
    service_accounts: Sequence[str] = ()

    def refusals(self, manifest: Mapping[str, Any]) -> list[FieldError]:
        """Why the operator would refuse the pods of a DaskJob or DaskCronJob that is valid otherwise; or, if it takes
        them, why Kubernetes would."""
        # Only here: it takes a moment to import.
        from daskjob.api.job_ref import JobRef
        from daskjob.api.spec import parse_spec
        from daskjob.api.status import Attempt
        from daskjob.manifests.attempt import refusals, rejections
        from daskjob.manifests.context import AttemptContext, Defaults
        from daskjob.schema import FieldError
        from daskjob.schema.pod_security import Level

        of_cron = manifest["kind"] == cron.KIND
        spec = parse_spec(manifest["spec"]["jobTemplate"]["spec"] if of_cron else manifest["spec"])
        defaults = Defaults(
            allowed=self.allow,
            allowed_metadata=self.allow_metadata,
            pod_security=Level(self.pod_security),
            service_accounts=self.service_accounts,
        )
        metadata = manifest["metadata"]
        job = JobRef(metadata.get("namespace") or "default", metadata.get("name") or metadata["generateName"], "")
        context = AttemptContext(job, spec, Attempt(1, job.name), defaults)
        found = refusals(context) or rejections(context)
        if of_cron:
            return [FieldError(f"spec.jobTemplate.{each.path}", each.message) for each in found]
        return list(found)
