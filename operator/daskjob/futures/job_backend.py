"""What a backend does for futures: the cluster's and this machine's answer to the same questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from daskjob.client.pod_log import LogLine

Body = dict[str, Any]
#: Gets a job whenever it has changed, or why nothing more will come of it; true: it needs no more. Threads call it.
Listener = Callable[[Body | Exception], bool]


class JobBackend(Protocol):
    """The jobs of one namespace. Threads may share it. Methods raise `daskjob.client.problems.ClientError`."""

    namespace: str
    #: Arguments of fsspec's driver, with which this process reads stores.
    storage_options: Mapping[str, Any]

    def create(self, manifest: Mapping[str, Any], payload: bytes | None = None) -> Body:
        """Creates a job, with what was pickled for it, and returns it. If the payload cannot be brought, no job is
        left."""

    def get(self, name: str) -> Body:
        """The job. Raises JobNotFound."""

    def jobs(self, selector: str | None = None) -> list[Body]:
        """All jobs that are known, by name. `selector`: of labels, as kubectl has it."""

    def follow(self, job: Body, listener: Listener) -> None:
        """Tells of this job, which is its UID, until it has ended."""

    def cancel(self, job: Body) -> None:
        """Asks for its end. Raises WrongState if it has ended otherwise."""

    def retry(self, job: Body) -> Body:
        """Asks for another run of a job that has ended, and returns it. Raises WrongState while it runs."""

    def suspend(self, job: Body, on: bool) -> None:
        """Suspends it, or lets it go on."""

    def delete(self, job: Body) -> None:
        """Deletes it, with all that it consists of."""

    def logs(
        self, job: Body, component: str, attempt: int | None, follow: bool, since: int | None
    ) -> Iterator[LogLine]:
        """Lines of its log; with `follow` until it has ended. `since`: seconds."""

    def close(self) -> None:
        """Lets go of connections. Jobs go on."""
