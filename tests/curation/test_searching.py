"""A text is found in questions and file names, in any case, as if every one of them were looked at."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from tests.builders import image_record, sample
from whyseg.curation import queries
from whyseg.curation.queries import SampleFilter
from whyseg.curation.searching import is_made, make, remake, word_problems
from whyseg.curation.store import Store
from whyseg.curation.tables import AnswerRow, ImageRow, SampleRow
from whyseg.curation.users import Users
from whyseg.curation.visibility import Viewer
from whyseg.schemas import Query
from whyseg.schemas.user import Role

NAMES = ("IMG_0001.jpg", "Größe 2.PNG", "日本語の写真.jpg", 'a "quoted" %_\\.png')
# What an index, LIKE or a change of case could take for something else; İ is two characters in lower case.
ODD = "aAbBkK\u212aiIıİsSßẞΣσςöÖéE\u0301%_\\\"'*()^:-+ \t\n日本語한글🙂👩\u200d👧\U0001f1e9"
texts = st.text(st.sampled_from(ODD) | st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=14)


@pytest.fixture
def store(new_url: str) -> Iterator[Store]:
    with closing(Store(new_url)) as made:
        images = [image_record(n).model_copy(update={"file_name": name}) for n, name in enumerate(NAMES)]
        made.add_samples(images, [sample(n) for n in range(len(NAMES))], author="ann")
        yield made


def found(session: Session, wanted: str, viewer: Viewer | None = None) -> list[int]:
    """The numbers of the samples that a search lists, of which there must be as many as it says."""
    page = queries.page(session, SampleFilter(text=wanted, viewer=viewer), "added", 0, 50)
    places = {key: added for key, added in session.execute(select(SampleRow.id, SampleRow.added))}
    assert page.total == len(page.samples)
    return [places[one.id] for one in page.samples]


def ask(store: Store, number: int, question: str) -> None:
    head = store.head(sample(number).id)
    changed = head.sample.model_copy(update={"query": Query(text=question)})
    store.revise(changed.id, changed, parent=head.revision.id, author="ann")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(questions=st.lists(texts, min_size=4, max_size=4), data=st.data())
def test_every_text_is_found_where_it_stands_and_nowhere_else(
    store: Store, questions: list[str], data: st.DataObject
) -> None:
    whole = data.draw(st.sampled_from([*questions, *NAMES]))
    start = data.draw(st.integers(0, len(whole)))
    part = whole[start : data.draw(st.integers(start, len(whole)))]
    with store.database.write() as session:
        for number, question in enumerate(questions, 1):
            session.execute(update(SampleRow).where(SampleRow.added == number).values(query=question))
        for wanted in (part, part.upper(), part.lower(), part.swapcase(), data.draw(texts)):
            if wanted:
                assert found(session, wanted) == scanned(session, wanted, questions), wanted
        assert list(word_problems(session)) == []


def scanned(session: Session, wanted: str, questions: list[str]) -> list[int]:
    """The numbers of the samples that hold a text, found by looking at each."""
    if session.get_bind().dialect.name == "sqlite":
        pairs = enumerate(zip(questions, NAMES, strict=True), 1)
        return [n for n, two in pairs if any(wanted.lower() in one.lower() for one in two)]
    # PostgreSQL has its own idea of lower case.
    holds = (column.icontains(wanted, autoescape=True) for column in (SampleRow.query, ImageRow.file_name))
    first, second = holds
    asked = select(SampleRow.added).join(ImageRow, ImageRow.id == SampleRow.image_id).where(first | second)
    return list(session.scalars(asked.order_by(SampleRow.added)))


def test_nothing_in_a_text_has_a_meaning_of_its_own(store: Store) -> None:
    told = {
        '"quoted"': [4], "%_\\": [4], "%": [4], "OR": [], "img_* OR a": [], "MG_0": [1], "größe": [2], "GRÖSSE": [],
        'a "quo': [4], 'ed" ': [4], '""""': [], "σςΣ": [],
        "本語": [3], "日本語の": [3], "G": [1, 2, 3, 4], " ": [2, 4], "query:x": [], "ＩＭＧ": [],
    }  # fmt: skip
    with store.database.read() as session:
        assert {wanted: found(session, wanted) for wanted in told} == told


