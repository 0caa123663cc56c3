"""A web server that computes nothing itself: each computation is a DaskJob, and it answers others meanwhile.

python app.py            # jobs on the cluster of your kubeconfig
python app.py --local    # jobs on this machine, without a cluster
"""

import argparse
import asyncio

import tornado.web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

import daskjob


def fibonacci(n):
    """What takes long. It runs in the job; Python sends it there."""
    if n > 40:
        raise ValueError(f"{n} is too large: at most 40")
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


class Handler(tornado.web.RequestHandler):
    def initialize(self, jobs):
        self.jobs = jobs

    def write_error(self, status, exc_info):
        """What the function raised in its job, or what the client says: in words, as text."""
        self.set_header("Content-Type", "text/plain")
        error = exc_info[1]
        self.set_status(404 if isinstance(error, daskjob.JobNotFound) else status)
        self.finish(f"{type(error).__name__}: {error}\n")


class Wait(Handler):
    """GET /fib/30 answers when the job has ended."""

    async def get(self, n):
        future = await self.jobs.submit(fibonacci, int(n))
        self.write(f"<h1>{await future}</h1>")


class Begin(Handler):
    """POST /jobs/30 answers at once, with the address where the job can be looked at."""

    async def post(self, n):
        future = await self.jobs.submit(fibonacci, int(n))
        self.set_status(202)
        self.set_header("Location", f"/jobs/{future.name}")
        self.write({"name": future.name})


class Look(Handler):
    """GET shows the job, and its result as soon as there is one; DELETE ends it. Any server process can answer: what
    there is to know of a job is on the cluster."""

    async def get(self, name):
        future = await self.jobs.attach(name)
        status = future.status()
        answer = {"name": name, "phase": status.phase, "done": status.progress.done, "total": status.progress.total}
        if status.phase == "Succeeded":
            answer["result"] = await future
        if status.phase == "Failed":
            answer["why"] = f"{status.reason}: {status.message}"
        self.write(answer)

    async def delete(self, name):
        future = await self.jobs.attach(name)
        future.cancel()
        self.set_status(202)


def application(jobs):
    pages = [(r"/fib/(\d+)", Wait), (r"/jobs/(\d+)", Begin), (r"/jobs/([a-z][-a-z0-9]*)", Look)]
    return tornado.web.Application([(path, handler, {"jobs": jobs}) for path, handler in pages])


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--local", action="store_true", help="run the jobs on this machine")
    parser.add_argument("--port", type=int, default=8000, help="0: any that is free")
    options = parser.parse_args()
    # Jobs are deleted an hour after their end. Image, namespace and more: DASK_DASKJOB__IMAGE and so on.
    client = daskjob.connect(backend="local" if options.local else None, ttl=3600)
    sockets = bind_sockets(options.port, "127.0.0.1")
    HTTPServer(application(daskjob.AsyncDaskJobClient(client))).add_sockets(sockets)
    print(f"http://127.0.0.1:{sockets[0].getsockname()[1]}/fib/20", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
