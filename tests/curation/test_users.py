import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from argon2 import PasswordHasher

from tests.builders import Clock
from whyseg.curation.sessions import ABSOLUTE, IDLE, Sessions
from whyseg.curation.store import Store
from whyseg.curation.users import Users
from whyseg.schemas.errors import InvalidRecord, LastCurator, NotFound, UsageError, WrongLogin
from whyseg.schemas.user import Role, User

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(new_url: str) -> Iterator[Store]:
    store = Store(new_url)
    yield store
    store.close()


@pytest.fixture
def users(store: Store, clock: Clock) -> Users:
    return Users(store.database, clock=clock, hasher=CHEAP)


@pytest.fixture
def sessions(store: Store, clock: Clock) -> Sessions:
    return Sessions(store.database, clock=clock)


def test_a_user_signs_in_with_the_password_and_with_no_other(users: Users) -> None:
    ann = users.add("Ann", Role.REVIEWER, PASSWORD, author="root")
    assert users.authenticate("Ann", PASSWORD) == ann
    assert users.authenticate("ANN", PASSWORD).name == "Ann"
    for name, password in (("Ann", PASSWORD + "!"), ("Ann", ""), ("Bob", PASSWORD), ("", PASSWORD), ("Ann", "\ud800")):
        with pytest.raises(WrongLogin, match=r"^name or password is wrong$"):
            users.authenticate(name, password)


def test_one_text_typed_in_two_ways_is_one_password(users: Users) -> None:
    users.add("zoë", Role.CURATOR, "caf\u00e9 au lait", author="root")
    assert users.authenticate("zoe\u0308", "cafe\u0301 au lait").name == "zoë"


@pytest.mark.parametrize(
    "name", ["", " ann", "ann ", "a/b", "..", "a\nb", "a\u202eb", "\x00", "\ud800", "x" * 65, "Nobody"]
)
def test_a_name_that_cannot_be_shown_is_refused(users: Users, name: str) -> None:
    with pytest.raises(InvalidRecord, match="a user's name"):
        users.add(name, Role.ANNOTATOR, PASSWORD, author="root")
    assert users.list() == []


@pytest.mark.parametrize(
    ("password", "said"), [("short", "got 5"), ("x" * 1001, "got 1001"), ("ANN-the-tenth", "name")]
)
def test_a_weak_password_is_refused_and_not_repeated(users: Users, password: str, said: str) -> None:
    with pytest.raises(InvalidRecord, match=said) as refused:
        users.add("Ann-the-tenth", Role.ANNOTATOR, password, author="root")
    assert password not in str(refused.value)


def test_a_name_is_taken_in_any_case(users: Users) -> None:
    users.add("Ann", Role.ANNOTATOR, PASSWORD, author="root")
    with pytest.raises(UsageError, match="there is a user Ann already"):
        users.add("aNN", Role.CURATOR, PASSWORD, author="root")


def test_every_change_is_in_the_audit_log_and_no_secret_is(users: Users, store: Store) -> None:
    users.add("ann", Role.ANNOTATOR, PASSWORD, author="root")
    users.set_role("ann", Role.CURATOR, author="eve")
    users.set_role("ann", Role.CURATOR, author="eve")  # nothing changes, nothing is written
    users.set_password("ann", PASSWORD + "2", author="root")
    users.set_disabled("ann", True, author="root")
    users.set_disabled("ann", False, author="root")
    log = store.audit_log()
    assert [(entry.actor, entry.action, entry.detail) for entry in log] == [
        ("root", "add_user", {"role": "annotator"}),
        ("eve", "set_role", {"role": "curator"}),
        ("root", "set_password", {}),
        ("root", "disable_user", {}),
        ("root", "enable_user", {}),
    ]
    assert {entry.subject for entry in log} == {"user:ann"}
    assert not any("argon2" in entry.model_dump_json() or "horse" in entry.model_dump_json() for entry in log)


def test_what_nobody_has_cannot_be_changed(users: Users) -> None:
    changes: list[Callable[[], User]] = [
        lambda: users.get("ann"),
        lambda: users.set_role("ann", Role.CURATOR, author="root"),
        lambda: users.set_password("ann", PASSWORD, author="root"),
        lambda: users.set_disabled("ann", True, author="root"),
    ]
    for change in changes:
        with pytest.raises(NotFound, match="no user ann"):
            change()


