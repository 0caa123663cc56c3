"""A notebook that submits jobs, as a data scientist's does: functions of its cells, a running event loop, errors."""

from __future__ import annotations

from pathlib import Path

import nbclient
import nbformat
import pytest

CELLS = (
    """
import daskjob

client = daskjob.connect(backend="local")
factor = 3

def scaled(number):
    return factor * number

future = client.submit(scaled, 14)
future.result(120)
""",
    "await future",
    "list(client.map(scaled, [1, 2, 3]))",
    """
class Odd(Exception):
    pass

def fails():
    raise Odd("of this notebook")

try:
    client.submit(fails).result(120)
except Odd as error:
    print(type(error) is Odd, error, error.__notes__[0].partition(",")[2])
""",
)


def test_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each.strip()) for each in CELLS])
    kernel = nbclient.NotebookClient(
        notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    kernel.execute()
    values = [
        output.get("text") or output["data"]["text/plain"] for cell in notebook.cells for output in cell["outputs"]
    ]
    assert values == ["42", "42", "[3, 6, 9]", "True of this notebook  attempt 1\n"]
