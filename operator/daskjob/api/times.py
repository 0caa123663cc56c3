"""RFC 3339 texts and datetimes, always in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def to_text(moment: datetime) -> str:
    """`2026-01-31T12:00:00.123456Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_seconds_text(moment: datetime) -> str:
    """`2026-01-31T12:00:00Z`, the form of Kubernetes' own times: `metav1.Time` reads no other."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_shortest_text(moment: datetime) -> str:
    """Whole seconds without a fraction, as the kubelet gives them; other moments with theirs."""
    return to_text(moment) if moment.microsecond else to_seconds_text(moment)


def from_text(text: object) -> datetime | None:
    """The moment; None if the text is not such a time. A time without a zone counts as UTC."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
