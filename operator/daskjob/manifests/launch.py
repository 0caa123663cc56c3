"""How Dask's processes start in their containers."""

from __future__ import annotations

from daskjob.manifests.pods import CODE_PATH

#: Starts a module as `python -m` does, with the job's code on the path first: an image's own PYTHONPATH and working
#: directory stay as they are. Of a worker, the first argument is the scheduler's address.
#:
#: SIGTERM ends the process at once. The first one of a container is deaf to it as long as it has no handler, and a
#: worker of Dask that is told to stop while its scheduler stops too waits for ever now and then: each costs the 2 s
#: that the kubelet gives at least. A connection that closes tells the scheduler as much as a goodbye.
#:
#: A worker that begins before its scheduler's Service is routed loses its first packet, and sends another one only a
#: second later: so it looks for the scheduler in short attempts first. If none succeeds it starts all the same.
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
