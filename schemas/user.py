"""The people of a team: who they are and what their role is."""

from enum import StrEnum

from whyseg.schemas.record import Record, Utc


class Role(StrEnum):
    """What somebody is in a team; each role may do all that those before it may."""

    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    CURATOR = "curator"


class User(Record):
    """Somebody who may sign in, unless ``disabled``; ``name`` is the author of what they do."""

    name: str
    role: Role
    disabled: bool = False
    created_at: Utc
