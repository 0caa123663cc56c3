"""A second pytest beside this one: its tests are counted and reported as this one's, in one summary."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

#: Seconds for the other one's fixtures to undo what they did, if this one is interrupted.
PATIENCE = 60
STOPPED = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)
#: What happened to a test, as both processes keep it: by category ("passed", "failed", …).
Reports = dict[str, list[Any]]


def add_options(parser: pytest.Parser) -> None:
    parser.addoption("--beside", metavar="ARGUMENTS", help="run pytest with these, too, in a process of low priority")
    parser.addoption("--reports-to", metavar="FILE", type=Path, help="write there what happened to each test")


def configure(config: pytest.Config) -> None:
    if config.option.beside is not None:
        config.pluginmanager.register(Beside(config), "beside")
    if config.option.reports_to is not None:
        config.pluginmanager.register(Recorder(config, config.option.reports_to), "recorder")


def reports_of(config: pytest.Config) -> Reports:
    """What the terminal's summary is made of. Without a terminal: nothing."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return {} if reporter is None else reporter.stats


class Recorder:
    """Writes at the end what happened to each test, as JSON."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self.config, self.path = config, path

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        found = {category: self._plain(reports) for category, reports in reports_of(self.config).items()}
        self.path.write_text(json.dumps(found, default=str))

    def _plain(self, reports: list[Any]) -> list[dict[str, Any]]:
        # Others are warnings, and items that were left out.
        kept = [each for each in reports if isinstance(each, pytest.TestReport | pytest.CollectReport)]
        plain = [self.config.hook.pytest_report_to_serializable(config=self.config, report=each) for each in kept]
        for each, report in zip(plain, kept, strict=True):
            if report.passed:
                # What a test printed is shown if it failed.
                each["sections"] = []
        return plain


class Beside:
    """The other process, from this one's beginning until its end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.arguments: str = config.option.beside
        self.folder = tempfile.TemporaryDirectory(prefix="daskjob-beside-")
        self.reports = Path(self.folder.name, "reports.json")
        self.output = Path(self.folder.name, "output")
        self.process: subprocess.Popen[bytes] | None = None

    def pytest_report_header(self) -> str:
        return f"beside it, in the same summary: pytest {self.arguments} (writes to {self.output})"

    def pytest_sessionstart(self) -> None:
        command = ["nice", "-n", "5", sys.executable, "-m", "pytest", *shlex.split(self.arguments)]
        command += ["--reports-to", str(self.reports)]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Waits for it, and takes its tests over, before the summary is written."""
        assert self.process is not None
        if session.exitstatus in STOPPED:
            self._stop(self.process)
        failed = self._merge(self.process.wait())
        if failed and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _merge(self, code: int) -> bool:
        """Whether anything of it failed."""
        ours = reports_of(self.config)
        theirs: Reports = json.loads(self.reports.read_text()) if self.reports.exists() else {}
        for category, reports in theirs.items():
            ours.setdefault(category, []).extend(self._report(each) for each in reports)
        failures = bool(theirs.get("failed") or theirs.get("error"))
        if code != pytest.ExitCode.OK and not failures:
            words = f"pytest {self.arguments} ended with {code}:\n{self.output.read_text(errors='replace')}"
            report = pytest.CollectReport("what ran beside", "failed", words, None)
            ours.setdefault("error", []).append(report)
        return code != pytest.ExitCode.OK

    def _report(self, plain: dict[str, Any]) -> Any:
        if isinstance(plain["longrepr"], list):
            # Where and why a test was skipped; JSON knows no tuples.
            plain["longrepr"] = tuple(plain["longrepr"])
        return self.config.hook.pytest_report_from_serializable(config=self.config, data=plain)

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()

    def pytest_unconfigure(self) -> None:
        self.folder.cleanup()
