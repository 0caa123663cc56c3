"""A manifest that somebody else wrote: whatever is in it, the answer comes in time, in words, and moves no terminal."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daskjob.cli.commands import daskjob

JOB = """\
apiVersion: daskjob.io/v1alpha1
kind: DaskJob
metadata: {name: a}
spec:
  graph: {entrypoint: 'a:b', args: [%s]}
  cluster: {image: i}
  priority: %s
%s
"""
#: Red, the window's title, 8-bit codes, a direction mark, a backspace, a null, half a character.
MARKS = ["\x1b[31m", "\x1b]0;owned\x07", "\x9b31m", "\x9d0;x\x9c", "\u202e", "\x08", "\x00", "\u2028", "\r", "\ufeff"]
ESCAPED = st.sampled_from([*MARKS, "a", " ", "é", "\n"]).map(
    lambda each: f"\\u{ord(each[0]):04x}" + each[1:].encode("unicode_escape").decode()
)
SCALARS = st.sampled_from(
    [
        *("1", "-1", "0x" + "f" * 30, "9" * 99, "1e999", ".nan", ".inf", "~", "true", "12:30", "²", "'٣'", "1_0", "''"),
        *("!!binary aGk=", "!!set {a}", "!!omap [a: 1]", "!!timestamp 2020-01-01", "!!int x", "!!bool x", "!x y"),
        *("*a", "&a [x]", "&a {<<: *a}", "{<<: 1}", "{<<: [1]}", "? [a]", "{? [a] : b}", "{1: 2}", "{~: 1}", "- x"),
    ]
) | st.lists(ESCAPED, max_size=5).map(lambda parts: f'"{"".join(parts)}"')
TEXTS = st.lists(SCALARS, max_size=4)


def call(text: str, folder: Path) -> tuple[int, str]:
    (folder / "job.yaml").write_text(text, encoding="utf-8", errors="replace")
    result = CliRunner().invoke(daskjob, ["validate", str(folder / "job.yaml")])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS, SCALARS, st.dictionaries(SCALARS, SCALARS, max_size=3))
def test_whatever_is_in_it(tmp_path: Path, args: list[str], priority: str, fields: dict[str, str]) -> None:
    more = "\n".join(f"  {name}: {value}" for name, value in fields.items())
    code, output = call(JOB % (", ".join(args), priority, more), tmp_path)
    assert code in (0, 2)
    assert output.replace("\n", "").replace("\t", "").isprintable(), ascii(output)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(
        st.sampled_from("[]{}-:,?&*!|>'\"% #\n\tab01.<~") | st.sampled_from(MARKS).map(lambda each: each[0]),
        max_size=80,
    )
)
def test_whatever_it_is(tmp_path: Path, text: str) -> None:
    code, output = call(f"kind: DaskJob\n{text}", tmp_path)
    assert code == 2
    assert output.replace("\n", "").replace("\t", "").isprintable(), ascii(output)


def wide(fields: int) -> str:
    return JOB % ("", "0", "\n".join(f"  k{number}: 1" for number in range(fields)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (JOB % ("", "'²'", ""), 'spec.priority: must be a whole number, not the text "²"\n'),
        (JOB % ("", f"'{'9' * 5000}'", ""), "spec.priority: must be a whole number, not the text"),
        (JOB % ("", f"0x{'f' * 99}"[:90], ""), "spec.priority: is beyond 64 bits"),
        (wide(20_000), "spec: has 19980 more unknown fields"),
        (JOB % ("1, " * 140_000, "0", ""), "args), of at most 262144"),
        (JOB % (f"'{'x' * 4_000_000}'", "0", ""), "1 (a): takes more than 1310720 bytes as JSON, of at most 655360"),
        ("---\nkind: DaskJob\n" * 20_000, "and 39799 more problems"),
    ],
    ids=[
        "no digit of ours",
        "many digits",
        "hexadecimal",
        "many fields",
        "many values",
        "a long text",
        "many documents",
    ],
)
def test_the_answer_comes_in_time_and_words(text: str, words: str, tmp_path: Path) -> None:
    began = time.process_time()
    code, output = call(text, tmp_path)
    assert (code, words in output) == (2, True), output[-1000:]
    assert time.process_time() - began < 15
    assert len(output) < 100_000
