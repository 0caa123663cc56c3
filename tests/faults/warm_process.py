"""Starts operators quickly: a process that has imported everything, and makes each operator by a fork of itself.

Reads one order a line from its standard input, {"environment": {…}, "log": path}, and answers with the process ID. An
operator is what `python -m daskjob` is, with that environment; it ends when this process does.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any

from kubernetes.aio.config import kube_config

from daskjob.kube import lease
from daskjob.operator.main import main

PR_SET_PDEATHSIG = 1
#: Seconds. A dozen operators and their whole world share a machine, which may stand still for a while. No test of these
#: operators is about that: `test_chaos` and `e2e/test_leadership.py` have the times that a user has.
lease.LEASE_DURATION, lease.RENEW_DEADLINE, lease.PATIENCE = 60, 40, 15.0


def operate(order: dict[str, Any], parent: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, source in enumerate((nothing, log, log)):
        os.dup2(source, number)
    os.environ.update(order["environment"])
    # Read when it was imported.
    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = order["environment"]["KUBECONFIG"]
    main()


def serve() -> None:
    # Nobody waits for the operators: they vanish when they end.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    parent = os.getpid()
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                operate(order, parent)
                code = 0
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else 1
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        print(pid, flush=True)


if __name__ == "__main__":
    serve()
