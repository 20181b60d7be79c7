"""``/ask``: what a policy answers to a question about any picture, how its answers vote, and samples made of them."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, StringConstraints

from whyseg.curation.asking import HIGHEST_TEMPERATURE, MOST_ANSWERS, Settings, Vote
from whyseg.curation.visibility import is_answering
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Image, Instance, Origin, Query, Sample
from whyseg.schemas.errors import Forbidden, InvalidRecord, NotFound
from whyseg.ui.asking import Asking, AskState, Question
from whyseg.ui.pictures import Pictures
from whyseg.ui.roles import Member, Who
from whyseg.ui.routes.pictures import answer_with
from whyseg.ui.routes.strict import StrictRoute
from whyseg.ui.sight import viewer
from whyseg.ui.uploads import Uploads

LABEL = 200  # characters that an instance's label may have
BLIND = "ask about a picture that a blind answer of yours is about: hand it in first"


class Body(BaseModel):
    """A request's body: no other fields, no NaN."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Upload(Body):
    """A picture's file, in base64, and what it is called."""

    name: Annotated[str, Field(max_length=1000)] = "picture"
    data: Base64Bytes


class Ask(Body):
    """A question about a picture of the workspace, or one that was sent before: ``k`` answers, and how they vote."""

    image_id: Annotated[str, Field(max_length=200)]
    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    k: Annotated[int, Field(ge=1, le=MOST_ANSWERS)] = 1
    temperature: Annotated[float, Field(ge=0, le=HIGHEST_TEMPERATURE)] | None = None
    settings: Settings = Settings()


class Voting(Body):
    """What a vote goes by."""

    settings: Settings = Settings()


class AskRoutes:
    """Serves questions to the policy; who asked sees the answers, and nobody else."""

    def __init__(self, workspace: Workspace, asking: Asking) -> None:
        self.store, self.pictures, self.asking = workspace.store, Pictures(workspace), asking
        self.uploads = Uploads()

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/ask", tags=["asking"], route_class=StrictRoute)
        router.get("")(self.policy)
        router.post("", status_code=202)(self.ask)
        router.post("/pictures", status_code=201)(self.upload)
        router.get("/pictures/{image_id}")(self.picture)
        router.get("/{ask_id}")(self.state)
        router.delete("/{ask_id}")(self.cancel)
        router.post("/{ask_id}/vote")(self.vote)
        router.post("/{ask_id}/sample", status_code=201)(self.take)
        return router

    def policy(self, who: Who) -> JSONResponse:
        """Say which policy runs, or why none does, and which question one has asked last."""
        newest = self.asking.newest(who.name)
        if newest is not None and self._is_answering(newest.question.image_id, who):
            newest = None
        return JSONResponse({"policy": self.asking.describe(), "newest": newest and newest.id})

    def upload(self, body: Upload, who: Who) -> JSONResponse:
        """Take a picture to be asked about; it is not added to the workspace."""
        image = self.uploads.add(body.data, body.name, who.name)
        return JSONResponse({"image": image.plain(), "in_workspace": self._known(image.id) is not None}, 201)

    def picture(self, image_id: str, request: Request, who: Who) -> Response:
        """Return a picture that one has sent, upright."""
        return answer_with(request, self.uploads.upright(image_id, who.name), f'"{image_id}-sent"')

    def ask(self, body: Ask, who: Who) -> JSONResponse:
        """Have a question asked, in place of one's last one if that has no answer yet."""
        known = self._known(body.image_id)
        image = known or self.uploads.image(body.image_id, who.name)
        self._require_unbiased(image.id, who)
        question = Question(
            image_id=image.id, size=image.size, file_name=image.file_name, query=body.query, k=body.k,
            temperature=body.temperature, settings=body.settings,
        )  # fmt: skip
        key, by = image.id, who.name
        found = self.asking.ask(
            question, by, lambda: self.pictures.pixels(key) if known else self.uploads.pixels(key, by)
        )
        return JSONResponse(self._shown(found), 202)

    def state(self, ask_id: str, who: Who) -> JSONResponse:
        """Return how far a question is, with its answers and their vote when it has some."""
        return JSONResponse(self._shown(self._state(ask_id, who)))

    def cancel(self, ask_id: str, who: Who) -> JSONResponse:
        """Ask no further."""
        self._state(ask_id, who)
        return JSONResponse(self._shown(self.asking.cancel(ask_id, who.name)))

    def vote(self, ask_id: str, body: Voting, who: Who) -> JSONResponse:
        """Vote on the answers by other settings; asks nothing again."""
        self._state(ask_id, who)
        return JSONResponse(self.asking.vote(ask_id, who.name, body.settings).plain())

    def take(self, ask_id: str, body: Voting, who: Who) -> JSONResponse:
        """Make a draft of the picture with the question and what the vote chose; the same again makes no other."""
        state = self._state(ask_id, who)
        image = self._known(state.question.image_id)
        if image is None:
            raise InvalidRecord("the picture is not in the workspace: import it, then ask about it there")
        vote = self.asking.vote(ask_id, who.name, body.settings)
        sample = drafted(state, vote, body.settings, image)
        head = self.store.add_sample(sample, author=who.name)
        told = {"revision": head.revision.id, "number": head.revision.number, "state": head.state.value}
        return JSONResponse({"sample_id": sample.id, **told}, 201)

    def _known(self, image_id: str) -> Image | None:
        try:
            return self.store.image(image_id)
        except NotFound:
            return None

    def _state(self, ask_id: str, who: Member) -> AskState:
        found = self.asking.state(ask_id, who.name)
        self._require_unbiased(found.question.image_id, who)
        return found

    def _require_unbiased(self, image_id: str, who: Member) -> None:
        """Raise ``Forbidden`` for somebody who is answering blind what the policy would tell."""
        if self._is_answering(image_id, who):
            raise Forbidden(who.role, BLIND)

    def _is_answering(self, image_id: str, who: Member) -> bool:
        with self.store.database.read() as session:
            return is_answering(session, viewer(who), image_id)

    def _shown(self, state: AskState) -> dict[str, Any]:
        return {**state.plain(), "in_workspace": self._known(state.question.image_id) is not None}


def drafted(state: AskState, vote: Vote, settings: Settings, image: Image) -> Sample:
    """Return the sample that a vote makes of a question; raises ``InvalidRecord`` where no answer could be read."""
    if vote.outcome == "failed":
        raise InvalidRecord("no answer could be read: there is nothing to make a sample of")
    model = f"{state.policy}, {state.segmenter}"
    chosen = [one for one in vote.clusters if one.chosen and one.mask.area]
    instances = [
        Instance(id=number, mask=one.mask, label=one.label[:LABEL], origin=Origin(kind="model", model=model))
        for number, one in enumerate(chosen, 1)
    ]
    text = state.question.query
    fields = {
        "query": Query(text=text, is_sentence=text.endswith((".", "?", "!"))),
        "instances": instances,
        "no_target": vote.outcome == "no_object",
    }
    key = uuid.uuid5(uuid.UUID(state.id), settings.model_dump_json()).hex  # the same answers, voted on the same way
    return Sample.start(image.id, image.size, source="annotation", source_record=key, **fields)
