"""Time, as whyseg writes it."""

from datetime import UTC, datetime

from whyseg.schemas.errors import InvalidRecord


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """Return an ISO 8601 text in UTC of one width, so that texts sort as times do.

    >>> stamp(datetime(2026, 1, 2, tzinfo=UTC))
    '2026-01-02T00:00:00.000000+00:00'
    """
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def moment(text: str) -> datetime:
    """Return the moment that a day or a time in ISO 8601 names, in UTC where it names no offset.

    Raises ``InvalidRecord`` for any other text.

    >>> moment("2026-01-31"), moment("2026-01-31T12:00+02:00")  # doctest: +NORMALIZE_WHITESPACE
    (datetime.datetime(2026, 1, 31, 0, 0, tzinfo=datetime.timezone.utc),
     datetime.datetime(2026, 1, 31, 10, 0, tzinfo=datetime.timezone.utc))
    """
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRecord(
            f"a day or a time is written as 2026-01-31 or 2026-01-31T12:00, got {text[:40]!r}"
        ) from error
