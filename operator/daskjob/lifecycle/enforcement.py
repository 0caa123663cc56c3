"""Whether an admission policy of the installation is in force: what was shipped, compared with what the API server has.

Pure: who watches the objects, and what follows, is the business of `controllers.job.policies` and of the rules of jobs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Body = Mapping[str, Any]

POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
#: Differences that a message names, and characters of a value in it.
MOST_NAMED, MOST_TEXT = 3, 80
_IDENTITY = re.compile(r"(?P<policy>[^:,]+):(?P<one>\d+),(?P<binding>[^:,]+):(?P<two>\d+)")


@dataclass(frozen=True)
class Policy:
    """A policy as it was shipped. Its binding has the same name. `spec`, `binding`: the specs of the two objects."""

    name: str
    spec: Body
    binding: Body


@dataclass(frozen=True)
class Enforcement:
    """Whether a policy is in force. `identity`: of the two objects in their present state, empty if they are not what
    was shipped; `problem`: why not, for people; empty if they are."""

    identity: str = ""
    problem: str = ""


def read_policies(manifests: Sequence[Body]) -> tuple[Policy, ...]:
    """The policies of these manifests, each with the binding of its name. Raises ValueError if one lacks the other, or
    a manifest is neither."""
    specs: dict[str, dict[str, Body]] = {POLICY: {}, BINDING: {}}
    for body in manifests:
        try:
            specs[body["kind"]][body["metadata"]["name"]] = dict(body["spec"])
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"must have manifests of {POLICY} and {BINDING}, each with name and spec") from None
    alone = specs[POLICY].keys() ^ specs[BINDING].keys()
    if alone:
        raise ValueError(f"{min(alone)} must be the name of both a {POLICY} and a {BINDING}")
    return tuple(Policy(name, spec, specs[BINDING][name]) for name, spec in specs[POLICY].items())


def compare(shipped: Policy, policy: Body | None, binding: Body | None) -> Enforcement:
    """Whether the two objects are what was shipped, field for field, as the API server completes it. None: the API
    server has no such object.

    A field that this release does not know counts as a difference: it could take the policy's effect away.
    """
    problems = []
    for kind, wanted, body in ((POLICY, shipped.spec, policy), (BINDING, shipped.binding, binding)):
        if body is None:
            problems.append(f"{kind} {shipped.name} does not exist")
            continue
        found = list(_differences(_complete(kind, wanted), _complete(kind, body.get("spec") or {}), "spec"))
        more = f"; {len(found) - MOST_NAMED} more fields differ" if len(found) > MOST_NAMED else ""
        if found:
            problems.append(f"{kind} {shipped.name}: {'; '.join(found[:MOST_NAMED])}{more}")
    if problems or policy is None or binding is None:
        return Enforcement(problem="; ".join(problems))
    return Enforcement(identity=f"{_state(policy)},{_state(binding)}")


def unbroken(then: str, now: str) -> bool:
    """Whether a policy that was in force with the identity `then` was in force all the time until it is with `now`.

    The API server counts the changes of an object's spec (its generation). After one change, from what was shipped to
    what is shipped now, there was nothing in between: an upgrade of the installation. After two there may have been.
    """
    one, other = _IDENTITY.fullmatch(then), _IDENTITY.fullmatch(now)
    if one is None or other is None:
        return False
    same = (one["policy"], one["binding"]) == (other["policy"], other["binding"])
    return same and all(0 <= int(other[each]) - int(one[each]) <= 1 for each in ("one", "two"))


def distrust(name: str, then: str, now: Enforcement) -> str | None:
    """Why a report is not believed; None: it is. `then`: the identity of the policy called `name` when the report was
    created; empty: it was not in force, and the runner got no token."""
    if not now.identity:
        return f"the admission policy on reports is not in force: {now.problem}"
    if not then:
        return f"the admission policy on reports ({name}) was not in force when the attempt began"
    if not unbroken(then, now.identity):
        return f"the admission policy on reports ({name}) was changed, or replaced, while the attempt ran"
    return None


def _state(body: Body) -> str:
    metadata = body["metadata"]
    return f"{metadata['uid']}:{metadata.get('generation') or 0}"


def _complete(kind: str, spec: Body) -> Any:
    """The spec with the API server's defaults, and without what is empty: to the API server that is the same."""
    match = "matchConstraints" if kind == POLICY else "matchResources"
    completed: dict[str, Any] = {match: {}, **spec}
    if kind == POLICY:
        completed.setdefault("failurePolicy", "Fail")
    if isinstance(completed[match], Mapping):
        matched: dict[str, Any] = {"matchPolicy": "Equivalent", **completed[match]}
        for rules in ("resourceRules", "excludeResourceRules"):
            if isinstance(matched.get(rules), list | tuple):
                matched[rules] = [_with_scope(rule) for rule in matched[rules]]
        completed[match] = matched
    return _without_empty(completed)


def _with_scope(rule: Any) -> Any:
    return {"scope": "*", **rule} if isinstance(rule, Mapping) else rule


def _without_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _without_empty(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each not in (None, {}, [], "")}
    return [_without_empty(each) for each in value] if isinstance(value, list | tuple) else value


def _differences(wanted: Any, found: Any, path: str) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted(wanted.keys() | found.keys()):
            yield from _differences(wanted.get(key), found.get(key), f"{path}.{key}")
    elif isinstance(wanted, list) and isinstance(found, list):
        for index in range(max(len(wanted), len(found))):
            one, other = (each[index] if index < len(each) else None for each in (wanted, found))
            yield from _differences(one, other, f"{path}[{index}]")
    elif wanted != found:
        yield f"{path} is {_short(found)}, not {_short(wanted)}"


def _short(value: Any) -> str:
    if value is None:
        return "absent"
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}…"
