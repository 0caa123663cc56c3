"""Compares what a pod mounts with the digests in its own spec, before anything of it runs or is believed.

Who may write Secrets and ConfigMaps can replace those that a pod mounts: an immutable one can be deleted and created
anew, or be created before the operator does it. The spec of a pod stays what the operator made it. So each process of a
job first reads what it mounts, once, and compares the bytes with the digests in its command. From then on it uses
copies of these bytes: a mounted file can change again.

The operator sends this module's source, as part of the command of each pod, into images that have nothing of this
project: it imports the standard library alone, imports little, and works with Python 3.9.
"""

import os
import sys

#: Of a folder with more files, the command has one digest, which says that something differs and not what.
MOST_NAMED = 32
#: What the pod says when something differs.
REASON = "FilesChanged"
TERMINATION_LOG = "/dev/termination-log"
#: Of a digest, a message has so many characters.
SHOWN = 12


def digests_of(files: "dict[str, bytes]") -> "dict[str, str] | str":
    """The SHA-256 of each file, by its path. Of more than `MOST_NAMED` files it is one digest: that of the lines that
    `sha256sum` would print about them, in the order of the paths."""
    import hashlib

    found = {path: hashlib.sha256(files[path]).hexdigest() for path in sorted(files)}
    if len(found) <= MOST_NAMED:
        return found
    return hashlib.sha256("".join(f"{digest}  {path}\n" for path, digest in found.items()).encode()).hexdigest()


def copy_checked(folders: str) -> "dict[str, str]":
    """Copies the files of all folders that are what they should be. Returns the copy of each folder by its path.

    `folders`: JSON, a list of `{folder, object, digests, copy, uncopied}`. `object`: kind and name of what the folder
    shows; `digests`: as of `digests_of`; `copy`: a folder that only this container has, and that holds nothing else
    afterwards; `uncopied`: paths of files that are only checked. If anything differs, nothing is copied, and the
    process ends with exit code 1 and its last words in the termination message.
    """
    checked = []
    # JSON of strings, lists and objects alone is a literal of Python, too, and it is in the pod's own spec, as this
    # program is. To import `json` would take longer than all the rest, before the child of the runner starts.
    for each in eval(folders, {"__builtins__": {}}):
        try:
            files = _contents(each["folder"])
        except OSError as error:
            _end("InvalidJob", f"{each['object']} cannot be read in this container: {error}")
        difference = _difference(each["digests"], digests_of(files))
        if difference:
            again = "" if each["object"].startswith("Secret ") else _SHARED
            _end(REASON, f"{each['object']} was changed by somebody: {difference}. {_ADVICE}{again}")
        checked.append((each, files))
    for each, files in checked:
        try:
            _fill(each["copy"], {path: files[path] for path in files if path not in each["uncopied"]})
        except OSError as error:
            _end("InvalidJob", f"files of {each['object']} cannot be copied in this container: {error}")
    return {each["folder"]: each["copy"] for each, _ in checked}


_ADVICE = (
    "Nothing of it was run. Who may create or delete Secrets or ConfigMaps in this namespace can do this: the API "
    "server's audit log has who it was"
)
_SHARED = ". All jobs of the namespace share it: delete it, and the operator creates it anew for the next attempt"


def _contents(folder: str) -> "dict[str, bytes]":
    found = {}
    for place, folders, names in os.walk(folder, followlinks=True):
        if place == folder:
            # The kubelet's own: ..data, and the folder that it leads to, which holds the files themselves.
            folders[:] = [name for name in folders if not name.startswith("..")]
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


def _difference(expected: "dict[str, str] | str", found: "dict[str, str] | str") -> str:
    """The first file that differs, in words; empty if none does."""
    if expected == found:
        return ""
    if not isinstance(expected, dict) or not isinstance(found, dict):
        return f"its files have {_short(found)} instead of {_short(expected)}"
    path = next(each for each in sorted({*expected, *found}) if expected.get(each) != found.get(each))
    if path not in found:
        return f"{path[:200]} is missing"
    if path not in expected:
        return f"{path[:200]} was added"
    return f"{path} has {_short(found[path])} instead of {_short(expected[path])}"


def _short(digests: "dict[str, str] | str") -> str:
    return f"{len(digests)} digests" if isinstance(digests, dict) else f"sha256 {digests[:SHOWN]}"


def _fill(target: str, files: "dict[str, bytes]") -> None:
    """Makes these files the only ones in a folder: the container may have run before, and user code written there."""
    for place, folders, names in os.walk(target, topdown=False):
        for path in (os.path.join(place, name) for name in (*names, *folders)):
            if os.path.islink(path) or not os.path.isdir(path):
                os.unlink(path)
            else:
                os.rmdir(path)
    os.makedirs(target, exist_ok=True)
    for name, content in files.items():
        path = os.path.join(target, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)


def _end(reason: str, message: str) -> None:
    import json

    print(f"daskjob: {reason}: {message}", file=sys.stderr, flush=True)
    last = {"protocol": 1, "outcome": "Failed", "failure": {"reason": reason, "message": message}}
    path = os.environ.get("DASKJOB_TERMINATION_LOG") or TERMINATION_LOG
    try:
        # Written in place, because the kubelet mounts the file itself.
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps(last))
    except OSError:
        # The kubelet takes the last lines of the log.
        pass
    sys.exit(1)
