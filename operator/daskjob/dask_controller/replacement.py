"""Other workers in place of pods that are gone: the operator asks for them by an annotation of the worker group."""

from __future__ import annotations

from typing import Any

import kopf

#: Annotation of the operator on a worker group, whose text changes with each request.
REPLACE_ANNOTATION = "daskjob.io/replace-workers"
#: The function of dask-kubernetes' controller that counts a group's workers and creates those that are missing.
HANDLER = "daskworkergroup_replica_update"


def replace_when_asked(controller: Any, registry: kopf.OperatorRegistry) -> None:
    """Adds the handler to `registry`. `controller`: dask-kubernetes' module. Raises `RuntimeError` if that has no
    `HANDLER`."""
    if not hasattr(controller, HANDLER):
        raise RuntimeError(f"{controller.__name__} has no {HANDLER}: install the dask-kubernetes of pyproject.toml")

    def known(*_: Any, **arguments: Any) -> bool:
        # Of a group that is new to this process, the handler of its creation counts the workers.
        return bool(arguments["reason"] == kopf.Reason.UPDATE)

    @kopf.on.field(
        "daskworkergroup.kubernetes.dask.org",
        field=("metadata", "annotations", REPLACE_ANNOTATION),
        registry=registry,
        id="replace_workers",
        when=known,
    )
    async def replace_workers(spec: kopf.Spec, new: Any, **arguments: Any) -> None:
        # `new` is the annotation's text.
        await getattr(controller, HANDLER)(spec=spec, new=spec["worker"]["replicas"], **arguments)
