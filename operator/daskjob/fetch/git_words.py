"""What the words of git and ssh mean, in the C locale, and what the job's author is to do about it."""

from __future__ import annotations

import re

from daskjob.fetch.fetch_problem import (
    FORBIDDEN,
    GIT_MISSING,
    NOT_FOUND,
    REFUSED,
    TIMED_OUT,
    UNREACHABLE,
    FetchProblem,
)
from daskjob.fetch.source_secret import AUTHORITY, KNOWN_HOSTS, SSH_KEY, Credentials
from daskjob.results.opened_store import by_place

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
#: Characters of git's last words in a message.
WORDS = 400
_MEANINGS = (
    (r"Could not resolve host|Name or service not known|Temporary failure in name resolution", UNREACHABLE),
    (r"Host key verification failed|REMOTE HOST IDENTIFICATION|[Nn]o .* host key is known", FORBIDDEN),
    (r"Permission denied|Authentication failed|could not read Username|terminal prompts disabled", FORBIDDEN),
    (r"returned error: 40[13]|access denied|Access denied|not authori[sz]ed", FORBIDDEN),
    (r"certificate verification failed|certificate problem|no alternative certificate|peer certificate", FORBIDDEN),
    (r"returned error: 404|[Rr]epository .*not found|does not appear to be a git repository", NOT_FOUND),
    (r"does not exist|not exported|no such repository|unable to access .*: .*not found", NOT_FOUND),
    (r"transport '[^']*' not allowed|unable to update url base|RPC failed; HTTP 30\d", REFUSED),
    (r"error: invalid path|suspicious submodule|disallowed submodule|expected submodule path", REFUSED),
    (r"Operation too slow|Operation timed out|Connection timed out|Timeout, server", TIMED_OUT),
)
#: What says nothing about the cause.
_EMPTY = re.compile(
    r"\s*|@+|fatal: Could not read from remote repository\.|Please make sure you have the correct access rights|"
    r"and the repository exists\.|fatal: protocol error.*|Warning: Permanently added.*"
)


def is_commit(revision: str) -> bool:
    """Whether a revision is the whole name of a commit, by SHA-1 or SHA-256: nothing else that it names can change."""
    return _COMMIT.fullmatch(revision) is not None


def git_problem(words: str, field: str, credentials: Credentials) -> FetchProblem:
    """What to say of git's words. `field`: of the spec, for the message."""
    text = credentials.without_secrets(words)
    reason = next((reason for pattern, reason in _MEANINGS if re.search(pattern, text)), UNREACHABLE)
    hint = ""
    if "cannot run ssh" in text or "ssh: not found" in text:
        lacks = f"; {by_place('the image', 'this machine')} has no ssh"
        reason, hint = GIT_MISSING, f"{lacks}: install Debian's package openssh-client, or use https"
    elif reason == FORBIDDEN:
        hint = f"; {_hint(text, credentials)}"
    lines = [each.strip() for each in text.splitlines() if not _EMPTY.fullmatch(each)]
    return FetchProblem(reason, f"{field}: git: {' '.join(lines[-3:])[-WORDS:] or 'failed'}{hint}")


def _authority(text: str, credentials: Credentials) -> str:
    """Where the authority of a server is to stand that git does not trust."""
    if "into submodule path" in text:
        return "put the authority of the submodule's server into the image: the Secret's is for the repository's own"
    if AUTHORITY in credentials:
        return f"look whether {AUTHORITY} in Secret {credentials.secret} is the server's authority"
    where = f"Secret {credentials.secret}" if credentials.secret else "a Secret, and name that in secretRef"
    return f"put the server's authority as {AUTHORITY} into {where}"


def _hint(text: str, credentials: Credentials) -> str:
    """What to do where a server is not trusted, or does not trust."""
    if own := by_place("", "here the configuration of your own git counts: see that `git clone` of the address works"):
        return own
    secret = f"Secret {credentials.secret}"
    by_ssh = re.search("[Hh]ost key|HOST IDENTIFICATION|publickey", text)
    if by_ssh and not credentials.secret:
        return f"name a Secret with {SSH_KEY} and {KNOWN_HOSTS} in secretRef"
    if "HOST IDENTIFICATION HAS CHANGED" in text:
        return (
            f"the server has another key than {KNOWN_HOSTS} in {secret} says: ask its owner whether it was changed; "
            "nothing was sent there"
        )
    if re.search("[Hh]ost key", text):
        return f"put the server's key as {KNOWN_HOSTS} into {secret} (ssh-keyscan prints it: compare it)"
    if "publickey" in text:
        if SSH_KEY not in credentials:
            return f"{secret} has no {SSH_KEY}"
        return f"look at {SSH_KEY} in {secret}, and at what it may read"
    if re.search("expired|not yet valid|not yet activated", text):
        return "whoever runs the server has to renew its certificate, unless the clock here is wrong"
    if "certificate" in text:
        return f"{_authority(text, credentials)}; or the server's certificate is out of date, or of another host"
    return credentials.named