def test_a_long_text_is_compared_to_its_end(store: Store) -> None:
    long = "which of all the things on this long table would somebody who is cold take first, "
    ask(store, 0, f"{long}and why?")
    ask(store, 1, f"{long}and when?")
    with store.database.read() as session:
        assert found(session, long) == [1, 2]
        assert found(session, f"{long}AND WHEN") == [2]


def test_a_changed_question_is_found_by_its_new_words_alone(store: Store) -> None:
    ask(store, 0, "what keeps the drink warm?")
    ask(store, 0, "what keeps the rain off?")
    head = store.head(sample(0).id)
    store.revise(
        head.sample.id, head.sample.model_copy(update={"no_target": True}), parent=head.revision.id, author="ann"
    )
    with store.database.read() as session:
        assert (found(session, "drink"), found(session, "rain")) == ([], [1])


def test_what_is_not_committed_is_not_found(store: Store) -> None:
    def fail_halfway() -> None:
        with store.database.write() as session:
            session.execute(update(SampleRow).values(query="what flies?"))
            assert found(session, "flies") == [1, 2, 3, 4]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    with store.database.read() as session:
        assert found(session, "flies") == []


def test_whoever_answers_a_sample_does_not_find_it(store: Store) -> None:
    for number in range(3):
        ask(store, number, "what flies?")
    Users(store.database).add("ben", Role.ANNOTATOR, "a long password", author="ann")
    first, second = (store.head(sample(n).id) for n in (0, 1))
    values: dict[str, object] = {
        "sample_id": second.sample.id,
        "original_id": first.sample.id,
        "user": "ben",
        "kind": "second",
    }
    with store.database.write() as session:
        values |= {"original_revision": first.revision.id, "by": "ann", "at": "2026", "entry": 1}
        session.execute(insert(AnswerRow).values(values))
    with store.database.read() as session:
        assert found(session, "flies") == [1, 3]  # without a viewer there are no answers
        assert found(session, "flies", Viewer(name="ben")) == [2, 3]  # his answer, not what it answers
        assert found(session, "flies", Viewer(name="cleo")) == [1, 3]


def test_the_index_is_made_of_what_is_there(store: Store) -> None:
    ask(store, 0, "what keeps the Größe warm?")
    assert remake(store.database)
    ask(store, 1, "what else is warm?")
    with store.database.read() as session:
        assert (found(session, "größe"), found(session, "WARM")) == ([1, 2], [1, 2])
        assert list(word_problems(session)) == []
        assert is_made(session.connection())


@pytest.mark.slow
@pytest.mark.postgres
def test_without_the_extension_every_text_is_looked_at(postgres_url: str) -> None:
    with closing(Store(postgres_url)) as store:
        store.add_samples([image_record()], [sample(query="Was hält die Größe?")], author="ann")
        with store.database.write() as session:
            connection = session.connection()
            connection.execute(text("DROP EXTENSION pg_trgm CASCADE"))
            for statement in ("CREATE ROLE plain", "GRANT ALL ON ALL TABLES IN SCHEMA public TO plain"):
                connection.execute(text(statement))
            connection.execute(text("ALTER TABLE samples OWNER TO plain"))
            connection.execute(text("ALTER TABLE images OWNER TO plain"))
            connection.execute(text("SET LOCAL ROLE plain"))
            assert not make(connection)
            connection.execute(text("RESET ROLE"))
            assert not is_made(connection)
            assert found(session, "GRÖSSE") == []
            assert found(session, "größe") == [1]
        assert remake(store.database)
        with store.database.read() as session:
            assert found(session, "HÄLT") == [1]
