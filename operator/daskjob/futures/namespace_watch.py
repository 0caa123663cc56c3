"""One watch of a namespace, in a thread, for all futures of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from daskjob.api.resource import DASK_JOBS
from daskjob.client.job_client import JobClient
from daskjob.client.job_end import end_of
from daskjob.client.problems import JobDeleted, NotFound
from daskjob.client.watching import Change, Selection, Watch
from daskjob.futures.job_backend import Body, Listener


@dataclass(frozen=True)
class _Followed:
    name: str
    namespace: str
    listener: Listener


class NamespaceWatch:
    """Tells listeners of their jobs, by UID. The thread begins with the first of them and ends, when no job is followed
    any more, with the next sign of the API server. `patience`: seconds of failures after which it gives up."""

    def __init__(self, client: JobClient, patience: float) -> None:
        self._client = client
        self._patience = patience
        self._lock = threading.Lock()
        self._followed: dict[str, list[_Followed]] = {}
        self._watch: Watch | None = None
        self._listed = False

    def follow(self, job: Body, listener: Listener) -> None:
        """Tells of the job from now on; also of what it is now."""
        metadata = job["metadata"]
        uid, followed = str(metadata["uid"]), _Followed(metadata["name"], metadata["namespace"], listener)
        with self._lock:
            self._followed.setdefault(uid, []).append(followed)
            known = self._watch.known(uid) if self._watch is not None and self._listed else None
            listed = self._watch is not None and self._listed
            if self._watch is None:
                selection = Selection(DASK_JOBS, followed.namespace)
                watch = self._client.watch(selection, patience=self._patience, reached=True)
                self._watch, self._listed = watch, False
                threading.Thread(target=self._run, args=(watch,), name="daskjob watch", daemon=True).start()
        if known is not None:
            self._tell(uid, known)
        elif listed:
            # What happened to the job before it was followed, the watch has told already.
            self._look(uid)

    def _run(self, watch: Watch) -> None:
        try:
            for batch in watch.batches():
                for change in batch:
                    self._takes(change)
                if not self._listed:
                    self._has_listed({str(each.object["metadata"]["uid"]) for each in batch})
                with self._lock:
                    if not self._followed:
                        self._watch = None
                        return
        except Exception as error:
            with self._lock:
                self._watch = None
                uids = list(self._followed)
            for uid in uids:
                self._tell(uid, error)

    def _has_listed(self, found: set[str]) -> None:
        with self._lock:
            self._listed = True
            others = [uid for uid in self._followed if uid not in found]
        for uid in others:
            # Deleted, or created after the list.
            self._look(uid)

    def _look(self, uid: str) -> None:
        with self._lock:
            followed = self._followed.get(uid)
        if not followed:
            return
        try:
            found = self._client.get(followed[0].name, followed[0].namespace)
        except NotFound:
            self._tell(uid, JobDeleted(followed[0].name))
        except Exception:
            # The watch goes on, or ends with an error of its own.
            return
        else:
            same = found["metadata"]["uid"] == uid
            self._tell(uid, found if same else JobDeleted(followed[0].name, replaced=True))

    def _takes(self, change: Change) -> None:
        job = change.object
        deleted = change.type == "DELETED" and end_of(job) is None
        self._tell(str(job["metadata"]["uid"]), JobDeleted(str(job["metadata"]["name"])) if deleted else job)

    def _tell(self, uid: str, news: Body | Exception) -> None:
        """Tells all who follow the job, and forgets those who need no more."""
        with self._lock:
            followers = list(self._followed.get(uid, ()))
        over = [each for each in followers if each.listener(news)]
        with self._lock:
            left = [each for each in self._followed.get(uid, ()) if each not in over]
            if left:
                self._followed[uid] = left
            else:
                self._followed.pop(uid, None)
