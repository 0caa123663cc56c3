"""The runner's pure parts: when to patch, what to count, how many workers, what an exit means, the archive."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.runner import archive, cadence, snapshot
from daskjob.runner.adaptive_size import Scaler
from daskjob.runner.supervise import describe_exit
from daskjob.runner.task_counts import Progress
from daskjob.wire.worker_groups import AdaptiveBounds

CADENCE = {
    "the first at once": ((100.0, None, None, None), 100.0),
    "a heartbeat": ((0.0, 10.0, None, None), 15.0),
    "a heartbeat after long": ((0.0, 2000.0, None, None), 2015.0),
    "a stage waits a little for more": ((0.0, 0.1, 5.0, None), 5.1),
    "a stage soon after the last patch": ((0.0, 4.9, 4.5, None), 5.9),
    "progress early": ((0.0, 3.0, None, 3.2), 4.0),
    "progress late": ((0.0, 100.0, None, 100.1), 105.0),
    "progress very late": ((0.0, 10_000.0, None, 10_000.1), 10_015.0),
    "a stage hurries progress": ((0.0, 100.0, 100.5, 100.1), 101.5),
}


@pytest.mark.parametrize("case", CADENCE)
def test_next_patch(case):
    times, due = CADENCE[case]
    assert cadence.next_patch(*times) == pytest.approx(due)


def test_patches_of_a_job_that_always_has_news():
    def patches(duration: float) -> int:
        count, now = 1, 0.0
        while (now := cadence.next_patch(0.0, now, None, now)) < duration:
            count += 1
        return count + 1

    assert patches(3) <= 4
    assert patches(60) < 45
    assert patches(3600) < 300


def test_backoff_grows_to_its_limit():
    waits = [cadence.backoff(failures, 8.0) for failures in range(1, 50)]
    assert waits[0] == 0.1
    assert waits == sorted(waits)
    assert waits[-1] == 8.0


ROWS = st.tuples(*[st.integers(0, 50)] * 6).map(list)


@given(st.lists(st.dictionaries(st.sampled_from("ab"), ROWS)))
def test_done_never_goes_back_and_never_exceeds_the_total(rows):
    progress, done = Progress(), 0
    for each in rows:
        counts = progress.take(each)
        assert counts["done"] >= done
        assert counts["done"] + counts["processing"] + counts["erred"] <= counts["total"]
        assert all(count >= 0 for name, count in counts.items() if name != "prefixes")
        done = counts["done"]


def test_counts():
    progress = Progress()

    def take(**rows: list[int]) -> tuple[int, int, int, int]:
        counts = progress.take(rows)
        return counts["total"], counts["done"], counts["processing"], counts["erred"]

    assert take(a=[4, 0, 2, 2, 0, 0]) == (4, 0, 2, 0)
    assert take(a=[4, 2, 1, 1, 0, 0]) == (4, 2, 1, 0)
    # A worker is lost: one task is computed again, and counts once.
    assert take(a=[4, 2, 1, 2, 0, 0]) == (4, 2, 1, 0)
    assert take(a=[4, 5, 0, 0, 0, 0]) == (4, 4, 0, 0)
    # One more errs, and succeeds when tried again.
    assert take(a=[5, 5, 0, 0, 1, 1]) == (5, 4, 0, 1)
    assert take(a=[5, 6, 0, 0, 1, 0]) == (5, 5, 0, 0)
    # Client.restart: the scheduler forgets everything.
    assert take(a=[2, 0, 2, 0, 0, 0]) == (7, 5, 2, 0)
    assert take(a=[2, 2, 0, 0, 0, 0], b=[1, 1, 0, 0, 0, 0]) == (8, 8, 0, 0)


def test_prefixes_are_the_largest_in_order_of_appearance():
    counts = Progress().take({f"p{n}": [n + 1, n + 1, 0, 0, 0, 0] for n in range(60)})
    assert [row["name"] for row in counts["prefixes"]] == [f"p{n}" for n in range(10, 60)]
    assert counts["total"] == sum(range(1, 61))


class Collection:
    """A scheduler's prefix of tasks, as far as a snapshot looks at it."""

    def __init__(self, name: str, states: dict[str, int], ever: dict[str, int]) -> None:
        self.name, self.states, self.state_counts = name, states, ever


def scheduler(prefixes: list[Collection]) -> SimpleNamespace:
    nothing: dict[str, Any] = {"workers": {}, "clients": {}, "resources": {}, "unrunnable": []}
    return SimpleNamespace(id="S", task_prefixes={each.name: each for each in prefixes}, **nothing)


