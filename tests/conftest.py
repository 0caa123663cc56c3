"""What all tiers share: their order, the programs of the test cluster, and the cluster itself.

Fixtures: `cluster` (a running cluster), `release` (with images and chart in it), `kube` (an empty namespace of it).
"""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from .support import beside
from .support.dump import dump
from .support.kube import Kube
from .support.platform import Release, load_images, running_cluster
from .support.programs import folder, script
from .support.settings import PREBUILT
from .support.waiting import wait_for

HERE = Path(__file__).parent
#: Folders in the order in which they run, by what their tests need; all others are pure and come first.
TIERS = {
    "chart": "apiserver",
    "gitops": "apiserver",
    "apiserver": "apiserver",
    "faults": "apiserver",
    "packaging": "local",
    "fetch": "local",
    "local": "local",
    "jobs": "local",
    "scale": "cluster",
    "e2e": "cluster",
}
#: The fixture of tests/runner that has the runner's program: its tests start runners, so their tier is `local`.
RUNNER = "program"
MARKERS = {
    "pure": "needs nothing but Python",
    "apiserver": "needs the programs of the test cluster, no pods",
    "local": "runs jobs in processes of this machine",
    "cluster": "needs a cluster with real pods",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fail-on-skip", action="store_true", help="a test that was skipped fails the run")
    beside.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    # What a shell starts in the background ignores Ctrl-C, and so would all that the tests start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    beside.configure(config)
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    os.environ.setdefault("CLUSTER_BIN", str(folder()))
    # How long an example takes says more about the machine than about the code. The examples are the same in every
    # run, so that a run that fails tells of a change; who asks for a number of them gets others each time.
    by_chance = bool(os.environ.get("DASKJOB_EXAMPLES"))
    settings.register_profile("daskjob", settings(), deadline=None, derandomize=not by_chance)
    settings.load_profile("daskjob")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = list(TIERS)

    def folder_of(item: pytest.Item) -> str:
        parts = item.path.relative_to(HERE).parts if item.path.is_relative_to(HERE) else ("",)
        return "local" if RUNNER in getattr(item, "fixturenames", ()) else parts[0]

    for item in items:
        item.add_marker(TIERS.get(folder_of(item), "pure"))
    items.sort(key=lambda item: order.index(folder_of(item)) if folder_of(item) in TIERS else -1)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Builds the programs of the test cluster if a test is going to need them."""
    if session.config.option.collectonly or PREBUILT:
        return
    if any(item.get_closest_marker(tier) for item in session.items for tier in ("apiserver", "cluster")):
        script("build", timeout=3600)


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.option.fail_on_skip and reporter is not None:
        left_out = [name for name in ("skipped", "xfailed", "xpassed") if reporter.stats.get(name)]
        if left_out:
            reporter.write_line(f"--fail-on-skip: some tests were {' or '.join(left_out)}", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Adds what happened in the test's namespace to the report of a failure."""
    report = yield
    kube = getattr(item, "namespace", None)
    if report.when != "teardown" and report.failed and kube is not None:
        report.sections.append((f"namespace {kube.namespace}", dump(kube)))
    return report


@pytest.fixture(scope="session")
def cluster() -> Iterator[Kube]:
    """The cluster that KUBECONFIG names, else our own."""
    with running_cluster() as kube:
        yield kube


@pytest.fixture(scope="session")
def release(cluster: Kube) -> Iterator[Release]:
    """The chart, installed by Helm with the image of this source. What was there before stays, upgraded."""
    images = load_images(cluster)
    release = Release(cluster, revision=Path(images["operator"]).stem)
    was_there = release.installed()
    release.install()
    yield release
    if not was_there:
        release.uninstall()


@pytest.fixture
def kube(request: pytest.FixtureRequest, release: Release) -> Iterator[Kube]:
    """A namespace of the test's own, deleted afterwards."""
    kube = request.node.namespace = make_namespace(release.kube, request.node.originalname)
    yield kube
    kube.delete("namespace", kube.namespace)


def make_namespace(kube: Kube, title: str, labels: dict[str, str] | None = None) -> Kube:
    """A new namespace with a name made of `title`, as soon as pods can be made in it."""
    words = "".join(letter if letter.isalnum() else "-" for letter in title.lower()).removeprefix("test-")
    name = f"t-{words[:40].strip('-')}-{uuid.uuid4().hex[:5]}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}})
    made = kube.within(name)
    wait_for("its default service account", lambda: made.get("serviceaccount", "default"), bool, 60)
    return made
