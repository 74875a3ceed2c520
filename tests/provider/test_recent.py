"""The memory of right passwords: what it saves, and what it never does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from offhook.core.secret import Secret
from offhook.provider.recent import FOR_S, RecentPasswords
from offhook.provider.subscriber import Argon2, Bcrypt, StoredPassword
from tests.world_provider import LoadedDice, SetClock, run

ROW = "subscriber|EXAMPLE|ann|cloud_password"
OTHER_ROW = "subscriber|EXAMPLE|bob|cloud_password"
HASH, OTHER_HASH = Argon2("$argon2id$1"), Argon2("$argon2id$2")
RIGHT, WRONG = Secret("right"), Secret("wrong")


class Slow:
    """One password is right; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def verify(self, stored: StoredPassword | None, password: Secret, row: str) -> bool:
        self.asked += 1
        return stored is not None and password == RIGHT

    async def hash(self, password: Secret) -> Argon2:
        self.asked += 1
        return HASH

    def is_outdated(self, stored: StoredPassword) -> bool:
        return False


class Remembering:
    """The memory in front of it, with a clock that is set."""

    def __init__(self, most: int = 100) -> None:
        self.slow, self.clock = Slow(), SetClock()
        self.recent = RecentPasswords(self.slow, self.clock, LoadedDice(), most)

    def verify(self, stored: StoredPassword | None = HASH, password: Secret = RIGHT, row: str = ROW) -> bool:
        return run(self.recent.verify(stored, password, row))


def test_the_second_call_of_a_sign_in_is_free() -> None:
    """The global call and the account call carry the same password and cost one slow hash together."""
    memory = Remembering()

    assert memory.verify()
    assert memory.verify()
    assert memory.slow.asked == 1


def test_it_forgets_after_a_minute() -> None:
    """Just before the minute is over it knows, then it does not, and a clock set back is not trusted."""
    memory = Remembering()
    memory.verify()
    memory.clock.time_s += FOR_S - 1
    memory.verify()
    known = memory.slow.asked

    memory.clock.time_s += 1
    memory.verify()
    memory.clock.time_s -= FOR_S
    memory.verify()

    assert known == 1
    assert memory.slow.asked == 3


def test_what_is_wrong_is_never_remembered() -> None:
    """Every wrong password costs its slow hash, and so does every unknown user."""
    memory = Remembering()
    memory.verify()

    assert not memory.verify(password=WRONG)
    assert not memory.verify(password=WRONG)
    assert not memory.verify(stored=None)
    assert not memory.verify(stored=None)
    assert memory.slow.asked == 5


def test_it_holds_for_this_user_and_this_stored_password_alone() -> None:
    """A changed password counts at once, and nobody gets in with what was right for somebody else."""
    memory = Remembering()
    memory.verify()

    memory.verify(stored=OTHER_HASH)
    memory.verify(stored=Bcrypt(HASH.text))
    memory.verify(row=OTHER_ROW)

    assert memory.slow.asked == 4


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_no_two_users_are_mistaken_for_each_other(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Wherever the parts are cut, different parts are different."""
    memory = Remembering()
    memory.verify(stored=Argon2(one[0]), row=one[1])

    memory.verify(stored=Argon2(other[0]), row=other[1])

    assert memory.slow.asked == (1 if one == other else 2)


def test_it_is_bounded() -> None:
    """With room for two, the one longest ago is forgotten."""
    memory = Remembering(most=2)
    for row in ("a", "b", "c"):
        memory.verify(row=row)

    memory.verify(row="b")
    memory.verify(row="c")
    assert memory.slow.asked == 3
    memory.verify(row="a")
    assert memory.slow.asked == 4


def test_it_keeps_no_password() -> None:
    """Its memory holds neither the password nor the user, and it does not say what it holds."""
    memory = Remembering()

    memory.verify()

    assert repr(memory.recent) == "RecentPasswords(1)"
    assert all(RIGHT.reveal().encode() not in tag and b"ann" not in tag for tag in memory.recent._right._known)
