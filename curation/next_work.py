"""What somebody is to work on next."""

from whyseg.curation import leases
from whyseg.curation.golds import due_gold
from whyseg.curation.queries import SampleFilter
from whyseg.curation.store import LEASE_SECONDS, Store
from whyseg.curation.visibility import Viewer
from whyseg.schemas.revision import Lease, State

TODO = (State.DRAFT, State.REJECTED)  # one after the other


def next_work(
    store: Store, viewer: Viewer, *, after: str | None, gold_every: int, seconds: float = LEASE_SECONDS
) -> Lease | None:
    """Claim what somebody is to do next; None when there is nothing.

    A gold item when it is time for one, then what is assigned to them, then what is assigned to nobody: of each drafts
    first, then rejected samples. ``after``: the sample that is left.
    """
    with store.database.write() as session:
        at = store.clock()
        if gold_every and (found := due_gold(session, store, viewer.name, gold_every)):
            return leases.claim(session, found, viewer.name, at, seconds)
        for assigned in (viewer.name, ""):
            for state in TODO:
                wanted = SampleFilter(state=state, assigned=assigned, viewer=viewer)
                if lease := leases.claim_next(session, wanted, viewer.name, at, seconds, after):
                    return lease
    return None
