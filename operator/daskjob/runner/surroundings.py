"""What a process of a job makes of the container that it starts in, before user code or Dask is imported.

It imports the standard library alone.
"""

from __future__ import annotations

import contextlib
import os

#: The variable with the home for processes whose own is not writable. Absent: the home stays whatever it is.
HOME_VARIABLE = "DASKJOB_HOME"
#: The variable with a folder for the working folder of processes whose own is not writable. Absent: it stays.
SCRATCH_VARIABLE = "DASKJOB_SCRATCH"
#: The variable with the number of a worker's processes, which share the memory of its container. Absent: one.
PROCESSES_VARIABLE = "DASKJOB_PROCESSES"
#: The variable with a worker's request of memory, for each process: their limit, if the container has none.
REQUEST_VARIABLE = "DASKJOB_MEMORY_REQUEST"
#: The variable with the folder of a store's Secret, of which each file is a variable. Absent: there is none.
SECRET_VARIABLE = "DASKJOB_STORE_SECRET"
#: The variable with the folder of packages that were installed for the job, which come after its code on the path.
PACKAGES_VARIABLE = "DASKJOB_PACKAGES"
#: The name of users who have none.
USER = "dask"
#: What Dask's nanny sets for its workers (distributed.nanny.pre-spawn-environ), of which there is none in a pod.
NANNY = {
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
#: Of a working folder with more entries, no copy of links is made.
MOST_LINKS = 2000


def settle_in() -> None:
    """Gives this process, and those that it starts, a home, a user's name and a working folder where the image has none
    that this user can use."""
    home, scratch = os.environ.get(HOME_VARIABLE), os.environ.get(SCRATCH_VARIABLE)
    if home:
        _move(home)
    if scratch:
        _find_folder(os.path.join(scratch, "daskjob-work"))
    take_credentials(os.environ.get(SECRET_VARIABLE, ""))
    names = ("LOGNAME", "USER", "LNAME", "USERNAME")
    if not any(os.environ.get(name) for name in names) and not _has_account():
        os.environ.update(LOGNAME=USER, USER=USER)


def _is_usable(folder: str) -> bool:
    return os.path.isdir(folder) and os.access(folder, os.R_OK | os.W_OK | os.X_OK)


def _move(home: str) -> None:
    before = os.environ.get("HOME") or ""
    if _is_usable(before):
        return
    packages = os.path.join(before, ".local")
    if before and os.path.isdir(packages):
        # What `pip install --user` brought into the image: Python looks for it in the home.
        os.environ.setdefault("PYTHONUSERBASE", packages)
    os.environ["HOME"] = home


def _find_folder(folder: str) -> None:
    """Goes into a folder that is writable and has links to all that the image's working folder has, so that relative
    paths still lead there."""
    before = os.getcwd()
    if _is_usable(before):
        return
    try:
        # Of the root there is nothing that a job would mean by a relative path.
        names = os.listdir(before) if before != "/" else []
        if len(names) > MOST_LINKS:
            return
        os.makedirs(folder, exist_ok=True)
        for name in names:
            with contextlib.suppress(FileExistsError):
                os.symlink(os.path.join(before, name), os.path.join(folder, name))
        os.chdir(folder)
    except OSError:
        pass


def take_credentials(folder: str) -> None:
    """Sets variables from the files of a Secret whose names are names of variables; what is set already stays."""
    for name, value in _credentials(folder).items():
        os.environ.setdefault(name, value)


def drop_credentials(folder: str) -> None:
    """Takes out the variables that were set from the files of a Secret."""
    for name, value in _credentials(folder).items():
        if os.environ.get(name) == value:
            del os.environ[name]


def _credentials(folder: str) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        names = os.listdir(folder) if folder else []
    except OSError:
        return found
    for name in names:
        if name.isidentifier() and name.isascii() and not name.startswith("DASKJOB_"):
            with contextlib.suppress(OSError, ValueError), open(os.path.join(folder, name), encoding="utf-8") as file:
                # A key that was written with an editor ends with a line end, which no header of HTTP may have.
                found[name] = file.read().rstrip("\r\n")
    return found


def _has_account() -> bool:
    try:
        import pwd

        pwd.getpwuid(os.getuid())
    except (ImportError, KeyError):
        return False
    return True


def nanny_environment(configured: dict[str, object]) -> dict[str, str]:
    """What Dask's nanny would set for a worker that this process does not have yet. `configured`: of Dask's settings;
    None takes a variable out."""
    wanted = {**NANNY, **configured}
    return {name: str(value) for name, value in wanted.items() if value is not None and name not in os.environ}


def stand_in_for_nanny() -> None:
    """Sets that environment. Comes before the import of NumPy, which reads it then."""
    import dask.config

    configured: dict[str, object] = {}
    for name in ("pre-spawn-environ", "environ"):
        configured.update(dask.config.get(f"distributed.nanny.{name}", None) or {})
    os.environ.update(nanny_environment(configured))
    try:
        import ctypes

        # The allocator has read its variable when the process began.
        ctypes.CDLL(None).mallopt(-1, int(os.environ["MALLOC_TRIM_THRESHOLD_"]))
    except (AttributeError, ImportError, KeyError, OSError, ValueError):
        pass


def memory_limit(root: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> str:
    """The memory that each process of a worker in this container may use, in bytes, whoever set its limit (cgroups of
    version 1 or 2); without a limit, what the container requests. Empty if neither is known."""
    paths = {"/"}
    try:
        with open(own, encoding="utf-8") as file:
            for line in file:
                _, controllers, path = line.rstrip("\n").split(":", 2)
                if controllers in ("", "memory"):
                    paths.add(path)
    except (OSError, ValueError):
        pass
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in paths:
        # The limits of the groups around it hold as well.
        while True:
            for folder, file_name in (("", "memory.max"), ("memory", "memory.limit_in_bytes")):
                try:
                    with open(os.path.join(root, folder, path.lstrip("/"), file_name), encoding="ascii") as file:
                        limits.append(int(file.read()))
                except (OSError, ValueError):
                    pass
            if path in ("", "/"):
                break
            path = os.path.dirname(path)
    least = min(limit for limit in limits if limit > 0)
    if least == limits[0]:
        return os.environ.get(REQUEST_VARIABLE, "")
    return str(least // int(os.environ.get(PROCESSES_VARIABLE) or 1))
