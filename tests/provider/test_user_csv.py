"""Users as CSV of our own: out and in again without loss, whole or in part, and never with a password in the clear."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offhook.core.dialplan import QuickDial, QuickDials, Removal
from offhook.core.errors import Conflict, Invalid, NotFound
from offhook.core.secret import Secret
from offhook.provider import change as changes
from offhook.provider import export, settling, vendorcsv
from offhook.provider.change import Change, Clear
from offhook.provider.imports import Manner
from offhook.provider.lines import hash_fault
from offhook.provider.subscriber import Argon2, Bcrypt, Override, Sealed, State, Subscriber
from offhook.provider.tables import Notes
from offhook.provider.tenant import Tenant
from tests.world_directory import importer_of, imports
from tests.world_provider import Provider

# What XML can carry, in all scripts, with the characters that CSV and spreadsheets care about well represented.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from('"{,;=+-@\t\n\r')
)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9 _.-]{0,12}[a-z0-9]", fullmatch=True).filter(
    lambda name: not changes.is_secret(name)
)
KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,12}", fullmatch=True).filter(lambda key: not changes.is_secret(key))
DIALS = st.builds(
    QuickDial,
    st.from_regex(r"[a-z]{1,5}", fullmatch=True),
    TEXTS,
    st.from_regex(r"[0-9]{1,5}", fullmatch=True),
    TEXTS,
    st.integers(-9, 99),
)
USERS = st.builds(
    Subscriber,
    cloud_id=st.just("EXAMPLE"),
    username=st.from_regex(r"[=@a-z\"{+-][a-z0-9.@ ]{0,8}[a-z]", fullmatch=True).filter(str.isprintable),
    password=st.sampled_from([changes.NOBODY, Bcrypt("$2y$10$" + "a" * 53), Sealed("x")]),
    state=st.sampled_from([State.ACTIVE, State.SUSPENDED]),
    expires_s=st.none() | st.integers(0, 200_000_000_000),
    attributes=st.dictionaries(NAMES, TEXTS, max_size=4),
    overrides=st.dictionaries(
        KEYS,
        st.builds(Override, TEXTS, rank=st.none() | st.integers(-99, 99))
        | st.builds(Override, st.just("<a b='\"'>,</a>"), st.just(value=True)),
        max_size=4,
    ),
    quick_dials=st.builds(
        QuickDials,
        st.lists(DIALS, max_size=3, unique_by=lambda item: item.id).map(tuple),
        st.just((Removal("REMOVED", 20, "provider"),)) | st.just(()),
        st.none() | st.integers(0, 99),
    ),
)


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        provider.has_tenant(Tenant("EXAMPLE"))
        provider.has_tenant(Tenant("COPY"))
        yield provider


def exported(provider: Provider, *, with_secrets: bool = False, cloud_id: str = "EXAMPLE") -> str:
    return "".join(
        export.write(lambda: provider.subscribers.all_of(cloud_id), provider.sealer if with_secrets else None)
    )


def told(user: Subscriber) -> Subscriber:
    """What a file without secrets tells of a user."""
    overrides = {key: Override(one.value, one.markup, one.rank) for key, one in user.overrides.items()}
    return Subscriber(
        "",
        user.username,
        changes.NOBODY,
        user.state,
        user.attributes,
        overrides=overrides,
        quick_dials=user.quick_dials,
    )


def is_refused(provider: Provider, file: str) -> list[str]:
    with pytest.raises(Invalid) as caught:
        imports(provider, file)
    return [str(fault) for fault in caught.value.faults]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(USERS, max_size=5, unique_by=lambda user: user.username.strip()))
def test_out_and_in_is_no_loss(provider: Provider, users: list[Subscriber]) -> None:
    """Everything but secrets arrives in another Cloud ID as it was; in its own it changes nothing."""
    for cloud_id in ("EXAMPLE", "COPY"):
        for user in list(provider.subscribers.all_of(cloud_id)):
            provider.subscribers.remove(cloud_id, user.username.strip().casefold(), 1)
    for user in users:
        provider.subscribers.add(msgspec.structs.replace(user, username=user.username.strip()))
    file = exported(provider)

    copied = imports(provider, file, "COPY")
    again = imports(provider, file, "EXAMPLE")

    assert (copied.added, again.unchanged) == (len(users), len(users))
    assert list(map(told, provider.subscribers.all_of("COPY"))) == list(
        map(told, provider.subscribers.all_of("EXAMPLE"))
    )
    assert exported(provider, cloud_id="COPY") == file


def test_with_secrets_all_moves_but_passwords_in_the_clear(provider: Provider) -> None:
    """SIP passwords and hashes arrive; a password that is still in the clear is not written."""
    provider.has_user(
        "ann@EXAMPLE", "argon", secrets={"password": "sip-secret", "pin": "=1"}, attributes={"username": "1"}
    )
    provider.has_user("bob@EXAMPLE", "bcrypt:bcrypted")
    provider.has_user("carla@EXAMPLE", "sealed:in the clear")
    file = exported(provider, with_secrets=True)

    imports(provider, file, "COPY")

    assert "in the clear" not in file
    ann, bob, carla = provider.subscribers.all_of("COPY")
    opened = {name: secret.reveal() for name, secret in settling.open_secrets(ann, provider.sealer).items()}
    assert opened == {"password": "sip-secret", "pin": "=1"}
    assert [provider.signs_in(*who, cloud_id="COPY").status for who in (("ann", "argon"), ("bob", "bcrypted"))] == [
        200,
        200,
    ]
    assert bob.password != carla.password == changes.NOBODY


def test_without_being_asked_no_secret_is_written(provider: Provider) -> None:
    """Neither passwords nor hashes nor SIP passwords, sealed or not, are in the file."""
    user = provider.has_user("ann@EXAMPLE", "argon", secrets={"password": "sip-secret"})

    file = exported(provider)

    assert user.password.text not in file
    assert user.secrets["password"] not in file
    assert "password" not in file


def test_a_secret_among_the_overrides_is_written_only_when_asked_for(provider: Provider) -> None:
    """A key that is called like a secret has no column in a file without secrets, and stays when it comes back."""
    overrides = {"wsContactsAuthPassword": "canary", "title": "Ann"}
    provider.has_user("ann@EXAMPLE", overrides=overrides)

    file, whole = exported(provider), exported(provider, with_secrets=True)
    again = imports(provider, file)

    assert "canary" not in file
    assert "wsContactsAuthPassword" not in file
    assert "override:title" in file
    assert "canary" in whole
    assert again.unchanged == 1


def test_a_file_may_have_some_columns_only(provider: Provider) -> None:
    """What has no column stays; an empty cell takes away, and two quotation marks say that a text is empty."""
    provider.has_user("ann@EXAMPLE", attributes={"a": "1", "b": "2", "c": "3"}, overrides={"x": "1", "y": "2"})

    counts = imports(provider, 'username,attribute:a,attribute:b,override:x,state\nANN,,"""""",5,suspended\n')

    (ann,) = provider.subscribers.all_of("EXAMPLE")
    assert counts.changed == 1
    assert ann.attributes == {"b": "", "c": "3"}
    assert {key: override.value for key, override in ann.overrides.items()} == {"x": "5", "y": "2"}
    assert (ann.username, ann.state) == ("ANN", State.SUSPENDED)


def test_new_users_come_with_passwords_of_all_kinds(provider: Provider) -> None:
    """In the clear, hashed, or none; SIP credentials are made up for those who have none, unless the file says no."""
    bcrypted = provider.kept("bcrypt:two", "").text
    argon = provider.kept("three", "").text
    file = f'username,password,sip_generated\nann,one,\nbob,bcrypt:{bcrypted},\ncarla,"argon2:{argon}",0\ndora,,1\n'

    counts = imports(provider, file)

    statuses = [
        provider.signs_in(*who).status for who in (("ann", "one"), ("bob", "two"), ("carla", "three"), ("dora", "x"))
    ]
    assert counts.added == 4
    assert statuses == [200, 200, 200, 403]
    made = {user.username: user.sip_generated for user in provider.subscribers.all_of("EXAMPLE")}
    assert made == {"ann": True, "bob": True, "carla": False, "dora": True}


def test_a_password_that_is_hashed_stays_unless_asked_for(provider: Provider) -> None:
    """To compare very many hashes would take hours, so a file's password counts only when it is to replace."""
    provider.has_user("ann@EXAMPLE", "argon")
    file = "username,password\nann,other\n"

    first = imports(provider, file)
    second = imports(provider, file, manner=Manner(replace_passwords=True))

    assert (first.unchanged, first.kept_passwords) == (1, 1)
    assert (second.changed, second.kept_passwords) == (1, 0)
    assert provider.signs_in("ann", "other").status == 200


