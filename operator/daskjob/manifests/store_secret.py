"""The credentials of a job's store: a Secret of the user's, mounted into runner and workers alone.

The processes put what it has into their environment themselves (`runner.surroundings`): the operator may read no
Secret, and a pod's spec shows none of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from daskjob.errors import SpecError
from daskjob.manifests.context import AttemptContext
from daskjob.manifests.other_jobs_files import check_no_files
from daskjob.manifests.paths import STORE_PATH
from daskjob.runner.surroundings import SECRET_VARIABLE

_VOLUME = "store"


@dataclass(frozen=True)
class StoreSecretFiles:
    """What a pod has of the Secret; nothing if the store has none."""

    volumes: Collection[Mapping[str, Any]] = ()
    mounts: Collection[Mapping[str, Any]] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, context: AttemptContext) -> StoreSecretFiles:
        """Raises SpecError for a Secret that is none of the user's, and for a format without a store."""
        store = context.store
        if store is None and context.spec.result.format is not None:
            message = "is for a store, and neither the job nor the installation has one: give spec.result.store"
            raise SpecError("spec.result.format", message)
        if store is None or store.secret_ref is None:
            return cls()
        name = store.secret_ref.name
        check_no_files(name, "spec.result.store.secretRef.name")
        return cls(
            volumes=[{"name": _VOLUME, "secret": {"secretName": name, "defaultMode": 0o444}}],
            mounts=[{"name": _VOLUME, "mountPath": STORE_PATH, "readOnly": True}],
            environment={SECRET_VARIABLE: STORE_PATH},
        )
