"""Stores of results that are accepted or refused, for the offline validator and the real API server."""

from __future__ import annotations

from typing import Any

from .cases import Refused, a_job, refused

ACCEPTED: dict[str, dict[str, Any]] = {
    "store": a_job("{result: {store: {url: 's3://bucket/a=b'}}}"),
    "store with all": a_job(
        "{result: {store: {url: 'file:///mnt/results', secretRef: {name: my.keys-1},"
        " options: {endpoint_url: 'http://s3:9000', client_kwargs: {region_name: x}, anon: null}}, format: parquet}}"
    ),
    "result without anything": a_job("{result: {}}"),
    "report": a_job("{report: {}}"),
    "report with all": a_job(
        "{report: {store: {url: 's3://bucket/a', secretRef: {name: keys}, options: {anon: true}},"
        " logs: true, html: false, trace: false}}"
    ),
    "results that go with the job": a_job("{result: {store: {url: 's3://a'}, retention: DeleteWithJob}}"),
    "format for the installation's store": a_job("{result: {format: pickle}}"),
}

_URL = "spec.result.store.url"
_USELESS = "such a place keeps nothing that others can read"

REFUSED: list[Refused] = [
    refused("no URL", "{result: {store: {}}}", _URL, "is missing: url of a folder", "Required value"),
    refused("no scheme", "{result: {store: {url: /mnt/x}}}", _URL, "write a URL in ASCII without blanks"),
    refused("blank in a URL", "{result: {store: {url: 's3://a b'}}}", _URL, "write a URL in ASCII without blanks"),
    refused(
        "user in a URL", "{result: {store: {url: 's3://me:x@b/c'}}}", _URL, "leave user, password and parameters out"
    ),
    refused(
        "signed URL", "{result: {store: {url: 'abfs://a/b?sig=x'}}}", _URL, "leave user, password and parameters out"
    ),
    refused("memory", "{result: {store: {url: 'memory://x'}}}", _URL, _USELESS),
    refused("only readable", "{result: {store: {url: 'https://x/y'}}}", _URL, _USELESS),
    refused("chained", "{result: {store: {url: 's3://a::file:///b'}}}", _URL, _USELESS),
    refused("relative file", "{result: {store: {url: 'file://mnt/x'}}}", _URL, "write file:/// and an absolute path"),
    refused("steps up", "{result: {store: {url: 'file:///mnt/../x'}}}", _URL, "write the path without '.' and '..'"),
    refused(
        "odd Secret",
        "{result: {store: {url: 's3://a', secretRef: {name: A_b}}}}",
        "spec.result.store.secretRef.name",
        "write the name of a Secret",
    ),
    refused("relative report", "{report: {store: {url: 'file://x'}}}", "spec.report.store.url", "write file:///"),
    refused(
        "report of nothing",
        "{report: {logs: false, html: false, trace: false}}",
        "spec.report",
        "nothing is left to keep",
    ),
    refused(
        "unknown format",
        "{result: {store: {url: 's3://a'}, format: csv}}",
        "spec.result.format",
        "parquet",
        "Unsupported value",
    ),
]