def test_a_snapshot_counts_what_was_forgotten_too():
    states = {"waiting": 1, "queued": 2, "no-worker": 3, "processing": 4, "memory": 5, "erred": 6, "forgotten": 0}
    found = json.loads(snapshot.counts(scheduler([Collection("p", states, {"forgotten": 7, "memory": 8, "erred": 9})])))
    assert found["prefixes"] == {"p": [28, 8, 4, 6, 9, 6]}
    assert found["spent"] >= 0


def test_a_thousand_prefixes_are_told_apart_and_all_are_counted():
    prefixes = [Collection(f"p{n}", {"memory": 2, "processing": 1}, {"memory": 2}) for n in range(1500)]
    rows = json.loads(snapshot.counts(scheduler(prefixes)))["prefixes"]
    assert list(rows) == [*(f"p{n}" for n in range(1000)), ""]
    assert rows[""] == [1500, 1000, 500, 0, 0, 0]
    counts = Progress().take(rows)
    assert (counts["total"], counts["done"], counts["processing"]) == (4500, 3000, 1500)
    assert [row["name"] for row in counts["prefixes"]] == [f"p{n}" for n in range(50)]


def test_a_snapshot_may_leave_out_the_counts():
    assert "prefixes" not in json.loads(snapshot.counts(scheduler([Collection("p", {"memory": 1}, {})]), whole=False))


def test_what_takes_the_scheduler_long_is_counted_seldom():
    assert cadence.next_count(100.0, 0.0) == 100.0
    assert cadence.next_count(100.0, 0.02) == pytest.approx(102.0)
    assert cadence.next_count(100.0, 3.0) == pytest.approx(110.0)


def test_scaler_goes_up_at_once_and_down_after_a_while():
    scaler = Scaler(AdaptiveBounds(1, 5, cooldown=15))
    assert scaler.decide(0, 0, 0) == (1, 0)
    assert scaler.decide(2, 3, 1) == (3, 0)
    assert scaler.decide(4, 9, 1) == (5, 0)
    assert scaler.decide(6, 2, 5) == (5, 0)
    assert scaler.decide(20, 2, 5) == (5, 0)
    assert scaler.decide(21, 2, 5) == (2, 3)
    assert scaler.decide(23, 2, 2) == (2, 0)
    assert scaler.decide(25, 0, 2) == (2, 0)
    assert scaler.decide(27, 4, 2) == (4, 0)
    assert scaler.decide(29, 0, 4) == (4, 0)
    assert scaler.decide(44, 0, 4) == (1, 3)


@given(st.integers(0, 3), st.integers(0, 5), st.lists(st.tuples(st.integers(0, 20), st.integers(0, 12))))
def test_scaler_stays_within_its_bounds(minimum, extra, steps):
    scaler = Scaler(AdaptiveBounds(minimum, minimum + extra, cooldown=3))
    for now, (target, running) in enumerate(steps):
        wanted, surplus = scaler.decide(float(now), target, running)
        assert minimum <= wanted <= minimum + extra
        assert surplus == 0 or running - surplus >= minimum


EXITS = {
    "0": (0, False, "ExitedEarly", "exit code 0", 0),
    "3": (3 << 8, False, "ExitCode", "exit code 3", 3),
    "segmentation fault": (11, False, "Signal", "SIGSEGV", 139),
    "killed": (9, False, "Signal", r"SIGKILL (often: out of memory)", 137),
    "out of memory": (9, True, "Signal", "SIGKILL: out of memory; raise spec.runner.resources", 137),
    "real-time signal": (40, False, "Signal", "signal 40", 168),
    "unknown": (None, False, "ExitedEarly", "", 0),
}


@pytest.mark.parametrize("case", EXITS)
def test_exit(case):
    status, memory, reason, message, code = EXITS[case]
    failure = describe_exit(status, memory)["failure"]
    assert (failure["reason"], failure["exitCode"]) == (reason, code)
    assert message in failure["message"]


def test_archive_is_always_the_same_and_has_what_it_needs():
    data = archive.build()
    assert data == archive.build()
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert names == sorted(names)
    assert "daskjob/runner/__main__.py" in names
    assert "daskjob/results/codec.py" in names
    assert "daskjob/runner/archive.py" not in names
    # A ConfigMap holds 1 MiB, in base64.
    assert len(data) < 500_000


LATER = {"distributed", "dask", "asyncio", "ssl", "http.client", "subprocess", "ctypes"}


PARENT = [("process_group", LATER | {"json", "daskjob.wire"}), ("supervise", LATER)]


@pytest.mark.parametrize(("module", "later"), PARENT)
def test_parent_imports_little(program, module, later):
    code = (
        f"import sys; sys.path.insert(0, {str(program)!r}); import daskjob.runner.{module}\n"
        f"early = {later} & set(sys.modules)\n"
        "assert not early, early"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True)
