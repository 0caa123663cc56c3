"""Worker groups that were created just now: that they have no workers yet needs no question."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from daskjob.streams.bounded_dict import BoundedDict

#: The label of a worker's pod that names its group.
GROUP_LABEL = "dask.org/workergroup-name"
#: How many groups may wait until their workers are counted; for the eldest of more, the API server is asked.
MOST_UNCOUNTED = 1_000


class NewGroups:
    """Worker groups that this process created and whose workers nobody has counted yet: they have none.

    Only the count before a scaling leads to workers, so the first count of a group is 0 without a question. A group
    whose creation was answered otherwise, or not at all, may be an earlier one that has some.
    """

    def __init__(self) -> None:
        #: By namespace and name: whether the API server has answered that it created the group.
        self._created: BoundedDict[tuple[str | None, str], bool] = BoundedDict(MOST_UNCOUNTED)

    @contextmanager
    def creation(self, namespace: str | None, name: str) -> Generator[None]:
        """The creation of a group, which succeeds unless this raises."""
        key = namespace, name
        self._created[key] = False
        try:
            yield
        except BaseException:
            self._created.pop(key, None)
            raise
        # A count that came before the answer has asked, and the next one must ask, too.
        if key in self._created:
            self._created[key] = True

    def have_none(self, namespace: str | None, selector: str | None) -> bool:
        """Whether a list with this label selector would find no worker, for certain. It is the first count of a
        group: about the next one, nothing is certain."""
        label, _, name = (selector or "").partition("=")
        return label == GROUP_LABEL and self._created.pop((namespace, name), False)
