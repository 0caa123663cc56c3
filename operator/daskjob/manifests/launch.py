"""How the processes of a job start in their containers, and when Dask's leave by themselves."""

from __future__ import annotations

import inspect

from daskjob.manifests.paths import CODE_PATH
from daskjob.runner import checked_files, preloads, surroundings
from daskjob.runner.load import PACKAGES_VARIABLE, PATH_VARIABLE

#: Starts the runner from a copy of its program that was compared with its digest. Arguments: that of
#: `runner.checked_files.copy_checked`, with the program's folder first, and the runner's own. Until the program is
#: first on the path, nothing is imported from the working folder, as if Python had been given the program's file.
RUN = f"""\
import sys
if sys.path[:1] == ['']:
    del sys.path[0]
{inspect.getsource(checked_files)}
program = next(iter(copy_checked(sys.argv.pop(1)).values())) + '/runner.pyz'
sys.argv[0] = program
sys.path.insert(0, program)
from daskjob.runner.__main__ import main
sys.exit(main(sys.argv[1:]))
"""

#: The modules of Dask's commands that start workers.
DASK_WORKER, DASK_CUDA = "distributed.cli.dask_worker", "dask_cuda.cli"
#: For `command: cuda`.
CUDA_MISSING = (
    "the image has no dask-cuda, with which command: cuda starts workers: use an image that has it, or leave command "
    "out (for one GPU in each pod, Dask's usual worker is enough)"
)

