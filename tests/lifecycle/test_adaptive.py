"""The size of an adaptive cluster."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.lifecycle.job.actions import Delete, Scale
from daskjob.lifecycle.job.adaptive import scale
from daskjob.lifecycle.pods import Pod

from .builders import ATTEMPT, Scene, a_job, running


def workers(count: int) -> tuple[str, ...]:
    return tuple(f"w-{number}" for number in range(count))


def pods(count: int) -> tuple[Pod, ...]:
    return tuple(replace(running("worker", number), name=name) for number, name in enumerate(workers(count)))


def adaptive(minimum: int, maximum: int, there: int, wanted: int | None, retired: tuple[str, ...] = ()) -> Scene:
    said = {"connected": there, "wanted": wanted, "retired": list(retired)}
    scene = a_job().with_workers(adaptive={"minimum": minimum, "maximum": maximum}).started()
    return scene.group(there).workers(*pods(there)).says(workers=said)


def actions(scene: Scene) -> tuple[list[str], int | None]:
    """(pods to delete, number to scale to)."""
    found = scale(scene.observe())
    gone = [each.target.name for each in found if isinstance(each, Delete)]
    numbers = [each.replicas for each in found if isinstance(each, Scale)]
    assert all(each.group == f"{ATTEMPT}-default" for each in found if isinstance(each, Scale))
    return gone, numbers[0] if numbers else None


SIZES = {
    "more": (adaptive(1, 8, 2, 5), ([], 5)),
    "more than allowed": (adaptive(1, 4, 2, 50), ([], 4)),
    "as many": (adaptive(1, 8, 2, 2), ([], None)),
    "fewer, none retired yet": (adaptive(1, 8, 3, 1), ([], None)),
    "fewer, one retired": (adaptive(1, 8, 3, 2, ("w-1",)), (["w-1"], 2)),
    "one retired, one more wanted": (adaptive(1, 8, 3, 4, ("w-1",)), (["w-1"], 4)),
    "all retired": (adaptive(2, 8, 3, 0, workers(3)), (["w-0"], 2)),
    "somebody unknown retired": (adaptive(1, 8, 2, 2, ("w-9",)), ([], None)),
    "nothing said": (adaptive(1, 8, 2, None), ([], None)),
    "nothing said, one retired": (adaptive(1, 8, 2, None, ("w-0",)), (["w-0"], 1)),
    "a pod is still to come": (adaptive(1, 8, 2, 5).group(4), ([], None)),
    "fewer than the minimum, all of them retired": (adaptive(3, 8, 2, 0, workers(2)).group(3), ([], None)),
}


@pytest.mark.parametrize(("scene", "expected"), SIZES.values(), ids=SIZES)
def test_size(scene: Scene, expected: tuple[list[str], int | None]) -> None:
    assert actions(scene) == expected


def test_a_fixed_cluster_and_one_that_has_not_started_are_left_alone() -> None:
    assert scale(a_job().with_workers(replicas=2).started().group(2).says(workers={"wanted": 9}).observe()) == []
    scene = a_job().with_workers(adaptive={"minimum": 1, "maximum": 9}).accepted().cluster().group(1)
    assert scale(scene.report(workers={"wanted": 9}).observe()) == []
    assert scale(adaptive(1, 9, 2, 5).sees(groups={}).observe()) == []


@given(
    st.integers(1, 5),
    st.integers(0, 5),
    st.integers(0, 6),
    st.integers(0, 15) | st.none(),
    st.sets(st.integers(0, 6)),
    st.integers(0, 6),
)
def test_a_cluster_stays_within_its_bounds(
    minimum: int, span: int, there: int, wanted: int | None, retired: set[int], replicas: int
) -> None:
    maximum = minimum + span
    names = tuple(f"w-{number}" for number in sorted(retired))
    gone, number = actions(adaptive(minimum, maximum, there, wanted, names).group(replicas))
    assert there - len(gone) >= min(there, minimum), "workers were deleted below the minimum"
    assert set(gone) <= set(names)
    if number is not None:
        assert minimum <= number <= max(maximum, there)
        assert number >= there - len(gone), "dask-kubernetes would pick workers to remove itself"
