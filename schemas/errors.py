"""The error tree: every failure that whyseg foresees, and what it carries.

    WhysegError
    ├── UsageError             wrong use: the command line exits 2
    │   └── NotAWorkspace      the folder is no workspace
    ├── InvalidRecord          data that no record can hold
    │   ├── InvalidRle         run lengths that describe no mask
    │   └── SizeMismatch       a mask whose size is not the image's
    ├── RefusedInput           a file or an item that is not taken in, and why
    │   ├── RefusedImage
    │   └── RefusedArchive
    ├── StoreError
    │   ├── NotFound           no such image, sample, revision …
    │   ├── StaleParent        somebody else revised the sample first
    │   ├── IllegalTransition  the state does not allow it (an accepted sample is locked)
    │   ├── Incomplete         a sample that cannot be submitted yet, and what it lacks
    │   ├── LeaseHeld          somebody else works on the sample
    │   ├── LeaseLost          the lease has expired or was taken
    │   ├── ExportRunning      another process writes the same export
    │   ├── AlreadyRunning     the checks are being run, and by whom
    │   ├── StoreUnavailable   the database or the disk refuses (full, read-only, locked)
    │   └── CorruptStore       what is stored does not agree with its hash
    ├── SegmenterError
    │   ├── ModelUnavailable   weights or a package are missing, and how to get them
    │   └── ModelFailed        the model could not be loaded or run
    ├── DrafterError
    │   ├── DrafterUnavailable a key, weights or a package are missing, and how to get them
    │   └── EndpointDenied     the endpoint will answer no request like this one: wrong key, address or model
    ├── Busy                   too many wait already: trying again in a while helps
    ├── AccessError
    │   ├── WrongLogin         no such user, another password, or a disabled user: it is not said which
    │   ├── TooManyLogins      passwords were tried too often
    │   ├── Forbidden          the user's role does not allow this
    │   └── LastCurator        nobody would be left who may manage users
    ├── HubError               the Hub refuses what is asked of it
    │   ├── HubDenied          the token is missing, wrong, or may not do this
    │   ├── HubUnavailable     no network, no answer, too many requests: trying again may help
    │   └── HubConflict        the repository holds something else than was expected
    └── ClientError
        ├── ServerRefused      a server of ours says no, in its own words
        └── ServerUnreachable  it does not answer

A wrong answer of a model is a value, not an error; a bug is whatever exception it raises.
"""

from collections.abc import Sequence
from datetime import datetime


class WhysegError(Exception):
    """Whatever whyseg foresees; its text is one line meant for the user."""


class UsageError(WhysegError):
    """Wrong use of a command or function."""


class NotAWorkspace(UsageError):
    """The folder is no workspace."""


class InvalidRecord(WhysegError, ValueError):
    """Data that no record can hold."""


class InvalidRle(InvalidRecord):
    """Run lengths that describe no mask of the stated size."""


class SizeMismatch(InvalidRecord):
    """A mask whose (height, width) is not the image's."""

    def __init__(self, what: str, expected: tuple[int, int], got: tuple[int, int]) -> None:
        self.what, self.expected, self.got = what, expected, got
        super().__init__(
            f"{what}: size {got[0]}×{got[1]} (height×width) is not the image's {expected[0]}×{expected[1]}"
        )


class RefusedInput(WhysegError):
    """A file or an item that is not taken in."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"{name}: {reason}")


class RefusedImage(RefusedInput):
    """A picture that is not taken in."""


class RefusedArchive(RefusedInput):
    """An archive, or a member of one, that is not taken in."""


class StoreError(WhysegError):
    """Something the store cannot do."""


class NotFound(StoreError):
    """No such thing in the store."""

    def __init__(self, kind: str, key: str) -> None:
        self.kind, self.key = kind, key
        super().__init__(f"no {kind} {key}")


class StaleParent(StoreError):
    """The sample was revised since the parent that the change was made on."""

    def __init__(self, sample_id: str, expected: str, got: str) -> None:
        self.sample_id, self.expected, self.got = sample_id, expected, got
        super().__init__(f"sample {sample_id}: the change was made on revision {got}, but the newest is {expected}")


class IllegalTransition(StoreError):
    """The sample's state does not allow this."""

    def __init__(self, sample_id: str, state: str, action: str) -> None:
        self.sample_id, self.state, self.action = sample_id, state, action
        super().__init__(f"sample {sample_id} is {state}: cannot {action}")


