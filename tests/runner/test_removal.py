"""What the pod runs that deletes a job's results: its own folder, all of it, and nothing beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from daskjob.fetch import program
from daskjob.results import opened_store
from daskjob.runner import removal

UID = "0b4f"


@pytest.fixture
def remove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the orders. Gives the exit code and the termination message."""
    log = tmp_path / "log"
    monkeypatch.setenv("DASKJOB_TERMINATION_LOG", str(log))
    monkeypatch.setattr(program, "PAUSE", 0.01)

    def remove(**orders: Any) -> tuple[int, dict[str, Any]]:
        whole = {"url": f"file://{tmp_path}/store", "options": {}, "folder": ["team", "one", UID], "uid": UID}
        code = removal.run(json.dumps({**whole, "seconds": 5, **orders}))
        return code, json.loads(log.read_text())

    return remove


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for path in (
        f"team/one/{UID}/1/manifest.json",
        f"team/one/{UID}/2/value.zarr/c/0",
        "team/one/0b4e/1/x",
        "team/two/y",
    ):
        file = tmp_path / "store" / path
        file.parent.mkdir(parents=True)
        file.touch()
    return tmp_path / "store"


def left(store: Path) -> set[str]:
    return {str(each.relative_to(store)) for each in store.rglob("*") if each.is_file()}


OTHERS = {"team/one/0b4e/1/x", "team/two/y"}


def test_all_attempts_go_and_those_of_others_stay(remove: Any, store: Path) -> None:
    code, message = remove()
    assert (code, message["outcome"], message["result"]["value"]) == (0, "Succeeded", "2")
    assert left(store) == OTHERS
    assert not (store / f"team/one/{UID}").exists()
    # Once more, as after a restart.
    assert remove()[1]["result"]["value"] == "0"


@pytest.mark.parametrize(
    "orders",
    [
        {"folder": ["team", "one"]},
        {"folder": ["team", "one", "..", UID]},
        {"folder": ["team", "", UID]},
        {"folder": ["team/one", UID]},
        {"folder": ["team", "one", "0b4e"]},
        {"folder": ["team", "one", ""], "uid": ""},
    ],
    ids=str,
)
def test_another_folder_than_the_jobs_is_not_touched(remove: Any, store: Path, orders: dict[str, Any]) -> None:
    before = left(store)
    code, message = remove(**orders)
    assert (code, message["failure"]["reason"]) == (1, "StoreNotFound")
    assert left(store) == before


def test_links_are_not_followed(remove: Any, store: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "theirs").touch()
    (store / f"team/one/{UID}/link").symlink_to(outside)
    assert remove()[0] == 0
    assert (outside / "theirs").exists()
    (store / f"team/one/{UID}").symlink_to(outside)
    remove()
    assert (outside / "theirs").exists()


def test_a_volume_that_is_not_mounted_is_told(remove: Any) -> None:
    code, message = remove()
    assert (code, message["failure"]["reason"]) == (1, "StoreNotFound")


def test_a_store_that_is_away_for_a_moment_is_tried_again(
    remove: Any, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries, whole = [], opened_store.Store.remove_all

    def sometimes(self: opened_store.Store) -> int:
        tries.append(1)
        if len(tries) < 3:
            raise opened_store.StoreProblem(opened_store.UNAVAILABLE, "not now")
        return whole(self)

    monkeypatch.setattr(opened_store.Store, "remove_all", sometimes)
    assert (remove()[0], len(tries)) == (0, 3)
    assert left(store) == OTHERS


def test_a_store_that_stays_away_is_told(remove: Any, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: opened_store.Store) -> int:
        raise opened_store.StoreProblem(opened_store.UNAVAILABLE, "not now")

    monkeypatch.setattr(opened_store.Store, "remove_all", never)
    code, message = remove(seconds=0.05)
    assert (code, message["failure"]) == (1, {"reason": "StoreUnavailable", "message": "not now"})
