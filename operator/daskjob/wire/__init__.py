"""What crosses the border of a process: the job file, the runner's report, its termination message.

Standard library only, Python 3.9 and newer: the runner carries these files into users' images. The parse functions
of reports and termination messages take anything, never raise, and return only what is well-formed, of bounded size and
without control characters.
"""

from daskjob.wire.clean_text import clean
from daskjob.wire.report import (
    FAILED,
    FETCH_REASONS,
    PROTOCOL,
    REASONS,
    SUCCEEDED,
    Stage,
    discarded_words,
    failed,
    failure,
    leave_termination_message,
    parse_report,
    parse_termination_message,
    termination_message,
    timestamp,
)

__all__ = [
    "FAILED",
    "FETCH_REASONS",
    "PROTOCOL",
    "REASONS",
    "SUCCEEDED",
    "Stage",
    "clean",
    "discarded_words",
    "failed",
    "failure",
    "leave_termination_message",
    "parse_report",
    "parse_termination_message",
    "termination_message",
    "timestamp",
]
