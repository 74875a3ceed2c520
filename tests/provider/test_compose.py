"""The account of a user, laid together from its layers: laws over whatever users may hold."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core import accountxml
from offhook.core.dialplan import QuickDial, QuickDials
from offhook.core.errors import Unavailable
from offhook.core.mergeable import PROVIDER
from offhook.core.secret import Secret
from offhook.provider import globalpart
from offhook.provider.compose import Composer, Composition, Grant
from offhook.provider.sealing import Sealer, place_of
from offhook.provider.subscriber import Argon2, Override, Subscriber
from offhook.provider.tenant import Credential, Tenant
from offhook.provider.validators import COMPOSER_VERSION
from tests.world_provider import LoadedDice

SEALER = Sealer(1, {1: b"k" * 32}, LoadedDice())
COMPOSER = Composer(SEALER)
TYPED = "typed-by-the-user"
GRANT = Grant("0123456789ABCDEF0123456789ABCDEF", Secret("t0ken"), Secret(TYPED))
CARRIED = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff", min_codepoint=0x20)
    | st.sampled_from("\t\n\r{}&<>\"'")
)
KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.\-]{0,10}", fullmatch=True)
OWN = {"X-install-id", "cloud_username", "cloud_password"}


def subscriber(
    overrides: dict[str, Override] | None = None, attributes: dict[str, str] | None = None, sip: str = "s1p"
) -> Subscriber:
    sealed = SEALER.seal(sip, place_of("EXAMPLE", "ann", "password"))
    return Subscriber(
        "EXAMPLE",
        "Ann",
        Argon2("x"),
        attributes=attributes or {},
        overrides=overrides or {},
        secrets={"password": sealed},
    )


def composed(tenant: Tenant, user: Subscriber) -> tuple[Composition, dict[str, str]]:
    """The composition, and the texts of its answer as a phone reads them."""
    composition = COMPOSER.compose(tenant, user, GRANT)
    reading = accountxml.loads(composition.dumps(), PROVIDER, "test")
    assert not reading.diagnostics
    return composition, {key: value.content for key, value in reading.values.items()}


def test_equal_settings_compose_to_the_same_in_every_release() -> None:
    """Whoever changes these bytes makes COMPOSER_VERSION one more, so that phones ask what is new."""
    template = "<account><title>{name}</title><host priority='40'>sip.example.com</host><a><b>{tier}</b></a></account>"
    user = subscriber(
        {"dtmf": Override("info"), "rtp": Override("1", rank=30)}, {"name": "Ann & Co", "username": "204"}
    )
    common = globalpart.parse("<p><quickDial><item id='desk'><uri>9</uri></item></quickDial></p>")

    again = Grant(GRANT.install_id, GRANT.token, again=True)
    account = COMPOSER.compose(Tenant("EXAMPLE", template=template), user, again).dumps()
    own = QuickDials((QuickDial("son", "Söhnchen", "204"),))
    answers = account + globalpart.for_user(common, own).dumps()

    assert (COMPOSER_VERSION, sha256(answers).hexdigest()[:16]) == (1, "807216ed8f286dda")


@given(
    attributes=st.dictionaries(st.sampled_from(["username", "name", "tier"]), CARRIED),
    overrides=st.dictionaries(KEYS, st.builds(Override, CARRIED, rank=st.none() | st.integers(-5, 99))),
    sip=CARRIED,
    credential=st.sampled_from(Credential),
)
def test_every_answer_can_be_read_and_carries_the_values(
    attributes: dict[str, str], overrides: dict[str, Override], sip: str, credential: Credential
) -> None:
    """In all scripts: what was set arrives, at the rank it was set with, and says why."""
    template = "<account><title>{name}</title><tier>{tier}</tier></account>"
    tenant = Tenant("EXAMPLE", template=template, credential=credential)

    composition, read = composed(tenant, subscriber(overrides, attributes, sip))

    values = accountxml.loads(composition.dumps(), PROVIDER, "test").values
    reserved = OWN if credential is Credential.TOKEN else {"X-install-id"}
    for key, override in overrides.items():
        if key not in reserved:
            assert read[key] == override.value
            assert values[key].rank == (PROVIDER if override.rank is None else override.rank)
    if "title" not in overrides:
        assert read["title"] == attributes.get("name", "{name}")
    if "password" not in overrides:
        assert read["password"] == sip
    assert read["X-install-id"] == GRANT.install_id
    assert set(composition.reasons) == set(read)
    assert all(reason.endswith(".") for reason in composition.reasons.values())


@given(
    attributes=st.dictionaries(st.sampled_from(["username", "name"]), CARRIED.filter(lambda text: TYPED not in text))
)
@pytest.mark.parametrize("credential", Credential)
def test_the_typed_password_stays_where_it_came_from(credential: Credential, attributes: dict[str, str]) -> None:
    """It is in the answer only where the vendor sample's behaviour was chosen and the template asks for it (D20)."""
    template = "<account><a>{cloud_password}</a><b>{name}{cloud_password}</b></account>"
    tenant = Tenant("EXAMPLE", template=template, credential=credential)

    answer = COMPOSER.compose(tenant, subscriber(attributes=attributes), GRANT).dumps().decode()
    without_template = COMPOSER.compose(Tenant("EXAMPLE", credential=credential), subscriber(), GRANT).dumps().decode()

    assert (TYPED in answer) == (credential is Credential.PASSWORD)
    assert TYPED not in without_template


