"""Who sees which sample by its id: the check before every route that names one, or a revision, in its path."""

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from whyseg.curation.tables import RevisionRow
from whyseg.curation.visibility import Viewer, answer_row, is_hidden
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import Forbidden, NotFound
from whyseg.ui.roles import Member, Verb, Who, may


def viewer(who: Member) -> Viewer:
    """Return somebody as one who looks at samples."""
    return Viewer(name=who.name, decides=may(who.role, Verb.REVIEW))


class Sight:
    """Stands before the routes of a workspace, as their dependency.

    What somebody does not see is answered as if it were not there, which is all they can learn about it. Curators see
    every sample; they change nobody else's blind answer.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.database = workspace.store.database

    async def __call__(self, request: Request, who: Who) -> None:
        """Raise ``NotFound`` for what is not seen, ``Forbidden`` for what is seen and not touched."""
        if request.path_params.keys() & {"sample_id", "revision_id"}:  # the others, clicks above all, wait for nothing
            await run_in_threadpool(self._check, request, who)

    def _check(self, request: Request, who: Member) -> None:
        sample_id, revision_id = (request.path_params.get(name) for name in ("sample_id", "revision_id"))
        with self.database.read() as session:
            revision = session.get(RevisionRow, revision_id) if revision_id else None
            asked = [key for key in (sample_id, revision and revision.sample_id) if key]
            unseen = [key for key in asked if is_hidden(session, key, viewer(who))]
            foreign = [key for key in unseen if answer_row(session, key) is not None]
        if unseen and not may(who.role, Verb.ASSIGN):
            if revision_id is None:
                raise NotFound("sample", str(sample_id))
            of_another = revision is not None and revision.sample_id not in unseen
            raise NotFound("revision", f"{revision_id} of sample {sample_id}" if of_another else revision_id)
        if foreign and request.method != "GET":
            raise Forbidden(who.role, "change somebody else's blind answer")
