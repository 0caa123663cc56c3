"""`spec.result`: where the result is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daskjob.api.constants import ResultFormat, Retention
from daskjob.api.graph_spec import SecretReference


@dataclass(frozen=True)
class Store:
    """A place that fsspec reaches, and how."""

    #: url of a folder, as fsspec has it: s3://bucket/folder, gs://, abfs://, or file:///mnt/results on a volume that
    #: the templates of runner and workers mount. Each attempt writes to namespace/name/UID/attempt below it.
    url: str = ""
    #: secretRef is the Secret with the credentials. Only runner and workers have it, that of a report the runner alone:
    #: each key that is a variable's name is one (AWS_ACCESS_KEY_ID), unless the pod has it otherwise, and each is a
    #: file in /opt/daskjob/store (/opt/daskjob/report-store). Default none.
    secret_ref: SecretReference | None = None
    #: options are arguments of fsspec's driver, any JSON by name, such as endpoint_url for s3://; nothing secret.
    #: Default none.
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ResultKeeping:
    """Where the result is kept, and in which form."""

    #: store is where the result is written. Runner and one worker try it before the graph starts. Default: the
    #: installation's (job.resultStore of the chart), or else none.
    store: Store | None = None
    #: format of the result in the store. Default auto: tables of pandas, Arrow and Dask as parquet (needs pyarrow in
    #: the image), arrays as zarr (needs zarr), all else as json. Workers write the partitions of a Dask DataFrame and
    #: the blocks of a Dask array. pickle keeps any Python value, and is safe to open only for who trusts the job's
    #: code.
    format: ResultFormat | None = None
    #: retention: Keep leaves what is in the store when the job is deleted; DeleteWithJob deletes it then, all attempts
    #: and runs, by a pod in the job's image, for which the job waits. If that does not work within ten minutes, the job
    #: goes, and an Event says what is left. Default Keep.
    retention: Retention = Retention.KEEP
