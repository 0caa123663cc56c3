"""`spec.report`: what is kept of each attempt, whatever becomes of it."""

from __future__ import annotations

from dataclasses import dataclass

from daskjob.api.result_spec import Store


@dataclass(frozen=True)
class ReportKeeping:
    """What is kept of each attempt, and where."""

    #: store is where it is kept, a place as result.store is one; only the runner has its Secret, and writes to
    #: namespace/name/UID/attempt/report below it. Default: that of the result, or the installation's.
    store: Store | None = None
    #: logs: true keeps the logs of runner, scheduler and workers. That of the runner is whole up to 8 MiB, of a longer
    #: one the last 8 to 16 MiB; of the others it is the end of what they print, the last 256 to 512 KiB. Default true.
    logs: bool = True
    #: html: true keeps Dask's performance report as one page; the image needs bokeh. Default true.
    html: bool = True
    #: trace: true keeps each task's start and end, for ui.perfetto.dev. Default true.
    trace: bool = True
