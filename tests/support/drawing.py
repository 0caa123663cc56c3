"""What a browser draws of a run: Dask's performance report, and a trace in speedscope."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from .browser import BrowserPage

#: Bokeh's plots have their canvases in shadow trees.
CANVASES = """(() => {
    const found = [];
    const look = root => root.querySelectorAll("*").forEach(each => {
        if (each.localName === "canvas" && each.width && each.height) found.push(each);
        if (each.shadowRoot) look(each.shadowRoot);
    });
    look(document);
    const colours = canvas => {
        const context = canvas.checkVisibility() && canvas.getContext("2d");
        if (!context) return 0;
        const data = new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
        return new Set(data.filter((each, at) => at % 53 === 0)).size;
    };
    return found.map(colours);
})()"""
#: The tasks that Dask's report has data of.
REPORTED = """(window.Bokeh ? Bokeh.documents : []).flatMap(each => [...each._all_models.values()])
    .filter(each => each.type === "ColumnDataSource" && each.data)
    .map(each => each.data.get ? each.data.get("key") : each.data.key)
    .filter(each => each).map(each => each.length)"""
#: Speedscope gives all that it has read as a file when its Export is clicked.
EXPORT = """[...document.querySelectorAll("div")].filter(each => /^\\W*Export$/.test(each.textContent))
    .slice(-1).map(each => each.click()).length"""
#: This takes the file.
CATCH = """(() => {
    const before = URL.createObjectURL;
    URL.createObjectURL = blob => { window.exported = blob.text(); return before.call(URL, blob); };
})()"""
COUNTS = """window.exported.then(text => {
    const file = JSON.parse(text), counts = {};
    for (const profile of file.profiles)
        for (const event of profile.events)
            if (event.type === "O") {
                const name = file.shared.frames[event.frame].name.split(" ")[0];
                counts[name] = (counts[name] || 0) + 1;
            }
    return {profiles: file.profiles.length, counts};
})"""


#: The tab with the task stream.
SHOW_TASKS = """Bokeh.documents.flatMap(each => [...each._all_models.values()])
    .filter(each => each.type === "Tabs").map(each => { each.active = 1; }).length"""


async def drawn_report(page: BrowserPage, file: Path, seconds: float) -> tuple[list[int], list[int]]:
    """Opens Dask's report at its task stream. Returns how many tasks each source of data of its plots has, and how many
    colours each drawn canvas."""
    await page.open(file.as_uri())
    sources = await page.until(REPORTED, bool, seconds)
    await page.until(SHOW_TASKS, bool, seconds)
    colours = await page.until(CANVASES, lambda found: any(each > 2 for each in found), seconds)
    return sources, colours


async def drawn_trace(page: BrowserPage, viewer: Path, trace: bytes, folder: Path, seconds: float) -> dict[str, Any]:
    """Opens a trace (gzip) in speedscope, whose `index.html` the viewer is. `folder`: for the script that speedscope's
    own command would write. Returns `{profiles, counts}` of what it has: tracks, and events by the prefix of keys."""
    content = base64.b64encode(trace).decode()
    script = folder / "opening.js"
    script.write_text(f"speedscope.loadFileFromBase64('trace.json.gz', '{content}')")
    await page.open(f"{viewer.as_uri()}#localProfilePath={script.as_posix().lstrip('/')}")
    await page.until("document.querySelectorAll('canvas').length", lambda found: found > 1, seconds)
    await page.value(CATCH)
    await page.until(EXPORT, bool, seconds)
    await page.until("!!window.exported", bool, seconds)
    found: dict[str, Any] = await page.value(COUNTS)
    return found
