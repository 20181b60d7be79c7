"""``/samples``: lists, single samples, saving and submitting them."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, BeforeValidator, Field

from whyseg.curation.merge import merge
from whyseg.curation.queries import Order, SampleFilter
from whyseg.curation.visibility import answer_row, is_handed_in
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Head, ReasoningType, Sample, State
from whyseg.schemas.errors import InvalidRecord, NotFound, StaleParent
from whyseg.schemas.sample import MAX_DEPTH, as_reasoning_type
from whyseg.ui.failures import answer_of
from whyseg.ui.roles import Member, Who
from whyseg.ui.routes.strict import StrictRoute
from whyseg.ui.sight import viewer

MAX_OFFSET = 2**31
_or_none = BeforeValidator(lambda value: value or None)  # a form's empty field restricts nothing
RevisionId = Annotated[str, Field(max_length=200)]


class NewSample(BaseModel):
    """Which image another sample is of."""

    image_id: Annotated[str, Field(max_length=200)]


class Save(BaseModel):
    """An edit of a sample: its own name, the revision it was made on, and the whole sample."""

    edit: Annotated[str, Field(min_length=1, max_length=200)]
    parent: RevisionId
    sample: Sample


class Submission(BaseModel):
    """The revision that is handed in."""

    parent: RevisionId


class SampleRoutes:
    """Serves the samples of a workspace; with ``leased`` only who has the lease on a sample changes it."""

    def __init__(self, workspace: Workspace, *, leased: bool = False) -> None:
        self.store = workspace.store
        self.leased = leased

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/samples", tags=["samples"], route_class=StrictRoute)
        router.get("")(self.page)
        router.post("", status_code=201)(self.add)
        router.get("/{sample_id}")(self.show)
        router.put("/{sample_id}")(self.save)
        router.post("/{sample_id}/submit")(self.submit)
        router.get("/{sample_id}/revisions")(self.revisions)
        return router

    def page(
        self,
        who: Who,
        state: Annotated[State | None, _or_none] = None,
        reasoning_type: Annotated[ReasoningType | None, BeforeValidator(as_reasoning_type), _or_none] = None,
        depth: Annotated[Annotated[int, Field(ge=1, le=MAX_DEPTH)] | None, _or_none] = None,
        text: Annotated[Annotated[str, Field(max_length=200)] | None, _or_none] = None,
        assigned: Annotated[Annotated[str, Field(max_length=200)] | None, _or_none] = None,
        proposed: Annotated[bool | None, _or_none] = None,
        order: Order = "added",
        offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> JSONResponse:
        """Return a page of the samples that match."""
        wanted = SampleFilter(
            state=state,
            reasoning_type=reasoning_type,
            depth=depth,
            text=text,
            assigned=assigned,
            proposed=proposed,
            viewer=viewer(who),
        )
        return JSONResponse(self.store.page(wanted, order=order, offset=offset, limit=limit).plain())

    def add(self, body: NewSample, who: Who) -> JSONResponse:
        """Make another, empty sample of an image."""
        image = self.store.image(body.image_id)
        sample = Sample.start(image.id, image.size, source="annotation", source_record=uuid.uuid4().hex)
        return JSONResponse(self._shown(self.store.add_sample(sample, author=who.name), who), 201)

    def show(self, sample_id: str, who: Who) -> JSONResponse:
        """Return a sample as it stands, its image, and its neighbours."""
        return JSONResponse(self._shown(self.store.head(sample_id), who))

    def save(self, sample_id: str, body: Save, who: Who) -> JSONResponse:
        """Make a revision of a sample; the same edit again makes no other."""
        if body.sample.id != sample_id:
            raise InvalidRecord(f"the change is about another sample: expected {sample_id}, got {body.sample.id}")
        try:
            head = self.store.revise(
                sample_id, body.sample, parent=body.parent, author=who.name, edit=body.edit, leased=self.leased
            )
        except StaleParent as stale:
            return self._stale(stale, body)
        return JSONResponse(_summary(head))

    def submit(self, sample_id: str, body: Submission, who: Who) -> JSONResponse:
        """Hand a sample in for review."""
        try:
            head = self.store.submit(sample_id, parent=body.parent, author=who.name, leased=self.leased)
            return JSONResponse(_summary(head))
        except StaleParent as stale:
            return self._stale(stale, None)

    def revisions(self, sample_id: str) -> JSONResponse:
        """Return how a sample came about, newest first."""
        kept = {"id", "number", "parent", "author", "created_at", "content"}
        found = [revision.model_dump(mode="json", include=kept) for revision in self.store.revisions(sample_id)]
        return JSONResponse({"revisions": [{"revision": one.pop("id"), **one} for one in found]})

    def _shown(self, head: Head, who: Member) -> dict[str, Any]:
        sample = head.sample
        place = self.store.place(sample.id, viewer(who)).plain()
        with self.store.database.read() as session:
            answer = answer_row(session, sample.id)
            locked = head.state is State.ACCEPTED or is_handed_in(session, sample.id, head.state)
            locked = locked or (answer is not None and answer.user != who.name)
        told = {"sample": sample.plain(), **_summary(head), "locked": locked}
        return {**told, "image": self.store.image(sample.image_id).plain(), **place}

    def _stale(self, stale: StaleParent, save: Save | None) -> JSONResponse:
        """Answer with the newest revision, and what a merge with the refused edit would be."""
        head = self.store.head(stale.sample_id)
        facts: dict[str, Any] = {"theirs": head.sample.plain(), "theirs_number": head.revision.number}
        facts |= {"merged": None, "conflicts": []}
        if save is not None and save.sample.size != head.sample.size:
            raise InvalidRecord(f"the change is of size {save.sample.size}, the sample of {head.sample.size}")
        try:
            base = self.store.revision(stale.got)
        except NotFound:
            base = None
        if save is not None and base is not None and base.sample.id == stale.sample_id:
            merged = merge(base.sample, save.sample, head.sample)
            facts |= {"merged": merged.sample.plain(), "conflicts": list(merged.conflicts)}
        now = StaleParent(stale.sample_id, head.revision.id, stale.got)  # somebody may have revised it again since
        return answer_of(now, **facts)


def _summary(head: Head) -> dict[str, Any]:
    return {"revision": head.revision.id, "number": head.revision.number, "state": head.state.value}
