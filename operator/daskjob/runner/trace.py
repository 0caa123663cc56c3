"""The trace of a graph in the Trace Event Format, which Perfetto (ui.perfetto.dev) and Chromium open.

A worker is a process of the trace. Each of its threads is a track, on which tasks follow one another. Transfers, and
whatever else runs beside them, have tracks of their own, as many as there were at once: an event that overlaps another
one of its track is drawn wrongly.
Source: "Trace Event Format", Google, https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

import json
from typing import Any, Iterable, Mapping, Optional, TextIO

#: What `task_stream.fetch` gives of a task.
Row = list[Any]
#: What a task does on its thread; the rest goes on beside it.
ON_THREAD = "compute"
#: The number of the first track that is not a thread's.
FIRST_TRACK = 1000
#: The name of the event that counts tasks, and whose last one says how many of them the trace has.
COUNTER = "tasks"
#: A key that is longer is shortened in the trace.
LONGEST_KEY = 200


class TraceFile:
    """Writes events to a file, one a line, as they come: whatever ends the process, its lines remain."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._workers: dict[str, _Worker] = {}
        #: How many tasks are in the file.
        self.tasks = 0
        #: When the last step ended.
        self._latest = 0.0

    @classmethod
    def resume(cls, file: TextIO) -> TraceFile:
        """Goes on with a file, open for reading and writing, of a process that has ended: on its tracks, and without
        what came after the last counter: the process ended while it wrote these tasks, and they are fetched again."""
        trace, end, read = cls(file), 0, 0
        by_number: dict[int, _Worker] = {}
        events: list[dict[str, Any]] = []
        for line in iter(file.readline, ""):
            if not line.endswith("}\n"):
                break
            # JSON has ASCII alone.
            read += len(line)
            events.append(json.loads(line))
            if events[-1]["ph"] == "C":
                for event in events:
                    trace._restore(event, by_number)
                events, end = [], read
        file.seek(end)
        file.truncate()
        return trace

    def _restore(self, event: dict[str, Any], by_number: dict[int, _Worker]) -> None:
        """Takes over an event of the file. `by_number`: the workers, by their process in the trace."""
        kind, number = event["ph"], event["pid"]
        if event["name"] == "process_name":
            address = event["args"]["address"]
            by_number[number] = self._workers[address] = _Worker(number)
        elif kind == "M":
            by_number[number].restore(event["tid"], event["args"])
        elif kind == "X":
            by_number[number].occupy(event["tid"], (event["ts"] + event["dur"]) / 1e6)
        else:
            self.tasks, self._latest = event["args"]["in the trace"], event["ts"] / 1e6

    def add(self, rows: Iterable[Row], finished: int, names: Mapping[str, str]) -> None:
        """Writes the events of tasks. `finished`: how many have ended so far, which the trace shows as a counter;
        `names`: those of workers, by address."""
        before = self.tasks
        for key, erred, address, thread, size, steps in rows:
            worker = self._workers.get(address)
            if worker is None:
                worker = self._workers[address] = _Worker(len(self._workers) + 1)
                named = {"ph": "M", "name": "process_name", "pid": worker.number}
                self._write({**named, "args": {"name": names.get(address, address), "address": address}})
            self.tasks += 1
            for action, start, stop in steps:
                self._latest = max(self._latest, stop)
                name = prefix_of(key) if action == ON_THREAD else f"{action}-{prefix_of(key)}"
                track, title = worker.track(action, thread, start, stop)
                if title is not None:
                    titled = {"ph": "M", "name": "thread_name", "pid": worker.number, "tid": track}
                    self._write({**titled, "args": {"name": title, "thread": thread}})
                known = {"key": key[:LONGEST_KEY], **({"bytes": size} if size is not None else {})}
                self._write(
                    {
                        "ph": "X",
                        "name": name,
                        "cat": "erred" if erred else action,
                        "ts": round(start * 1e6),
                        "dur": max(0, round((stop - start) * 1e6)),
                        "pid": worker.number,
                        "tid": track,
                        "args": known,
                    }
                )
        if self.tasks > before and self._latest:
            counts = {"finished": finished, "in the trace": self.tasks}
            self._write({"ph": "C", "name": COUNTER, "ts": round(self._latest * 1e6), "pid": 0, "args": counts})
        self._file.flush()

    def _write(self, event: dict[str, Any]) -> None:
        self._file.write(json.dumps(event, separators=(",", ":")) + "\n")


class _Worker:
    """A worker's tracks."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._threads: dict[Any, int] = {}
        #: By action and number, when the track's last event ends.
        self._beside: dict[tuple[str, int], float] = {}
        self._tracks: dict[tuple[str, int], int] = {}

    def track(self, action: str, thread: Any, start: float, stop: float) -> tuple[int, Optional[str]]:
        """The track of an event, and its title if it is new."""
        if action == ON_THREAD:
            new = thread not in self._threads
            number = self._threads.setdefault(thread, len(self._threads) + 1)
            return number, f"thread {number}" if new else None
        place = 0
        while self._beside.get((action, place), start) > start:
            place += 1
        which = (action, place)
        new = which not in self._tracks
        self._beside[which] = stop
        return self._tracks.setdefault(which, FIRST_TRACK + len(self._tracks)), f"{action} {place + 1}" if new else None

    def restore(self, track: int, known: Mapping[str, Any]) -> None:
        """Takes over a track from its title's event."""
        if track < FIRST_TRACK:
            self._threads[known["thread"]] = track
            return
        action, _, place = known["name"].rpartition(" ")
        self._tracks[action, int(place) - 1] = track

    def occupy(self, track: int, until: float) -> None:
        """Takes over an event of a track, which ends then."""
        if track >= FIRST_TRACK:
            which = next(each for each, number in self._tracks.items() if number == track)
            self._beside[which] = max(until, self._beside.get(which, 0.0))


def prefix_of(key: str) -> str:
    """What tasks of a kind have in common, as Dask has it: the key's text without its hash or number."""
    from dask.utils import key_split

    return str(key_split(key))


def write_trace(lines: Iterable[str], file: TextIO) -> dict[str, int]:
    """Writes the whole trace from the lines of a `TraceFile`; a last one that is incomplete is left out.

    Returns how many tasks have ended and how many the trace has, which stands in its `otherData`, too.
    """
    counts: dict[str, int] = {}
    file.write('{"displayTimeUnit":"ms","traceEvents":[')
    separator = "\n"
    for line in lines:
        if not line.endswith("}\n"):
            continue
        if line.startswith('{"ph":"C"'):
            counts = json.loads(line)["args"]
        file.write(f"{separator}{line[:-1]}")
        separator = ",\n"
    file.write(f'\n],"otherData":{json.dumps(counts)}}}\n')
    return counts
