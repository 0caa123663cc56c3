"""Where the files of a job are in its containers."""

from __future__ import annotations

# What the volumes are mounted at.
TLS_PATH = "/opt/daskjob/tls"
CODE_PATH = "/opt/daskjob/code"
RUNNER_PATH = "/opt/daskjob/runner"
JOB_PATH = "/opt/daskjob/job"
#: Only in the container that fetches: its own files, and the Secret with credentials.
FETCH_PATH = "/opt/daskjob/fetch"
CREDENTIALS_PATH = "/opt/daskjob/credentials"
STORE_PATH = "/opt/daskjob/store"
REPORT_STORE_PATH = "/opt/daskjob/report-store"
PAYLOAD_PATH = "/opt/daskjob/payload"
#: What an init container installs.
PACKAGES_PATH = "/opt/daskjob/packages"
#: Where the runner keeps what is to be saved of the attempt: in a volume that only its pod has.
RECORDING_PATH = "/tmp/daskjob-report"
#: Where scheduler and workers keep the end of what they print, in a volume that their pod has for itself.
OUTPUT_PATH = "/tmp/.daskjob-output"
TOKEN_PATH = "/var/run/secrets/daskjob"

#: The copies of what was compared with its digests (`runner.checked_files`), each below the name of its folder.
CHECKED_PATH = "/opt/daskjob/checked"


def copy_of(path: str) -> str:
    """The copy of what is mounted at a path."""
    return f"{CHECKED_PATH}/{path.rpartition('/')[2]}"
