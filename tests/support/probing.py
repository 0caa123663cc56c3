"""Asking a process over HTTP how it is."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

PATIENCE = 20.0


async def ask(port: int, path: str) -> tuple[int, Any]:
    """Status and body: text, or what a JSON document says."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        text = await response.text()
        return response.status, await response.json() if response.content_type == "application/json" else text


async def becomes(port: int, path: str, status: int) -> Any:
    """Asks until the answer has that status; gives its body."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found, body = await ask(port, path)
            if found == status:
                return body
            await asyncio.sleep(0.05)


async def listening(port: int) -> None:
    """Returns once somebody answers there."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await ask(port, "/")
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.02)
            else:
                return
