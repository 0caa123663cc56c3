"""OpenSSL's error of one connection fails no other, in any process of a job."""

from typing import Any


def forget_errors() -> None:
    """Has each of Dask's connections forget what went wrong for its thread before. An image whose Python or tornado has
    other parts is left as it is.

    OpenSSL keeps an error for a thread, and Python leaves it there when a peer has gone without a word, as nannies do,
    and workers that are killed: then it fails whichever connection of the thread comes next. The runner's report needs
    none of that: its connection is the only one of its thread, and a request that fails is sent again.
    """
    import functools

    def forgetting(method: Any) -> Any:
        @functools.wraps(method)
        def forgets(*args: Any, **kwargs: Any) -> Any:
            forget()
            return method(*args, **kwargs)

        return forgets

    try:
        import _ssl
        import ctypes

        from tornado.iostream import SSLIOStream

        # PyDLL keeps the interpreter's lock: CDLL gives it to a busy thread before each read and write.
        forget = ctypes.PyDLL(getattr(_ssl, "__file__", None)).ERR_clear_error
        methods = {name: getattr(SSLIOStream, name) for name in ("read_from_fd", "write_to_fd", "_do_ssl_handshake")}
    except (ImportError, AttributeError, OSError):
        return
    for name, method in methods.items():
        setattr(SSLIOStream, name, forgetting(method))
