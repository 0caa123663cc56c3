"""Quantities, and rules that cannot be evaluated."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity

from daskjob.schema import FieldError
from daskjob.schema.cel_rules import amount, broken_rules

SUFFIXES = ["", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]


@given(st.decimals(0, 10**6, places=3), st.sampled_from(SUFFIXES))
def test_amounts_are_those_of_the_kubernetes_client(number: Any, suffix: str) -> None:
    assert amount(f"{number:f}{suffix}") == parse_quantity(f"{number:f}{suffix}")


@pytest.mark.parametrize(
    ("one", "other"), [("1e3", "1k"), ("1E-3", "1m"), ("+.5", "500m"), ("1.", "1"), ("1000n", "1u")]
)
def test_amounts_in_other_writings(one: str, other: str) -> None:
    assert amount(one) == amount(other)


@pytest.mark.parametrize("text", ["", "1 Gi", "1e", "Gi", "--1", "1gi"])
def test_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        amount(text)


SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "open": {"x-kubernetes-preserve-unknown-fields": True}},
    "x-kubernetes-validations": [{"rule": "self.a > 1", "message": "make a larger", "fieldPath": ".a"}],
}


def test_a_rule_that_cannot_be_evaluated_is_a_problem_unless_others_explain_it() -> None:
    assert list(broken_rules({"a": 1}, SCHEMA, "spec")) == [FieldError("spec.a", "make a larger")]
    (problem,) = broken_rules({}, SCHEMA, "spec")
    assert problem.path == "spec.a"
    assert problem.message.startswith("cannot be checked")
    assert list(broken_rules({"a": "text"}, SCHEMA, "spec", lenient=True)) == []


def test_open_parts_are_hidden_from_rules() -> None:
    rule = {"rule": "!has(self.open)", "message": "no"}
    assert list(broken_rules({"a": 2, "open": 2**70}, SCHEMA | {"x-kubernetes-validations": [rule]})) == []


def test_rules_about_a_change_are_left_to_the_server() -> None:
    rule = {"rule": "self.a == oldSelf.a", "message": "no"}
    assert list(broken_rules({"a": 2}, SCHEMA | {"x-kubernetes-validations": [rule]})) == []


def test_the_recursion_limit_of_the_process_stays() -> None:
    code = (
        "import sys; sys.setrecursionlimit(1234)\n"
        "from daskjob.schema.cel_rules import broken_rules\n"
        "list(broken_rules(1, {'x-kubernetes-validations': [{'rule': 'self > 0', 'message': ''}]}))\n"
        "print('celpy' in sys.modules, sys.getrecursionlimit())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True 1234\n"


def test_a_pattern_is_refused_in_the_words_of_the_library_once(capfd: pytest.CaptureFixture[str]) -> None:
    rule = {"rule": "'a'.matches(self) ? true : true", "message": "write a pattern"}
    assert list(broken_rules("a+", {"x-kubernetes-validations": [rule]}, "p")) == []
    (problem,) = broken_rules("(", {"x-kubernetes-validations": [rule]}, "p")
    assert problem == FieldError("p", "cannot be checked (missing ): (): write a pattern")
    assert capfd.readouterr().err == ""