def test_every_fault_is_told_by_line(provider: Provider) -> None:
    """Cells that cannot be read, hashes that are none, users who come twice: all are told, and nothing is changed."""
    file = (
        "username,password,state,override:1x,quick_dials\n"
        "ann,,gone,,\n"
        'bob,argon2:x,,"{""value"": 1}",{\n'
        "carla,bcrypt:$2b$31$x,,,\n"
        "carla,,,,\n"
        ",,,,\n"
        '"{",,,,\n'
        '"a\x00",,,,\n'
    )

    assert is_refused(provider, file) == ["line 1: 1x: is not a possible name of a key"]
    assert [fault.partition(" (")[0] for fault in is_refused(provider, file.replace("1x", "x1"))] == [
        "line 2: state holds 'gone' where active or suspended belongs",
        "line 3: quick_dials begins like JSON and is none",
        "line 3: password begins with argon2: and goes on with no Argon2id hash",
        "line 3: override:x1 begins like JSON and is none",
        "line 4: password begins with bcrypt: and goes on with no bcrypt hash",
        "line 5: carla stands on line 4 already, and the first one counts",
        "line 6: has no username and is left out",
        "line 7: username begins like JSON and is none",
        "line 8: username: character U+0000 at position 2 cannot be written in XML",
    ]
    assert provider.subscribers.count("EXAMPLE") == 0


