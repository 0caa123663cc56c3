"""Folders below one that was fetched, and no others."""

from __future__ import annotations

import os

from daskjob.fetch.fetch_problem import NOT_FOUND, REFUSED, FetchProblem


def folder_in(root: str, path: str, field: str, what: str) -> str:
    """The folder at `path` below `root`. Raises FetchProblem if there is none, or if it leads elsewhere."""
    found = same_tree(root, path, field) if path else root
    if not os.path.isdir(found):
        names = sorted(each for each in os.listdir(root) if not each.startswith("."))[:15]
        raise FetchProblem(
            NOT_FOUND, f"{field}: {what} has no folder {path!r}; it has: {', '.join(names) or 'nothing'}"
        )
    return found


def same_tree(root: str, path: str, field: str) -> str:
    """The place of `path` below `root`. Raises FetchProblem if it is not below it, by its name or by links."""
    if os.path.isabs(path) or ".." in path.split("/") or "\0" in path:
        raise FetchProblem(REFUSED, f"{field}: write a relative path without '..'")
    found, base = os.path.join(root, path), os.path.realpath(root)
    if os.path.commonpath([base, os.path.realpath(found)]) != base:
        raise FetchProblem(REFUSED, f"{field}: {path} is a link that leads elsewhere")
    return found
