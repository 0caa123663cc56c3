"""What a process makes of its container: a home, a name, a folder to work in, and the memory that it may use."""

from __future__ import annotations

import getpass
import os
import pwd
from pathlib import Path

import pytest

from daskjob.runner import surroundings
from daskjob.runner.surroundings import (
    HOME_VARIABLE,
    PROCESSES_VARIABLE,
    REQUEST_VARIABLE,
    SCRATCH_VARIABLE,
    SECRET_VARIABLE,
    memory_limit,
    settle_in,
)

NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An image with a home, packages of its user, and a working folder with files; nothing of it is writable but what
    `writable` names. The process is to use `tmp`."""
    for folder in ("home/.local/lib", "app/data", "tmp"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "app/data/numbers.csv").write_text("1,2\n")
    (tmp_path / "app/model.py").write_text("size = 3\n")
    writable = {tmp_path / "tmp"}

    def access(path: str, mode: int) -> bool:
        found = Path(path)
        return not mode & os.W_OK or found in writable or bool(writable.intersection(found.parents))

    monkeypatch.setattr(surroundings.os, "access", access)
    monkeypatch.setattr(surroundings.os, "environ", dict(os.environ))
    environment = surroundings.os.environ
    for name in (*NAMES, "PYTHONUSERBASE"):
        environment.pop(name, None)
    environment["HOME"] = str(tmp_path / "home")
    environment[HOME_VARIABLE] = environment[SCRATCH_VARIABLE] = str(tmp_path / "tmp")
    monkeypatch.chdir(tmp_path / "app")
    return writable


def test_a_home_that_is_writable_stays_and_so_does_the_working_folder(image, tmp_path: Path) -> None:
    image |= {tmp_path / "home", tmp_path / "app"}
    settle_in()
    assert (os.environ["HOME"], Path.cwd()) == (str(tmp_path / "home"), tmp_path / "app")
    assert "PYTHONUSERBASE" not in os.environ


@pytest.mark.parametrize("home", ["home", "does-not-exist", None, ""])
def test_without_a_writable_home_it_is_the_scratch_folder(image, tmp_path: Path, home: str | None) -> None:
    if home:
        os.environ["HOME"] = str(tmp_path / home)
    elif home is None:
        del os.environ["HOME"]
    else:
        os.environ["HOME"] = ""
    settle_in()
    assert os.environ["HOME"] == str(tmp_path / "tmp")
    # The image's packages are still found, by processes that this one starts, too.
    packages = str(tmp_path / "home/.local") if home == "home" else None
    assert os.environ.get("PYTHONUSERBASE") == packages


def test_a_home_that_the_user_chose_stays(image, tmp_path: Path) -> None:
    del os.environ[HOME_VARIABLE]
    settle_in()
    assert os.environ["HOME"] == str(tmp_path / "home")


@pytest.mark.parametrize("again", [False, True])
def test_a_folder_to_write_into_leads_to_what_the_image_has_there(image, tmp_path: Path, again: bool) -> None:
    settle_in()
    if again:
        os.chdir(tmp_path / "app")
        settle_in()
    assert Path("data/numbers.csv").read_text() == "1,2\n"
    Path("written").write_text("by the job")
    assert Path.cwd().is_relative_to(tmp_path / "tmp")
    assert sorted(os.listdir()) == ["data", "model.py", "written"]
    assert not (tmp_path / "app/written").exists()


def test_a_working_folder_with_very_many_entries_stays(image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "MOST_LINKS", 1)
    settle_in()
    assert Path.cwd() == tmp_path / "app"


def test_the_root_is_no_folder_to_link_to(image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    settle_in()
    assert Path.cwd().is_relative_to(tmp_path / "tmp")
    assert os.listdir() == []


def test_a_stores_secret_becomes_variables(image, tmp_path: Path) -> None:
    """Those that are none yet, from files whose names are names of variables, without a line end."""
    folder = tmp_path / "store"
    (folder / "..data").mkdir(parents=True)
    files = {"AWS_KEY": "a b\n", "HOME": "/nowhere", "key.json": "{}", "DASKJOB_REPORT": "none", "1X": "x"}
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "BINARY").write_bytes(b"\xff")
    image |= {tmp_path / "home", tmp_path / "app"}
    before = dict(os.environ)
    os.environ[SECRET_VARIABLE] = str(folder)
    settle_in()
    names = {name for name in os.environ if before.get(name) != os.environ[name]}
    assert names - {"LOGNAME", "USER"} == {SECRET_VARIABLE, "AWS_KEY"}
    assert os.environ["AWS_KEY"] == "a b"


def test_on_ones_own_machine_nothing_moves(image, tmp_path: Path) -> None:
    del os.environ[HOME_VARIABLE], os.environ[SCRATCH_VARIABLE]
    settle_in()
    assert (os.environ["HOME"], Path.cwd()) == (str(tmp_path / "home"), tmp_path / "app")


def no_account(uid: int) -> None:
    raise KeyError(uid)


@pytest.mark.parametrize(
    ("names", "account", "user"),
    [({}, False, "dask"), ({}, True, None), ({"USER": "eve"}, False, "eve"), ({"LNAME": "eve"}, False, "eve")],
)
def test_everybody_has_a_name(
    image, monkeypatch: pytest.MonkeyPatch, names: dict[str, str], account: bool, user: str | None
) -> None:
    os.environ.update(names)
    expected = user or pwd.getpwuid(os.getuid()).pw_name
    if not account:
        monkeypatch.setattr(pwd, "getpwuid", no_account)
    settle_in()
    assert getpass.getuser() == expected


LIMIT = 400 * 2**20
UNLIMITED_V1 = 2**63 - 4096
GROUPS = {
    "version 2": ({"memory.max": LIMIT}, "0::/\n", LIMIT),
    "version 2, no limit": ({"memory.max": "max"}, "0::/\n", None),
    "version 2, as the node sees it": (
        {"memory.max": "max", "kubepods/pod1/c1/memory.max": LIMIT, "kubepods/memory.max": 10 * LIMIT},
        "0::/kubepods/pod1/c1\n",
        LIMIT,
    ),
    "version 2, the pod's limit is less": (
        {"kubepods/pod1/c1/memory.max": 2 * LIMIT, "kubepods/pod1/memory.max": LIMIT},
        "0::/kubepods/pod1/c1\n",
        LIMIT,
    ),
    "version 1": ({"memory/memory.limit_in_bytes": LIMIT}, "4:memory:/kubepods/c1\n", LIMIT),
    "version 1, no limit": ({"memory/memory.limit_in_bytes": UNLIMITED_V1}, "4:memory:/\n", None),
    "version 1, as the node sees it": (
        {"memory/memory.limit_in_bytes": UNLIMITED_V1, "memory/kubepods/c1/memory.limit_in_bytes": LIMIT},
        "5:cpu:/other\n4:memory:/kubepods/c1\n",
        LIMIT,
    ),
    "none": ({}, "", None),
    "odd": ({"memory.max": ""}, "what\n", None),
}


@pytest.mark.parametrize("case", GROUPS)
@pytest.mark.parametrize("request_", [None, "1Gi"])
def test_the_memory_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, request_: str | None
) -> None:
    files, own, limit = GROUPS[case]
    for name, content in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    (tmp_path / "own").write_text(own)
    for name in (REQUEST_VARIABLE, PROCESSES_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    if request_ is not None:
        monkeypatch.setenv(REQUEST_VARIABLE, request_)
    expected = request_ or "" if limit is None else str(limit)
    assert memory_limit(str(tmp_path / "cgroup"), str(tmp_path / "own")) == expected
    monkeypatch.setenv(PROCESSES_VARIABLE, "3")
    shared = expected if limit is None else str(limit // 3)
    assert memory_limit(str(tmp_path / "cgroup"), str(tmp_path / "own")) == shared, "the request is for each of them"
