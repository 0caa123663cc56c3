"""A page in Debian's Chromium, without a window: what it asks of any network, what its scripts say, and its picture.

By the DevTools protocol over a websocket: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import re
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

#: Only one process draws, and WebGL is drawn by the processor.
OPTIONS = ("--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run")
LISTENS = re.compile(rb"DevTools listening on (ws://\S+)")


class BrowserPage:
    """A page. `requests`: the addresses of all that it asked for."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._session: dict[str, str] = {}
        self.requests: list[str] = []

    async def open(self, address: str) -> None:
        """Goes there, in a page of its own."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        await self.call("Network.enable")
        await self.call("Page.enable")
        size = {"width": 1600, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **size)
        await self.call("Page.navigate", url=address)

    async def call(self, method: str, **parameters: Any) -> Any:
        """The answer to a command."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters, **self._session})
        async for message in self._socket:
            news = json.loads(message.data)
            if news.get("method") == "Network.requestWillBeSent":
                self.requests.append(news["params"]["request"]["url"])
            if news.get("id") == number:
                assert "error" not in news, news
                return news["result"]
        raise AssertionError(f"the browser ended during {method}")

    async def value(self, script: str) -> Any:
        """What a script gives, awaited if it is a promise."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, script: str, holds: Callable[[Any], object], seconds: float) -> Any:
        """The first value of a script for which it holds. Looks every 0.2 s."""
        last = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    last = await self.value(script)
                    if holds(last):
                        return last
                    await asyncio.sleep(0.2)
        raise AssertionError(f"waited {seconds:g} s for {script}; the last value was {last!r}")

    async def picture(self) -> bytes:
        """What the page looks like, as PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot"))["data"])


@contextlib.asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[BrowserPage]:
    """`folder`: for its settings, of nobody else's."""
    program = shutil.which("chromium")
    assert program is not None, "Chromium is missing: apt-get install chromium"
    command = (program, *OPTIONS, "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL, stderr=pipe)
    try:
        assert process.stderr is not None
        words = b""
        while (found := LISTENS.search(words)) is None:
            line = await process.stderr.readline()
            assert line, f"Chromium did not start: {words.decode(errors='replace')}"
            words += line
        rest = asyncio.create_task(process.stderr.read())
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(found[1].decode(), max_msg_size=0) as socket,
        ):
            page = BrowserPage(socket)
            yield page
            page._session = {}
            await page.call("Browser.close")
        await rest
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
