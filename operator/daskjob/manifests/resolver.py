"""The pod that finds the commit of a job's code, before cluster and runner exist (`lifecycle.job.pinning`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daskjob.api import constants as c
from daskjob.api.attempt_names import resolver_name
from daskjob.manifests.context import AttemptContext
from daskjob.manifests.fetch_container import fetch_container, spec_of_one
from daskjob.sources import Fetch

#: The pod's component, and the name of its only container.
SOURCE = "source"


def resolver_pod(context: AttemptContext, fetch: Fetch, runner: Mapping[str, Any]) -> dict[str, Any]:
    """The pod. It runs where the runner would, under the same account and security. `runner`: the runner's pod."""
    spec = runner["spec"]
    own = next(each for each in spec["containers"] if each["name"] == "runner")
    container = fetch_container(context, fetch, own, SOURCE, find=True)
    metadata = runner["metadata"]
    token = context.tokens.source if context.tokens is not None else None
    annotations = {key: value for key, value in metadata["annotations"].items() if key != c.TOKEN_ANNOTATION}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": context.metadata(
            resolver_name(context.attempt.name),
            token,
            labels={**metadata["labels"], c.COMPONENT_LABEL: SOURCE},
            annotations=annotations,
        ),
        "spec": spec_of_one(spec, container),
    }
