"""What a pod's command says about the files that the pod mounts: their digests, and where checked copies of them go.

A ConfigMap of the user's (`source.configMap`) is not among them: it is the user's to change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from daskjob.api.payload_secret import KEY
from daskjob.manifests.context import AttemptContext
from daskjob.manifests.paths import CODE_PATH, JOB_PATH, PAYLOAD_PATH, RUNNER_PATH, TLS_PATH, copy_of
from daskjob.manifests.pod_files import (
    AUTHORITY,
    CERTIFICATE,
    JOB_FILE,
    PRIVATE_KEY,
    PROGRAM,
    program_digest,
    runner_config_map_name,
)
from daskjob.runner.checked_files import digests_of


def for_dask(context: AttemptContext) -> str:
    """The argument of `runner.checked_files.copy_checked` for scheduler and workers. Their program's folder comes
    first."""
    return _dump([_program(context), *_code(context), _tls(context)])


def for_runner(context: AttemptContext) -> str:
    """That for the runner. Its program's folder comes first."""
    orders = _folder(JOB_PATH, _secret(context), {JOB_FILE: context.files.job_file})
    return _dump([_program(context), orders, *_payload(context), *_code(context), _tls(context)])


def for_fetching(context: AttemptContext) -> str:
    """That for the container that fetches the code."""
    return _dump([_program(context)])


def code_path(context: AttemptContext) -> str | None:
    """The folder from which the job's code is imported; None: the code is in the image."""
    if context.source is None:
        return None
    if context.source.files():
        return copy_of(CODE_PATH)
    fetch = context.source.fetch()
    return f"{CODE_PATH}/{fetch.sub_path}" if fetch is not None and fetch.sub_path else CODE_PATH


def _program(context: AttemptContext) -> dict[str, Any]:
    program = context.files.program
    folder = _folder(RUNNER_PATH, f"ConfigMap {runner_config_map_name(program)}", {})
    return {**folder, "digests": {PROGRAM: program_digest(program)}}


def _code(context: AttemptContext) -> list[dict[str, Any]]:
    files = context.source.files() if context.source is not None else ()
    # A lone surrogate cannot come from an API server, but from a manifest that is only validated.
    content = {file.path: file.content.encode(errors="surrogatepass") for file in files}
    return [_folder(CODE_PATH, _secret(context), content)] if files else []


def _payload(context: AttemptContext) -> list[dict[str, Any]]:
    """The client's Secret. The spec has the digest, so nobody has to read the Secret for it."""
    name = context.payload_secret
    if name is None or context.payload is None:
        return []
    folder = _folder(PAYLOAD_PATH, f"Secret {name}", {})
    return [{**folder, "digests": {KEY: context.payload.sha256}}]


def _tls(context: AttemptContext) -> dict[str, Any]:
    certificate, key = context.files.certificate, context.files.key
    files = {AUTHORITY: certificate, CERTIFICATE: certificate, PRIVATE_KEY: key}
    # The key stays where it is, in the node's memory. One that is changed later does not belong to the certificate, and
    # TLS refuses it.
    return _folder(TLS_PATH, _secret(context), files, [PRIVATE_KEY])


def _secret(context: AttemptContext) -> str:
    return f"Secret {context.names.files}"


def _folder(path: str, shows: str, files: Mapping[str, bytes], uncopied: list[str] | None = None) -> dict[str, Any]:
    return {
        "folder": path,
        "object": shows,
        "digests": digests_of(dict(files)),
        "copy": copy_of(path),
        "uncopied": uncopied or [],
    }


def _dump(folders: list[dict[str, Any]]) -> str:
    return json.dumps(folders, separators=(",", ":"))
