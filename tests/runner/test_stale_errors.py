"""OpenSSL's error of one connection fails no other, in processes that containers of scheduler and workers start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .dask_pods import LAUNCH

#: Stands in for Dask's module: prints what a healthy connection says that has nothing to read, after another failed.
MODULE = """
import ctypes, socket, ssl, sys, threading, _ssl
import tornado.iostream
def connection():
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain("c", "k")
    client = ssl.create_default_context(cafile="c")
    client.check_hostname = False
    one, other = socket.socketpair()
    found = []
    thread = threading.Thread(target=lambda: found.append(server.wrap_socket(one, server_side=True)))
    thread.start()
    kept = client.wrap_socket(other)
    thread.join()
    found[0].setblocking(False)
    return found[0], kept
class Stream:
    _ssl_accepting = False
    socket, kept = connection()
lib = ctypes.CDLL(getattr(_ssl, "__file__", None))
lib.ERR_new()
lib.ERR_set_error(2, 32, None)
method = tornado.iostream.SSLIOStream.read_from_fd
print(method(Stream, bytearray(10)))
"""


@pytest.mark.parametrize("launched", [True, False], ids=["launched", "plain"])
def test_an_error_of_another_connection(tmp_path: Path, launched: bool) -> None:
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout k -out c"
    subprocess.run(["openssl", *request.split()], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "stands_in_scheduler.py").write_text(MODULE)
    arguments = ["-c", LAUNCH, "stands_in_scheduler", "600", "600", "[]"] if launched else ["stands_in_scheduler.py"]
    done = subprocess.run([sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == ((0, "None\n") if launched else (1, "")), done.stderr
