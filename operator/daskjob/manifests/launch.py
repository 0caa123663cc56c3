"""How Dask's processes start in their containers."""

from __future__ import annotations

from daskjob.manifests.pod_spec import CODE_PATH

#: Starts a module as `python -m` does, with the job's code first on the path; the image's own PYTHONPATH and working
#: directory stay as they are. A worker's first argument is the scheduler's address.
#:
#: SIGTERM ends the process at once. Without a handler, PID 1 of a container ignores SIGTERM, and a Dask worker that
#: must stop while its scheduler stops sometimes waits for ever; either costs the 2 s after which the kubelet kills it.
#: For the scheduler, the closed connection is as good as a farewell.
#:
#: A worker that starts before its scheduler's Service is routed loses its first packet, and TCP sends the next one only
#: a second later. So it first tries to connect in short attempts. If none succeeds, it starts all the same.
LAUNCH = f"""\
import asyncio, os, runpy, signal, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
module = sys.argv.pop(1)
sys.path.insert(0, {CODE_PATH!r})

async def look_for(scheduler):
    from distributed import Security
    from distributed.core import connect
    secrets = Security().get_connection_args('worker')
    for seconds in (0.5, 1, 1.5, 2, 3, 5):
        try:
            (await asyncio.wait_for(connect(scheduler, timeout=seconds, **secrets), seconds + 1)).abort()
            return
        except Exception:
            await asyncio.sleep(0.1)

if module.endswith('worker'):
    asyncio.run(look_for(sys.argv[1]))
try:
    from distributed import _signals
    _signals.wait_for_signals = lambda: asyncio.Event().wait()
except ImportError:
    pass
runpy.run_module(module, run_name='__main__', alter_sys=True)
"""
