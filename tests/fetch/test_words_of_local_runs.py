"""What goes wrong in a local run is told in words that are true there: who runs `daskjob run` has no pods."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable

import pytest

from daskjob.fetch import archive_file, git_words, web
from daskjob.fetch.fetch_problem import FetchProblem
from daskjob.fetch.packages import Packages
from daskjob.fetch.source_secret import Credentials
from daskjob.local.reaper import MARKER
from daskjob.results.opened_store import LOCAL_VARIABLE, problem_of, within
from daskjob.results.opened_store import StoreProblem as Problem

#: What only a cluster has.
ONLY_THERE = re.compile(
    r"\b([Ii]mage|[Pp]ods?|[Ss]ecrets?|secretRef|[Nn]amespace|kubectl|fsGroup|[Tt]emplates?|[Vv]olume)\b"
)
NONE = Credentials()


def silent() -> str:
    forever = threading.Event()
    with pytest.raises(Problem) as caught:
        within(0.01, "s3://bucket/x", forever.wait)
    forever.set()
    return caught.value.message


def store(error: Exception, url: str = "s3://bucket/x") -> Callable[[], str]:
    return lambda: problem_of(error, url, "write a").message


def git(words: str) -> Callable[[], str]:
    return lambda: git_words.git_problem(words, "spec.graph.source.git", NONE).message


def archive(error: Exception) -> Callable[[], str]:
    return lambda: archive_file._meaning(error, "spec.graph.source.archive", NONE).message


def pip(output: str) -> Callable[[], str]:
    return lambda: Packages(["a"])._problem(output, NONE).message


def untrusted() -> str:
    error = ssl.SSLCertVerificationError(1, "self-signed certificate")
    error.verify_code, error.verify_message = 18, "self-signed certificate"
    problem: FetchProblem = web._unreachable(error, "spec.graph.source.archive", "host")
    return problem.message


CASES: dict[str, Callable[[], str]] = {
    "no driver": store(ModuleNotFoundError("No module named 's3fs'")),
    "no rights": store(PermissionError("Access Denied")),
    "no right on a folder": store(PermissionError(13, "Permission denied"), "file:///x"),
    "no folder": store(FileNotFoundError("/x"), "file:///x"),
    "no bucket": store(FileNotFoundError("bucket")),
    "no answer": silent,
    "no ssh": git("error: cannot run ssh: No such file or directory"),
    "no password": git("fatal: Authentication failed for 'https://host/x'"),
    "no key": git("git@host: Permission denied (publickey)."),
    "another key": git("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!"),
    "no authority": git("fatal: server certificate verification failed"),
    "no archive driver": archive(ImportError("install s3fs")),
    "no right on an archive": archive(PermissionError("AccessDenied")),
    "no pip": pip("/usr/bin/python3: No module named pip"),
    "an old pip": pip("no such option: --report"),
    "other versions": pip("ERROR: ResolutionImpossible: for help visit"),
    "an index that refuses": pip("ERROR: HTTP error 401: 401 Client Error"),
    "no trust": untrusted,
}


@pytest.mark.parametrize("name", CASES)
def test_no_word_is_of_a_cluster(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOCAL_VARIABLE, "this-run")
    found = ONLY_THERE.findall(CASES[name]())
    assert found == []


def test_processes_of_a_local_run_have_the_variable() -> None:
    assert MARKER == LOCAL_VARIABLE


def test_no_words_have_what_stands_before_a_host() -> None:
    """Of a proxy, or of an index that a variable names."""
    words = "ProxyError at http://me:se@cret@proxy:3128/, https://token@index/simple; ssh://git@host is a user"
    shown = "ProxyError at http://***@proxy:3128/, https://***@index/simple; ssh://git@host is a user"
    assert NONE.without_secrets(words) == shown
