"""What the runner says and others read: results as JSON that keeps its types, reports, termination messages.

Standard library only, Python 3.9 and newer: the runner carries these files into users' images. The parse functions
take anything at all, never raise, and give back only what is well-formed, of bounded size and without control
characters.
"""

from daskjob.results.codec import RESULT_BYTES, NotSerializable, TooLarge, decode, encode, sha256
from daskjob.wire.report import (
    FAILED,
    PROTOCOL,
    REASONS,
    SUCCEEDED,
    failure,
    parse_report,
    parse_termination_message,
    termination_message,
    timestamp,
)

__all__ = [
    "FAILED",
    "PROTOCOL",
    "REASONS",
    "RESULT_BYTES",
    "SUCCEEDED",
    "NotSerializable",
    "TooLarge",
    "decode",
    "encode",
    "failure",
    "parse_report",
    "parse_termination_message",
    "sha256",
    "termination_message",
    "timestamp",
]
