"""A user's text as it stands, in the command of a container: the URL of a source or a store may have any character.
(Names of files and modules, and what Dask's commands get, have no `$` by the definition.)"""


def unexpanded(text: str) -> str:
    """An element of a container's command of which Kubernetes makes this text again: it puts variables in place of
    `$(NAME)`, a Secret's values too, and `$` in place of `$$`."""
    return text.replace("$", "$$")
