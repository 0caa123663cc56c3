"""The CEL half of a CRD's schema: x-kubernetes-validations, evaluated with cel-python.

Rules about a change (`oldSelf`) need the stored object, so only the API server evaluates them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from daskjob.schema.field_error import FieldError, join
from daskjob.schema.quantity import amount, is_quantity
from daskjob.schema.stored import OPEN

if TYPE_CHECKING:
    from celpy import Runner
    from celpy.celtypes import Value


class CannotEvaluate(Exception):
    """A rule cannot be evaluated, for instance because a field that it uses has a wrong type."""


def broken_rules(value: Any, schema: dict[str, Any], path: str = "", *, lenient: bool = False) -> Iterator[FieldError]:
    """An error for every CEL rule of the structural `schema` that `value`, with its defaults, breaks.

    A rule that cannot be evaluated is an error too, as for the API server. With `lenient` it is not: then the value has
    other errors, which are the cause.
    """
    for rule in schema.get("x-kubernetes-validations", []):
        if re.search(r"\boldSelf\b", rule["rule"]):
            continue
        where = path + rule.get("fieldPath", "") if path else rule.get("fieldPath", "").removeprefix(".")
        try:
            holds = _holds(rule["rule"], value, schema)
        except CannotEvaluate as error:
            if not lenient:
                yield FieldError(where, f"cannot be checked ({error}): {rule['message']}")
            continue
        if not holds:
            yield FieldError(where, rule["message"])
    if isinstance(value, dict):
        for name, each in value.items():
            inner = schema.get("properties", {}).get(name)
            if inner is not None:
                yield from broken_rules(each, inner, join(path, name), lenient=lenient)
            elif "additionalProperties" in schema:
                values = schema["additionalProperties"]
                yield from broken_rules(each, values, f"{path}[{name}]", lenient=lenient)
    elif isinstance(value, list) and "items" in schema:
        for index, each in enumerate(value):
            yield from broken_rules(each, schema["items"], join(path, index), lenient=lenient)


def _holds(rule: str, value: Any, schema: dict[str, Any]) -> bool:
    from celpy.evaluation import CELEvalError

    try:
        return bool(_program(rule).evaluate({"self": _as_cel(value, schema)}))
    except (CELEvalError, ValueError, TypeError) as error:
        raise CannotEvaluate(str(error).partition("\n")[0]) from error


@cache
def _program(rule: str) -> Runner:
    environment = _environment()
    program: Runner = environment.program(environment.compile(rule), functions=_functions())
    return program


@cache
def _environment() -> Any:
    # Slow to import, and needed only to validate.
    from celpy import Environment

    limit = sys.getrecursionlimit()
    try:
        return Environment()
    finally:
        # Creating the environment raises the recursion limit of the process; rules this small do not need that.
        sys.setrecursionlimit(limit)


def _as_cel(value: Any, schema: dict[str, Any]) -> Value:
    """`value` as a CEL value, without the contents of open fields, which the server hides from rules as well."""
    from celpy import celtypes

    match value:
        case bool():
            return celtypes.BoolType(value)
        case int():
            return celtypes.IntType(value)
        case float():
            return celtypes.DoubleType(value)
        case str():
            return celtypes.StringType(value)
        case list():
            return celtypes.ListType([_as_cel(each, schema.get("items", {})) for each in value])
        case dict():
            properties, values = schema.get("properties", {}), schema.get("additionalProperties")
            named = {name: properties.get(name, values) for name in value}
            return celtypes.MapType(
                {
                    celtypes.StringType(name): _as_cel(value[name], inner)
                    for name, inner in named.items()
                    if inner is not None and not (inner.get(OPEN) and "type" not in inner)
                }
            )
        case _:
            return None


def _functions() -> dict[str, Any]:
    """Those of Kubernetes' own CEL functions that the rules use."""
    from celpy import celtypes

    return {
        "matches": _matches,
        "sum": lambda numbers: celtypes.IntType(sum(numbers)),
        "isQuantity": lambda text: celtypes.BoolType(is_quantity(text)),
        "quantity": lambda text: text,
        "isGreaterThan": lambda one, other: celtypes.BoolType(amount(one) > amount(other)),
    }


def _matches(text: str, pattern: str) -> Any:
    """CEL's `matches`, without the library's log lines about a bad pattern.

    Raises CannotEvaluate, which no operator of the rule catches, for a pattern that RE2 does not support.
    """
    import re2
    from celpy import celtypes

    options = re2.Options()
    options.log_errors = False
    try:
        return celtypes.BoolType(re2.search(pattern, text, options) is not None)
    except re2.error as error:
        (words,) = error.args
        raise CannotEvaluate(words.decode(errors="replace")) from error