def test_columns_that_are_none_are_told(provider: Provider) -> None:
    """The likely one is named, and a secret is not taken for an attribute."""
    assert is_refused(provider, "username,tier,stat,attribute:pin\n") == [
        "line 1: names the column tier, which is none; did you mean attribute:tier or override:tier?",
        "line 1: names the column stat, which is none; did you mean state?",
        "line 1: names the column attribute:pin; a secret belongs into secret:pin, to be kept encrypted",
    ]


def test_overrides_are_remarked_upon_once(provider: Provider) -> None:
    """The same strange override of many users is said of the first."""
    importer = importer_of(provider)
    rows = "".join(f"user{number},maybe,0\n" for number in range(5))
    plan = importer.plan_own(io.BytesIO(f"username,override:allowVideo,sip_generated\n{rows}".encode()), "EXAMPLE")
    plan.close()

    (about_video,) = [str(remark) for remark in plan.remarks if "allowVideo" in str(remark)]
    assert about_video.startswith("line 2: allowVideo: ")


def test_a_made_password_is_believed_only_when_it_looks_so(provider: Provider) -> None:
    """A short SIP password does not count as one of ours, whatever the file says."""
    imports(provider, f"username,secret:password,sip_generated\nann,short,1\nbob,{'A' * 40},1\n")

    made = {user.username: user.sip_generated for user in provider.subscribers.all_of("EXAMPLE")}
    assert made == {"ann": False, "bob": True}


def test_users_of_an_unknown_cloud_id_are_not_taken_in(provider: Provider) -> None:
    """A Cloud ID is made by hand or by an import of the vendor's files, not by a list of users."""
    with pytest.raises(NotFound, match="NONE"):
        imports(provider, "username\nann\n", "NONE")


def test_what_changed_since_the_plan_is_not_undone(provider: Provider) -> None:
    """An import gives way to a change that was made while somebody looked at its plan."""
    ann = provider.has_user("ann@EXAMPLE", attributes={"a": "1"})
    importer = importer_of(provider)
    plan = importer.plan_own(io.BytesIO(b"username,attribute:a\nbob,1\nann,2\n"), "EXAMPLE")
    provider.suspend(ann)

    with closing(plan), pytest.raises(Conflict):
        importer.carry_out(plan)

    (kept,) = provider.subscribers.all_of("EXAMPLE")
    assert (kept.attributes, kept.state) == ({"a": "1"}, State.SUSPENDED)


