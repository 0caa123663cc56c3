"""Enough small pieces of work that more than one worker is worth while."""

import hashlib

from dask import delayed


def stretch(number, rounds):
    """Some tenths of a second of work."""
    return hashlib.pbkdf2_hmac("sha256", b"dask", str(number).encode(), rounds).hex()


def combine(digests):
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def graph(pieces, rounds):
    return delayed(combine)([delayed(stretch)(number, rounds) for number in range(pieces)])