@given(names=st.lists(st.sampled_from(["{password}", "{cloud_password}", "{name}", "{username}"]), min_size=1))
def test_no_value_is_a_placeholder(names: list[str]) -> None:
    """What a user is called never brings out what is secret."""
    tenant = Tenant("EXAMPLE", template="<account><title>{name}</title></account>")
    name = "".join(names)

    _, read = composed(tenant, subscriber(attributes={"name": name}))

    assert read["title"] == name


def test_equal_settings_give_equal_bytes() -> None:
    """A phone that asks twice can tell that nothing changed."""
    tenant = Tenant("EXAMPLE", template="<account><title>{name}</title></account>")
    user = subscriber({"dtmf": Override("info")}, {"name": "Ann"})

    assert COMPOSER.compose(tenant, user, GRANT).dumps() == COMPOSER.compose(tenant, user, GRANT).dumps()


def test_each_key_knows_its_layer_and_what_it_beat() -> None:
    """A later layer wins whatever priority an earlier one asks the phone for; the earlier value is remembered."""
    tenant = Tenant("EXAMPLE", template='<account><dtmf priority="50">info</dtmf><title>{name}</title></account>')
    user = subscriber(
        {"dtmf": Override("audio", author="desk", changed_s=1_800_000_000)}, {"name": "Ann", "username": "204"}
    )

    composition, _ = composed(tenant, user)

    dtmf = composition.document.keys["dtmf"]
    assert (dtmf.value.content, dtmf.value.source, dtmf.value.rank) == ("audio", "user", PROVIDER)
    assert [(value.content, value.source) for value in dtmf.replaced] == [("info", "template")]
    assert composition.reasons == {
        "dtmf": "Set for this user alone by desk on 2027-01-15.",
        "title": "The template says so, with {name} of this user.",
        "username": "The user's SIP username.",
        "password": "The user's SIP password.",
        "cloud_username": "The name that goes with the token.",
        "cloud_password": "A token of this install alone, in place of the user's password.",
        "X-install-id": "Names this install.",
    }


def test_what_is_unknown_is_pointed_out() -> None:
    """A placeholder without a value stays in the answer, and is not passed over in silence."""
    tenant = Tenant("EXAMPLE", template="<account><title>{name}</title></account>")

    composition, read = composed(tenant, subscriber())

    assert read["title"] == "{name}"
    assert [str(remark) for remark in composition.diagnostics] == [
        "title: {name} is not known for this user and stays as it is"
    ]


def test_only_what_is_asked_for_is_opened() -> None:
    """A secret that nobody asks for is not decrypted, so one that is damaged harms only where it is needed."""
    user = subscriber()
    user.secrets["pin"] = "damaged"

    assert COMPOSER.compose(Tenant("EXAMPLE"), user, GRANT).dumps()
    with pytest.raises(Unavailable, match=r"subscriber\|EXAMPLE\|ann\|pin cannot be opened"):
        COMPOSER.compose(Tenant("EXAMPLE", template="<account><a>{pin}</a></account>"), user, GRANT)


def test_it_shows_no_values() -> None:
    """Neither a composition nor a grant gives away what it holds."""
    composition, _ = composed(Tenant("EXAMPLE"), subscriber(attributes={"username": "204"}))

    shown = repr(composition) + repr(GRANT)

    assert not any(secret in shown for secret in ("s1p", "t0ken", TYPED))