#: Starts a module as `python -m` does, with the job's code first on the path; the image's own PYTHONPATH and working
#: directory stay as they are. Arguments: the module, two numbers of seconds (below), that of
#: `runner.checked_files.copy_checked`, and the module's arguments, of which a worker's first is the scheduler's
#: address. Where containers fetch code or packages, variables name their folders (`runner.load`).
#:
#: SIGTERM ends the process at once. Without a handler, PID 1 of a container ignores SIGTERM, and a Dask worker that
#: must stop while its scheduler stops sometimes waits for ever; either costs the 2 s after which the kubelet kills it.
#: For the scheduler, the closed connection is as good as a farewell.
#:
#: A worker that starts before its scheduler can be reached would find that out late: Dask's own attempts grow rare, and
#: a packet that was lost before the Service was routed is sent again only after a second. So the worker first imports
#: Dask and then tries to connect in short attempts, 20 a second, with TLS's handshake, without which the scheduler
#: would log a warning, and the first byte of Dask's, without which the scheduler could lose another connection
#: (`daskjob.runner.reach` says why). If none succeeds within 15 s, it starts all the same.
#:
#: **Leaving.** If no operator runs, nobody deletes the cluster of a job that is over. So a scheduler ends its process
#: when for the second number of seconds no client was connected and no runner asked for counts of tasks, and a worker
#: when it had no scheduler for so long; before the first contact, the first number counts. (Clients that tasks open on
#: workers do not count.) The kubelet starts the container again, with pauses of up to five minutes. Then a file in
#: /tmp, which lives as long as the pod, tells the new process that the time is over, and it ends before it imports
#: Dask; a worker first looks whether somebody listens at its scheduler's address, because the pauses of a worker that
#: crashes may be longer than the time. The times are of the node's monotonic clock: no two clocks have to agree, and
#: the time in which a process was frozen or blocked hardly counts. The watch takes the place of `wait_for_signals`,
#: which each of Dask's processes awaits; a `distributed` that it does not know is left without one.
#:
#: **Restarts.** For `Client.restart`, Dask's scheduler closes workers without a nanny, and hopes for the best. The
#: kubelet starts a container that has ended with ever longer pauses, so that the fourth restart would come too late. So
#: a worker that is closed like that takes the place of its own process, in the same container, two seconds later at the
#: latest: about as long as a nanny lets a worker close. Processes that its tasks left behind end. A worker that is
#: retired, or whose scheduler closes, ends as ever.
#:
#: **Surroundings.** Before it imports anything else, the process sees to a home, a user's name and a working folder. A
#: worker also sets what Dask's nanny would set, and takes the memory limit of its container. The source of all that
#: comes first (`daskjob.runner.surroundings`). An option that a template adds comes later, and counts.
#:
#: **Output.** Where the report of the attempt is to have it, the process keeps the end of what it prints in a file
#: (`daskjob.runner.output_copy`).
#:
#: **Nannies.** A worker of several processes, and each of dask-cuda's, is a nanny that starts them. It starts those
#: again that end; `Client.restart` is a request to it. A nanny whose process has lost its scheduler ends itself.
LAUNCH = f"""\
{inspect.getsource(surroundings)}
{inspect.getsource(checked_files)}
PRELOADS = {preloads.watching_source()!r}
exec(PRELOADS)
keep_output()
import asyncio, functools, importlib.util, os, runpy, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
module = sys.argv.pop(1)
first, later = float(sys.argv.pop(1)), float(sys.argv.pop(1))
code = copy_checked(sys.argv.pop(1)).get({CODE_PATH!r}, {CODE_PATH!r})
packages = os.environ.get('{PACKAGES_VARIABLE}', '')
sys.path[:0] = filter(None, [os.environ.get('{PATH_VARIABLE}', code), packages])
cuda = module == '{DASK_CUDA}'
worker = cuda or module.endswith('worker')
nanny = cuda or '--nanny' in sys.argv
if cuda and importlib.util.find_spec('dask_cuda') is None:
    leave_words('DaskCudaMissing', {CUDA_MISSING!r})
environment = dict(os.environ)
if packages:
    os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, [packages, os.environ.get('PYTHONPATH')]))
try:
    folder = os.getcwd()
except OSError:
    folder = '/'
record = os.path.join(os.environ.get('DASKJOB_RECORD_FOLDER', '/tmp'), '.daskjob-' + os.uname().nodename)

def leave():
    missed = 'found no scheduler' if worker else 'served neither a runner nor a client'
    print(f'daskjob: this process {{missed}} for {{later:g}} s and leaves; if its pod stays, no operator runs',
        file=sys.stderr, flush=True)
    os._exit(0)

def read():
    try:
        with open(record) as file:
            left = float(file.read()) - time.monotonic()
    except (OSError, ValueError):
        return first
    # After a restart of the node, its clock begins anew.
    return left if left <= max(first, later) else first

def write(left):
    try:
        with open(record, 'w') as file:
            file.write(str(time.monotonic() + left))
    except OSError:
        pass

def place(scheduler):
    host, _, port = scheduler.rpartition('//')[2].rpartition(':')
    return host.strip('[]'), int(port)

def listens(scheduler):
    import socket
    try:
        socket.create_connection(place(scheduler), 3).close()
        return True
    except (OSError, ValueError):
        return False

def answers(family, kind, protocol, _, address, context):
    import socket
    try:
        with socket.socket(family, kind, protocol) as plain:
            plain.settimeout(0.15)
            plain.connect(address)
            if context is not None:
                plain.settimeout(10)
                with context.wrap_socket(plain) as encrypted:
                    encrypted.recv(1)
        return True
    except OSError:
        return False

def note_requests(scheduler, asked):
    def noting(handler):
        @functools.wraps(handler)
        def noted(*args, **kwargs):
            asked.append(True)
            return handler(*args, **kwargs)
        return noted
    for name in ('run_function', 'adaptive_target'):
        scheduler.handlers[name] = noting(scheduler.handlers[name])

async def watch():
    import distributed
    left, asked, step = read(), [], min(15, later / 4)
    write(left)
    kind = distributed.Nanny if nanny else distributed.Worker if worker else distributed.Scheduler
    servers = list(kind._instances)
    if not worker:
        for each in servers:
            note_requests(each, asked)
    while left > 0:
        before = time.monotonic()
        await asyncio.sleep(step)
        if nanny:
            # It starts a process when it has reached the scheduler, and ends with one that has lost it.
            attended = any(each.is_alive() for each in servers)
        elif worker:
            attended = any(each.status.name in ('running', 'paused') for each in servers)
        else:
            clients = {{name for each in servers for name in each.clients if 'Client-worker-' not in name}}
            attended = bool(asked or clients - {{'fire-and-forget'}})
        asked.clear()
        left = later if attended else left - min(time.monotonic() - before, 2 * step)
        write(left)
    leave()

async def watch_or_wait():
    try:
        await watch()
    except Exception as error:
        print(f'daskjob: this process cannot leave by itself: {{error!r}}', file=sys.stderr, flush=True)
        while True:
            # A signal that comes just before the loop falls asleep does not wake it: so it never sleeps for long.
            await asyncio.sleep(1)

def begin_again():
    if os.getpid() == 1:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
    os.chdir(folder)
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)

def restart_in_place():
    import distributed, threading
    close, _ = distributed.Worker.close, sys.orig_argv

    @functools.wraps(close)
    async def closing(self, *args, **kwargs):
        again = kwargs.get('reason') == 'scheduler-remove-worker' and self.status.name in ('running', 'paused')
        if again:
            threading.Timer(2, begin_again).start()
        try:
            return await close(self, *args, **kwargs)
        finally:
            if again:
                begin_again()
    distributed.Worker.close = closing

def look_for(scheduler):
    import socket
    from distributed import Security
    context = Security().get_connection_args('worker').get('ssl_context')
    until = time.monotonic() + 15
    while time.monotonic() < until:
        try:
            found = socket.getaddrinfo(*place(scheduler), type=socket.SOCK_STREAM)
        except (OSError, ValueError):
            found = []
        again = time.monotonic() + 1
        while time.monotonic() < again:
            if any(answers(*each, context) for each in found):
                return
            time.sleep(0.05)

if read() <= 0:
    if not worker or not listens(sys.argv[1]):
        leave()
    write(later)
settle_in()
if worker:
    stand_in_for_nanny()
    limit = memory_limit()
    if limit:
        sys.argv[2:2] = ['--memory-limit', limit]
    look_for(sys.argv[1])
    try:
        if not nanny:
            restart_in_place()
    except (ImportError, AttributeError):
        pass
end_with_preloads(sys.argv)
if nanny:
    watch_children(sys.argv, PRELOADS)
try:
    from distributed import _signals
    _signals.wait_for_signals = watch_or_wait
except ImportError:
    pass
forget_errors()
runpy.run_module(module, run_name='__main__', alter_sys=True)
"""
