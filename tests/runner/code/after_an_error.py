"""A connection of Dask's over TLS, in a thread in which another one has failed."""

import _ssl
import ctypes
import os
import socket
import ssl
import threading

from tornado.iostream import SSLIOStream


def connection(folder):
    """The server's end, and the client's."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(os.path.join(folder, "c"), os.path.join(folder, "k"))
    client = ssl.create_default_context(cafile=os.path.join(folder, "c"))
    client.check_hostname = False
    one, other = socket.socketpair()
    found = []
    thread = threading.Thread(target=lambda: found.append(server.wrap_socket(one, server_side=True)))
    thread.start()
    kept = client.wrap_socket(other)
    thread.join()
    found[0].setblocking(False)
    return found[0], kept


def read(folder):
    """What a healthy connection says that has nothing to read, after another failed. `folder`: of the certificate."""

    class Stream:
        _ssl_accepting = False
        socket, kept = connection(folder)

    library = ctypes.CDLL(getattr(_ssl, "__file__", None))
    library.ERR_new()
    library.ERR_set_error(2, 32, None)
    try:
        return repr(SSLIOStream.read_from_fd(Stream, bytearray(10)))
    except OSError as error:
        return f"failed: {error}"
