"""The credentials of a job's stores: Secrets of the user's, that of the result mounted into runner and workers alone,
that of the report into the runner.

The processes put what they have into their environment themselves (`runner.surroundings`): the operator may read no
Secret, and a pod's spec shows none of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from daskjob.api.constants import Retention
from daskjob.api.result_spec import Store
from daskjob.errors import SpecError
from daskjob.manifests.context import AttemptContext
from daskjob.manifests.other_jobs_files import check_no_files
from daskjob.manifests.paths import REPORT_STORE_PATH, STORE_PATH
from daskjob.runner.surroundings import SECRET_VARIABLE
from daskjob.wire.jobfile import REPORT_SECRET_VARIABLE


@dataclass(frozen=True)
class StoreSecretFiles:
    """What a pod has of a Secret; nothing if the store has none."""

    volumes: Collection[Mapping[str, Any]] = ()
    mounts: Collection[Mapping[str, Any]] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, context: AttemptContext) -> StoreSecretFiles:
        """That of the result. Raises SpecError for a Secret that is none of the user's, and for a format without a
        store."""
        if context.store is None and context.spec.result.format is not None:
            message = "is for a store, and neither the job nor the installation has one: give spec.result.store"
            raise SpecError("spec.result.format", message)
        if context.store is None and context.spec.result.retention is not Retention.KEEP:
            message = "is for results in a store, and the job has none: give spec.result.store, or leave it out"
            raise SpecError("spec.result.retention", message)
        return cls._of(context.store, "result", "store", STORE_PATH, SECRET_VARIABLE)

    @classmethod
    def of_report(cls, context: AttemptContext) -> StoreSecretFiles:
        """That of the report, unless it is the result's. Raises SpecError as well for a report without a store."""
        store = context.report_store
        if store is None and context.spec.report is not None:
            message = "has no store, and neither the result nor the installation has one: give spec.report.store"
            raise SpecError("spec.report", message)
        if context.store is not None and store == context.store:
            return cls()
        return cls._of(store, "report", "report-store", REPORT_STORE_PATH, REPORT_SECRET_VARIABLE)

    @classmethod
    def _of(cls, store: Store | None, part: str, volume: str, path: str, variable: str) -> StoreSecretFiles:
        if store is None or store.secret_ref is None:
            return cls()
        name = store.secret_ref.name
        # Without the result's, the pod waits, and the job says why. A report fails no job.
        optional = {"optional": True} if part == "report" else {}
        check_no_files(name, f"spec.{part}.store.secretRef.name")
        return cls(
            volumes=[{"name": volume, "secret": {"secretName": name, "defaultMode": 0o444, **optional}}],
            mounts=[{"name": volume, "mountPath": path, "readOnly": True}],
            environment={variable: path},
        )