def test_of_two_curators_who_keep_each_other_out_at_once_one_stays(store: Store, users: Users) -> None:
    names = ("ann", "ben")
    for name in names:
        users.add(name, Role.CURATOR, PASSWORD, author="root")
    begin, refused = threading.Barrier(2), []

    def depose(name: str, change: dict[str, Any]) -> None:
        begin.wait()
        try:
            users.change(name, **change, author="root", keep_curator=True)
        except LastCurator as error:
            refused.append(error.user)

    changes: list[dict[str, Any]] = [{"disabled": True}, {"role": Role.ANNOTATOR}]
    threads = [threading.Thread(target=depose, args=pair) for pair in zip(names, changes, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = [user.name for user in users.list() if user.role == Role.CURATOR and not user.disabled]
    assert left == refused
    assert len(left) == 1


def test_a_change_that_is_refused_changes_nothing(users: Users, store: Store) -> None:
    users.add("ann", Role.CURATOR, PASSWORD, author="root")
    log = len(store.audit_log())
    with pytest.raises(LastCurator, match="ann is the last curator"):
        users.change("Ann", role=Role.REVIEWER, password=PASSWORD + "2", author="root", keep_curator=True)
    assert users.authenticate("ann", PASSWORD).role == Role.CURATOR
    assert len(store.audit_log()) == log
    users.change("ann", role=Role.REVIEWER, author="root")  # whoever has a shell may


def test_a_disabled_user_cannot_sign_in(users: Users) -> None:
    users.add("ann", Role.ANNOTATOR, PASSWORD, author="root")
    users.set_disabled("ann", True, author="root")
    with pytest.raises(WrongLogin):
        users.authenticate("ann", PASSWORD)
    users.set_disabled("ann", False, author="root")
    assert users.authenticate("ann", PASSWORD)


def test_a_hash_of_weaker_parameters_is_replaced_when_its_owner_signs_in(store: Store, users: Users) -> None:
    users.add("ann", Role.ANNOTATOR, PASSWORD, author="root")
    costlier = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    verified: list[str] = []

    class Noting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            verified.append(str(hash))
            return super().verify(hash, password)

    noting = Users(store.database, hasher=Noting(time_cost=2, memory_cost=8, parallelism=1))
    noting.authenticate("ann", PASSWORD)
    noting.authenticate("ann", PASSWORD)
    assert [costlier.check_needs_rehash(one) for one in verified] == [True, False]


def test_an_unknown_name_costs_a_hash_of_the_same_price(store: Store, users: Users) -> None:
    """Else the time that an answer takes would tell which names there are."""
    users.add("ann", Role.ANNOTATOR, PASSWORD, author="root")
    assert users.unknown.split("$")[:4] == CHEAP.hash(PASSWORD).split("$")[:4]  # one algorithm, one set of parameters
    assert users.unknown == users.unknown


def test_a_session_lives_until_its_user_signs_out(users: Users, sessions: Sessions) -> None:
    ann = users.add("ann", Role.ANNOTATOR, PASSWORD, author="root")
    first, second = sessions.start(ann), sessions.start(ann)
    assert first != second
    assert (sessions.find(first), sessions.find(second)) == (ann, ann)
    sessions.end(first)
    sessions.end(first)
    assert (sessions.find(first), sessions.find(second)) == (None, ann)
    for forged in ("", "x", second + "x", "\ud800"):
        assert sessions.find(forged) is None


def test_a_role_holds_from_the_next_request_on(users: Users, sessions: Sessions) -> None:
    token = sessions.start(users.add("ann", Role.CURATOR, PASSWORD, author="root"))
    users.set_role("ann", Role.ANNOTATOR, author="root")
    found = sessions.find(token)
    assert found
    assert found.role == Role.ANNOTATOR


@pytest.mark.parametrize("change", ["disable", "password"])
def test_a_disabled_user_and_one_with_another_password_are_signed_out(
    users: Users, sessions: Sessions, change: str
) -> None:
    token = sessions.start(users.add("ann", Role.CURATOR, PASSWORD, author="root"))
    other = sessions.start(users.add("bob", Role.CURATOR, PASSWORD, author="root"))
    if change == "disable":
        users.set_disabled("ann", True, author="root")
        users.set_disabled("ann", False, author="root")  # the session does not come back
    else:
        users.set_password("ann", PASSWORD + "2", author="root")
    assert sessions.find(token) is None
    assert sessions.find(other)


def test_a_session_ends_when_nothing_was_asked_for(users: Users, sessions: Sessions, clock: Clock) -> None:
    token = sessions.start(users.add("ann", Role.CURATOR, PASSWORD, author="root"))
    clock.advance(IDLE.total_seconds() - 1)
    assert sessions.find(token)  # starts the time anew
    clock.advance(IDLE.total_seconds() - 1)
    assert sessions.find(token, touch=False)  # does not: a page asks by itself, too
    clock.advance(1)
    assert sessions.find(token) is None


def test_a_session_ends_in_any_case(users: Users, sessions: Sessions, clock: Clock) -> None:
    token = sessions.start(users.add("ann", Role.CURATOR, PASSWORD, author="root"))
    hours = int(ABSOLUTE.total_seconds() // 3600)
    for _ in range(hours - 1):
        clock.advance(3600)
        assert sessions.find(token)
    clock.advance(3600)
    assert sessions.find(token) is None


def test_a_copy_of_the_database_holds_no_token(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'whyseg.db'}")
    users = Users(store.database, hasher=CHEAP)
    token = Sessions(store.database).start(users.add("ann", Role.CURATOR, PASSWORD, author="root"))
    store.close()
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"$argon2id$" in data
    assert token.encode() not in data
    assert PASSWORD.encode() not in data