def test_a_change_during_an_export_is_noticed(provider: Provider) -> None:
    """An attribute that had no column when the columns were looked at stops the export."""
    provider.has_user("ann@EXAMPLE")
    looks = 0

    def users() -> Iterator[Subscriber]:
        nonlocal looks
        looks += 1
        if looks == 2:
            provider.has_user("bob@EXAMPLE", attributes={"new": "1"})
        return provider.subscribers.all_of("EXAMPLE")

    with pytest.raises(Conflict, match="during the export"):
        list(export.write(users))


def test_sealed_passwords_are_compared_without_being_sealed_anew(provider: Provider) -> None:
    """A user whose password in the clear is still the same one is as before."""
    imports(provider, "username,password\nann,one\n")

    again = imports(provider, "username,password\nann,one\n")
    changed = imports(provider, "username,password\nann,two\n")

    assert (again.unchanged, changed.changed) == (1, 1)


def test_a_clear_password_has_limits() -> None:
    """An overlong one is a fault, as an empty one is."""
    faults = [str(fault) for text in ("x" * 2049, "") for fault in changes.faults(Change(password=Clear(Secret(text))))]

    assert faults == ["password: has more than 2,048 characters", "password: must not be empty"]


ARGON2_TAIL = "$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2g"


@pytest.mark.parametrize(
    "hashed",
    [
        Argon2("$argon2id$v=19$m=19456,t=2,p=1" + ARGON2_TAIL),
        Argon2("$argon2id$v=19$m=65536,t=4,p=1" + ARGON2_TAIL),
        Argon2("$argon2id$v=19$m=65536,t=3,p=4" + ARGON2_TAIL),
        Bcrypt("$2y$04$" + "a" * 53),
        Bcrypt("$2y$12$" + "a" * 53),
    ],
    ids=lambda hashed: hashed.text[:32],
)
def test_hashes_are_accepted_within_reason(hashed: Argon2 | Bcrypt) -> None:
    """What other systems make unless told otherwise is taken."""
    assert hash_fault(hashed) is None


@pytest.mark.parametrize(
    ("hashed", "fault"),
    [
        (Argon2("$argon2id$v=19$m=262144,t=10,p=1" + ARGON2_TAIL), "takes so long to check"),
        (Argon2("$argon2id$v=19$m=19456,t=99,p=1" + ARGON2_TAIL), "takes so long to check"),
        (Argon2("$argon2id$v=19$m=8,t=1,p=2" + ARGON2_TAIL), "no Argon2id hash"),
        (Argon2("$argon2i$v=19$m=19456,t=2,p=1" + ARGON2_TAIL), "no Argon2id hash"),
        (Bcrypt("$2y$13$" + "a" * 53), "cost 13, that takes so long to check"),
        (Bcrypt("$2y$31$" + "a" * 53), "at most 12 is taken"),
        (Bcrypt("$2y$32$" + "a" * 53), "no bcrypt hash"),
    ],
)
def test_a_hash_that_would_betray_its_user_is_refused(hashed: Argon2 | Bcrypt, fault: str) -> None:
    """A wrong password would be refused later than that of an unknown user, by more than the steps that hide it."""
    assert fault in str(hash_fault(hashed))


def test_a_slow_hash_of_either_file_is_told(provider: Provider) -> None:
    """Our own file is refused for it; in the vendor's nobody can sign in so, and the import says why."""
    notes = Notes()
    slow = "bcrypt:$2y$15$" + "a" * 53

    users = list(vendorcsv.read(io.BytesIO(f"cloud_username,cloud_password\nann,{slow}\n".encode()), notes).lines)

    assert "bcrypt hash of cost 15" in is_refused(provider, f"username,password\nann,{slow}\n")[0]
    assert users[0].change.password == changes.NOBODY
    assert "bcrypt hash of cost 15" in str(notes.remarks[0])
