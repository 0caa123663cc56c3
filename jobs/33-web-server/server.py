"""A web server that leaves its computations to the cluster, and answers others meanwhile."""

import asyncio

from distributed import Event
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def slow(n):
    """Does not end before somebody has got an answer to something else."""
    Event("answered").wait()
    return fibonacci(n)


class Fibonacci(RequestHandler):
    def initialize(self, client, function):
        self.client, self.function = client, function

    async def get(self, n):
        result = await self.client.submit(self.function, int(n))
        self.write(f"<h1>{result}</h1>")


async def visit(port):
    """The pages in the order in which they came."""
    browser = AsyncHTTPClient()

    async def page(path):
        response = await browser.fetch(f"http://127.0.0.1:{port}{path}")
        return f"{path} {response.body.decode()}"

    first = asyncio.ensure_future(page("/slow/20"))
    pages = await asyncio.gather(*(page(f"/fib/{n}") for n in (10, 15, 20)))
    assert not first.done()
    await Event("answered").set()
    return [*pages, await first]


async def main(client):
    handlers = [
        (r"/fib/(\d+)", Fibonacci, {"client": client, "function": fibonacci}),
        (r"/slow/(\d+)", Fibonacci, {"client": client, "function": slow}),
    ]
    # A service would go on for ever (`await asyncio.Event().wait()`), until `spec.cancel` ends it. This one has its
    # visitors in the same process, and ends when they go.
    server = HTTPServer(Application(handlers))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    try:
        return await visit(sockets[0].getsockname()[1])
    finally:
        server.stop()
