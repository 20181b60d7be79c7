"""What a record is: frozen values that go in and out of everything else."""

from whyseg.schemas.answer import Answer as Answer
from whyseg.schemas.answer import Assignment as Assignment
from whyseg.schemas.answer import Gold as Gold
from whyseg.schemas.canonical import canonical_json as canonical_json
from whyseg.schemas.canonical import content_hash as content_hash
from whyseg.schemas.draft import Critique as Critique
from whyseg.schemas.draft import Drafted as Drafted
from whyseg.schemas.draft import DraftProblem as DraftProblem
from whyseg.schemas.draft import Fault as Fault
from whyseg.schemas.draft import Mark as Mark
from whyseg.schemas.draft import QueryDraft as QueryDraft
from whyseg.schemas.draft import Scene as Scene
from whyseg.schemas.draft import SceneObject as SceneObject
from whyseg.schemas.draft import Usage as Usage
from whyseg.schemas.image import Image as Image
from whyseg.schemas.image import Split as Split
from whyseg.schemas.mask import Mask as Mask
from whyseg.schemas.mask import union as union
from whyseg.schemas.prompt import Box as Box
from whyseg.schemas.prompt import Point as Point
from whyseg.schemas.prompt import Prompt as Prompt
from whyseg.schemas.proposal import Decision as Decision
from whyseg.schemas.proposal import Proposal as Proposal
from whyseg.schemas.proposal import RevisionReason as RevisionReason
from whyseg.schemas.record import Record as Record
from whyseg.schemas.release import Release as Release
from whyseg.schemas.release import ReleaseItem as ReleaseItem
from whyseg.schemas.release import release_hash as release_hash
from whyseg.schemas.revision import AuditEntry as AuditEntry
from whyseg.schemas.revision import Comment as Comment
from whyseg.schemas.revision import Finding as Finding
from whyseg.schemas.revision import Head as Head
from whyseg.schemas.revision import Lease as Lease
from whyseg.schemas.revision import Reason as Reason
from whyseg.schemas.revision import Review as Review
from whyseg.schemas.revision import Revision as Revision
from whyseg.schemas.revision import SetAside as SetAside
from whyseg.schemas.revision import State as State
from whyseg.schemas.revision import Suggestion as Suggestion
from whyseg.schemas.sample import Instance as Instance
from whyseg.schemas.sample import Origin as Origin
from whyseg.schemas.sample import Query as Query
from whyseg.schemas.sample import QueryOrigin as QueryOrigin
from whyseg.schemas.sample import ReasoningType as ReasoningType
from whyseg.schemas.sample import Ring as Ring
from whyseg.schemas.sample import Sample as Sample
from whyseg.schemas.sample import sample_id as sample_id
from whyseg.schemas.sample import source_key as source_key
from whyseg.schemas.signals import AnswerCluster as AnswerCluster
from whyseg.schemas.signals import ScoreRun as ScoreRun
from whyseg.schemas.signals import Signals as Signals
from whyseg.schemas.user import Role as Role
from whyseg.schemas.user import User as User

__all__ = [
    "Answer",
    "AnswerCluster",
    "Assignment",
    "AuditEntry",
    "Box",
    "Comment",
    "Critique",
    "Decision",
    "DraftProblem",
    "Drafted",
    "Fault",
    "Finding",
    "Gold",
    "Head",
    "Image",
    "Instance",
    "Lease",
    "Mark",
    "Mask",
    "Origin",
    "Point",
    "Prompt",
    "Proposal",
    "Query",
    "QueryDraft",
    "QueryOrigin",
    "Reason",
    "ReasoningType",
    "Record",
    "Release",
    "ReleaseItem",
    "Review",
    "Revision",
    "RevisionReason",
    "Ring",
    "Role",
    "Sample",
    "Scene",
    "SceneObject",
    "ScoreRun",
    "SetAside",
    "Signals",
    "Split",
    "State",
    "Suggestion",
    "Usage",
    "User",
    "canonical_json",
    "content_hash",
    "release_hash",
    "sample_id",
    "source_key",
    "union",
]
