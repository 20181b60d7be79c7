"""Who sees which samples: a blind answer is its user's alone, who meanwhile does not see what it answers.

The rules, for lists, neighbours, *next* and single samples alike:

* without a viewer (commands, checks, releases, counts) there are no answers;
* a viewer sees no answers of others; whoever decides on samples sees their own only until they are handed in, since
  answers are compared, not reviewed;
* while an answer is open, its user does not see its original.
"""

from sqlalchemy import Select, SelectBase, select, union_all
from sqlalchemy.orm import Session

from whyseg.curation.tables import AnswerRow, SampleRow
from whyseg.schemas.errors import IllegalTransition
from whyseg.schemas.record import Record
from whyseg.schemas.revision import State


class Viewer(Record):
    """Somebody who looks at samples; ``decides``: may accept and reject them."""

    name: str
    decides: bool = False


def hidden_answers(viewer: Viewer | None) -> SelectBase:
    """Return the ids of the answers that a viewer's lists leave out; without a viewer, of all."""
    if viewer is None:
        return select(AnswerRow.sample_id)
    others = select(AnswerRow.sample_id).where(AnswerRow.user != viewer.name)
    if not viewer.decides:
        return others
    joined = select(AnswerRow.sample_id).join(SampleRow, SampleRow.id == AnswerRow.sample_id)
    own = joined.where(AnswerRow.user == viewer.name, SampleRow.state == State.SUBMITTED.value)
    return union_all(others, own)


def open_originals(viewer: Viewer) -> Select[str]:
    """Return the ids of the samples that a viewer is answering, and so does not see."""
    joined = select(AnswerRow.original_id).join(SampleRow, SampleRow.id == AnswerRow.sample_id)
    return joined.where(AnswerRow.user == viewer.name, SampleRow.state != State.SUBMITTED.value)


def is_answering(session: Session, viewer: Viewer, image_id: str) -> bool:
    """Tell whether somebody has a blind answer open that is about a picture."""
    joined = select(AnswerRow.sample_id).join(SampleRow, SampleRow.id == AnswerRow.sample_id)
    own = joined.where(AnswerRow.user == viewer.name, SampleRow.state != State.SUBMITTED.value)
    return session.scalar(own.where(SampleRow.image_id == image_id).limit(1)) is not None


def hidden(viewer: Viewer | None) -> list[SelectBase]:
    """Return what a viewer's lists leave out, as selections of samples' ids."""
    return [hidden_answers(viewer), *([open_originals(viewer)] if viewer else [])]


def answer_row(session: Session, sample_id: str) -> AnswerRow | None:
    """Return what makes a sample an answer; None where it is none."""
    return session.get(AnswerRow, sample_id)


def is_hidden(session: Session, sample_id: str, viewer: Viewer) -> bool:
    """Tell whether a sample is an answer of somebody else, or what the viewer is answering."""
    answer = answer_row(session, sample_id)
    if answer is not None:
        return answer.user != viewer.name
    return session.scalar(open_originals(viewer).where(AnswerRow.original_id == sample_id).limit(1)) is not None


def is_handed_in(session: Session, sample_id: str, state: str) -> bool:
    """Tell whether a sample is an answer that was handed in, and so stays as it is."""
    return state == State.SUBMITTED and answer_row(session, sample_id) is not None


def require_open(session: Session, row: SampleRow, action: str) -> None:
    """Raise ``IllegalTransition`` when the sample is an answer that was handed in."""
    if is_handed_in(session, row.id, row.state):
        raise IllegalTransition(row.id, row.state, action)