class Incomplete(StoreError):
    """The sample lacks what a submission needs."""

    def __init__(self, sample_id: str, problems: Sequence[str]) -> None:
        self.sample_id, self.problems = sample_id, tuple(problems)
        super().__init__(f"sample {sample_id} is not complete: {'; '.join(problems)}")


class LeaseHeld(StoreError):
    """Somebody else works on the sample."""

    def __init__(self, sample_id: str, holder: str) -> None:
        self.sample_id, self.holder = sample_id, holder
        super().__init__(f"sample {sample_id} is held by {holder}")


class LeaseLost(StoreError):
    """The lease has expired or was taken by somebody else."""

    def __init__(self, sample_id: str) -> None:
        self.sample_id = sample_id
        super().__init__(f"the lease on sample {sample_id} is lost")


class ExportRunning(StoreError):
    """Another process writes the same export."""


class AlreadyRunning(StoreError):
    """The checks are being run; ``started_at`` is an ISO 8601 text."""

    def __init__(self, by: str, started_at: datetime) -> None:
        self.by, self.started_at = by, started_at.isoformat()
        super().__init__(f"the checks are being run already, for {by}, since {started_at:%H:%M:%S} (UTC)")


class StoreUnavailable(StoreError):
    """The database or the disk refuses: full, read-only, gone, locked for too long."""


class CorruptStore(StoreError):
    """What is stored does not agree with its hash."""


class SegmenterError(WhysegError):
    """Something a segmenter cannot do."""


class ModelUnavailable(SegmenterError):
    """Weights or a package are missing; the text says how to get them."""


class ModelFailed(SegmenterError):
    """The model could not be loaded or run."""


class Busy(WhysegError):
    """Too many wait for the same thing already; trying again in a while helps."""


class AccessError(WhysegError):
    """Something that the one who asks may not have."""


class WrongLogin(AccessError):
    """Name and password fit nobody who may sign in."""


class TooManyLogins(AccessError):
    """Passwords were tried too often; ``seconds`` is how long to wait."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"too many attempts to sign in: wait {seconds} second{'s' * (seconds != 1)}")


class Forbidden(AccessError):
    """The user's role does not allow this."""

    def __init__(self, role: str, verb: str) -> None:
        self.role, self.verb = role, verb
        super().__init__(f"your role, {role}, does not allow this: {verb}")


class LastCurator(AccessError):
    """Without this user's role nobody who may sign in could manage users."""

    def __init__(self, user: str) -> None:
        self.user = user
        super().__init__(f"{user} is the last curator who may sign in: make somebody else a curator first")


class DrafterError(WhysegError):
    """Something that keeps a drafter from drafting at all."""


class DrafterUnavailable(DrafterError):
    """A key, weights or a package are missing; the text says how to get them."""


class EndpointDenied(DrafterError):
    """The endpoint will answer no request like this one: wrong key, address, model or form."""


class HubError(WhysegError):
    """Something that the Hub refuses."""


class HubDenied(HubError):
    """The token is missing, wrong, or may not do this."""


class HubUnavailable(HubError):
    """The Hub cannot be reached, does not answer, or asks to wait: trying again may help."""


class HubConflict(HubError):
    """The repository holds something else than was expected; nothing of it was overwritten."""


class ClientError(WhysegError):
    """Something a server of ours did not do for its client."""


class ServerRefused(ClientError):
    """A server's refusal: ``status``, ``kind`` such as "stale_parent", and ``facts``, all that it said."""

    def __init__(self, status: int, facts: dict[str, object]) -> None:
        self.status, self.facts = status, facts
        self.kind = str(facts.get("error", ""))
        super().__init__(str(facts.get("message", f"the server answered {status}")))


class ServerUnreachable(ClientError):
    """A server that does not answer."""
