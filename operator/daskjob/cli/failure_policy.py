"""Rules of a failure policy that no failure can match."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from daskjob.cli import cron
from daskjob.schema import FieldError
from daskjob.schema.field_error import shown


def reason_problems(manifest: Mapping[str, Any]) -> list[FieldError]:
    """Reasons that this release never gives a failure, of a DaskJob or DaskCronJob that is valid otherwise. The API
    server takes any text."""
    from daskjob.api.constants import Reason

    of_cron = manifest["kind"] == cron.KIND
    spec = manifest["spec"]["jobTemplate"]["spec"] if of_cron else manifest["spec"]
    path = "spec.jobTemplate.spec" if of_cron else "spec"
    found = []
    for number, rule in enumerate((spec.get("failurePolicy") or {}).get("rules") or ()):
        for index, reason in enumerate(rule.get("onReasons") or ()):
            if reason not in list(Reason):
                close = get_close_matches(reason, list(Reason), n=1)
                hint = f"did you mean {close[0]}?" if close else "docs/writing-jobs.md lists them"
                where = f"{path}.failurePolicy.rules[{number}].onReasons[{index}]"
                found.append(FieldError(where, f"no failure has the reason {shown(reason)}: {hint}"))
    return found
