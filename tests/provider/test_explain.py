"""What a user gets, and why: every value, the ones it beat, and the ones that were kept out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from offhook.core.base import SOURCE, Base
from offhook.core.dialplan import GlobalPart, QuickDial, QuickDials, Removal
from offhook.core.errors import NotFound
from offhook.core.login import CloudId
from offhook.core.mergeable import PORTAL, Value
from offhook.core.secret import MASK
from offhook.policy.subject import Occasion
from offhook.provider.explain import PLAINLY, Asked, Dial, Explain, Explanation, Line, Said
from offhook.provider.subscriber import Override
from offhook.provider.tenant import Credential, Tenant
from tests.world_provider import Provider

TEMPLATE = (
    "<account><title>{name}</title><dtmf>info</dtmf><X-pin>{pin}</X-pin>"
    "<note>call {pin}</note><allowMessage>1</allowMessage></account>"
)
EXAMPLE = CloudId.parse("EXAMPLE")


class Portal:
    """One app in two versions, which has conferencing."""

    def base(self, cloud_id: str, editable: bool) -> Base | None:
        if cloud_id != "EXAMPLE":
            return None
        texts = {"host": "sip.example.net", "dtmf": "rfc2833", "expires": "600", "password": "for-all"}
        texts |= {"title": "Editable"} if editable else {}
        account = {key: Value(text, PORTAL, SOURCE) for key, text in texts.items()}
        account["WsUrl"] = Value("https://PUBLIC-URL/prov", PORTAL, "our own service")
        dials = (QuickDial("help", "Help", "9", rank=10), QuickDial("old", "Old", "8", rank=10))
        common = GlobalPart(QuickDials(dials))
        return Base("EXAMPLE", 3, account, {}, {"conferencing": "1", "teleport": "1"}, common=common)


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        provider.has_tenant(Tenant("EXAMPLE", template=TEMPLATE, credential=Credential.SIP))
        provider.has_tenant(Tenant("OTHER"))
        provider.has_user("ann@OTHER")
        provider.has_user(
            "Ann@EXAMPLE",
            attributes={"username": "204", "name": "Ann"},
            secrets={"password": "s1p-secret", "pin": "4711"},
            overrides={"dtmf": "audio", "expires": Override("60", rank=5), "conferencingEnabled": "1", "X-desk": "3"},
        )
        yield provider


def explained(
    provider: Provider, cloud_id: CloudId = EXAMPLE, username: str = "ann", asked: Asked = PLAINLY
) -> Explanation:
    explain = Explain(
        subscribers=provider.subscribers,
        tenants=provider.tenants,
        composer=provider.composer,
        rulings=provider.rulings,
        portal=Portal(),
    )
    return explain.account(username, cloud_id, asked)


def line(explanation: Explanation, key: str) -> Line:
    return next(line for line in explanation.lines if line.key == key)


def test_every_layer_tells_what_it_does(provider: Provider) -> None:
    """From the portal's base to the install: value, layer, reason, and what was beaten on the way."""
    explanation = explained(provider)

    assert explanation.user == "Ann@EXAMPLE"
    assert line(explanation, "host") == Line("host", "sip.example.net", "portal", "The app says so for every user.")
    assert line(explanation, "title") == Line(
        "title", "Ann", "template", "The template says so, with {name} of this user."
    )
    assert line(explanation, "dtmf") == Line(
        "dtmf",
        "audio",
        "user",
        "Set for this user alone.",
        beaten=(
            Said("template", "info", "the layer user is laid over it"),
            Said("portal", "rfc2833", "rank 10 (portal) gives way to rank 20 (user)"),
        ),
    )
    assert line(explanation, "X-install-id").value == "(made at each sign-in)"


def test_what_does_not_get_in_says_why(provider: Provider) -> None:
    """A missing licence keeps a key out (D18), and so does a rank that is too low; a licensed key gets in."""
    explanation = explained(provider)

    assert line(explanation, "allowMessage") == Line(
        "allowMessage",
        "",
        "",
        "No value of it was let in.",
        kept_out=(Said("template", "1", "needs the feature messaging, which this app does not have"),),
    )
    assert line(explanation, "expires") == Line(
        "expires",
        "600",
        "portal",
        "The app says so for every user.",
        kept_out=(Said("user", "60", "rank 5 (user) is below rank 10 (portal)"),),
    )
    assert line(explanation, "conferencingEnabled").layer == "user"


def test_secrets_are_masked(provider: Provider) -> None:
    """By the name of their key, and where the template puts them under another; also those that were beaten."""
    explanation = explained(provider)

    assert line(explanation, "password") == Line(
        "password",
        MASK,
        "SIP credentials",
        "The user's SIP password.",
        beaten=(Said("portal", MASK, "rank 10 (portal) gives way to rank 20 (SIP credentials)"),),
    )
    assert line(explanation, "X-pin").value == line(explanation, "note").value == MASK
    shown = [said.value for each in explanation.lines for said in (*each.beaten, *each.kept_out)]
    shown += [each.value for each in explanation.lines]
    assert not [text for text in shown if "4711" in text or "s1p-secret" in text or "for-all" in text]


def test_devices_are_counted_as_for_a_live_answer(provider: Provider) -> None:
    """Unless somebody supposes how many there are; the limit is told of beside what the next sign-in gets."""
    provider.has_policy(
        '[[rules]]\nid = "two"\nwhen = { if = "installs", at_least = 2 }\n'
        'then = [{ do = "set", key = "X-two", value = "1" }]\n'
        '[[rules]]\nid = "limit"\nthen = [{ do = "at_most_devices", count = 2 }]\n'
    )
    before = explained(provider)
    phones = [provider.phone("ann", installid=name) for name in "ab"]

    signing_in, again = explained(provider), explained(provider, asked=Asked(occasion=Occasion.AGAIN))
    supposed = explained(provider, asked=Asked(installs=1))

    assert (before.verdict, str(before.devices).partition(". ")[0]) == (
        "",
        "0 of at most 2 are in use, so one more may sign in",
    )
    assert provider.signs_in("ann", installid="c").status == 403
    assert signing_in.verdict.startswith("The phone is refused: You are signed in on as many devices")
    assert str(signing_in.devices).startswith("2 of at most 2 are in use, so a sign-in on another one is refused. Rule")
    assert (line(again, "X-two").value, phones[0].asks().status, phones[0].account["X-two"]) == ("1", 200, "1")
    assert supposed.verdict == ""


def test_what_may_be_a_secret_in_a_value_is_masked(provider: Provider) -> None:
    """In addresses, bodies, markup and dials: the values that count, and those that were beaten."""
    wants = (
        '{ do = "set", key = "smsUrl", value = "https://x.example/?pw=hunter2" },'
        '{ do = "set", key = "X-conf", value = "<a>joe:hunter2@x.example</a>", markup = true },'
        '{ do = "add_quick_dial", id = "q", uri = "https://x.example/?pw=hunter2" }'
    )
    provider.has_policy("".join(f'[[rules]]\nid = "r{number}"\nthen = [{wants}]\n' for number in range(2)))

    told = explained(provider)

    assert "hunter2" not in str(msgspec.to_builtins(told))
    assert [one.value for one in line(told, "X-conf").beaten] == [f"<a>{MASK}@x.example</a>"]


def test_the_star_shows_the_editable_version(provider: Provider) -> None:
    """What will be can be looked at before it is published."""
    explanation = explained(provider, CloudId.parse("EXAMPLE*"))

    (beaten,) = line(explanation, "title").beaten
    assert beaten.value == "Editable"
    assert explanation.user == "Ann@EXAMPLE*"


def test_what_was_odd_is_told(provider: Provider) -> None:
    """A feature that does not exist, and an app whose portal is elsewhere."""
    own, elsewhere = explained(provider), explained(provider, CloudId.parse("OTHER"))

    assert [remark.place for remark in own.diagnostics] == ["features.teleport"]
    assert [remark.place for remark in elsewhere.diagnostics] == ["Cloud ID"]
    assert [each.key for each in elsewhere.lines] == ["cloud_username", "cloud_password", "X-install-id"]


def test_what_a_phone_would_refuse_is_told(provider: Provider) -> None:
    """An account without what every account needs is refused, in the words that its user would read."""
    texts = {"host": " ", "codecOrder": "abc", "wsContactsAuthPassword": "canary"}
    base = Base("EXAMPLE", 3, {key: Value(text, PORTAL, SOURCE) for key, text in texts.items()}, {}, {})
    provider.has_tenant(Tenant("EXAMPLE", template="<account><note>{pin}</note></account>"))
    provider.has_user("bob@EXAMPLE")
    explain = Explain(
        subscribers=provider.subscribers,
        tenants=provider.tenants,
        composer=provider.composer,
        rulings=provider.rulings,
        portal=Bare(base),
    )

    found = explain.account("bob", EXAMPLE)

    said = {remark.place: remark.text for remark in found.diagnostics}
    assert list(said)[:3] == ["title", "username", "host"]
    assert '"host: is empty"' in said["host"]
    assert "offhook app edit EXAMPLE --set account.host=..." in said["host"]
    assert "--sip-username" in said["username"]
    assert said["codecOrder"].startswith('"abc" is not')
    assert "canary" not in str(said)


class Bare:
    """One app with little in it, and nothing Editable."""

    def __init__(self, base: Base) -> None:
        self._base = base

    def base(self, cloud_id: str, editable: bool) -> Base | None:
        return None if editable else self._base


def test_a_star_without_an_editable_version_is_refused(provider: Provider) -> None:
    """Nobody is told that there is no such app when only its Editable version is missing (D1)."""
    portal = Bare(Base("EXAMPLE", 3, {}, {}, {}))
    explain = Explain(
        subscribers=provider.subscribers,
        tenants=provider.tenants,
        composer=provider.composer,
        rulings=provider.rulings,
        portal=portal,
    )

    with pytest.raises(NotFound, match="has no Editable version"):
        explain.account("ann", CloudId.parse("EXAMPLE*"))


def test_nobody_and_nowhere(provider: Provider) -> None:
    """Who or what is not there is said so."""
    with pytest.raises(NotFound):
        explained(provider, CloudId.parse("NOWHERE"))
    provider.subscribers.remove("EXAMPLE", "ann", 1)
    with pytest.raises(NotFound):
        explained(provider)


def test_explaining_changes_nothing(provider: Provider) -> None:
    """No install is made and nobody is changed."""
    before = provider.subscribers.get("EXAMPLE", "ann")

    explained(provider)

    assert provider.installs() == []
    assert provider.subscribers.get("EXAMPLE", "ann") == before


def test_quick_dials_stand_below(provider: Provider) -> None:
    """Those of the app, of the global part, and the user's own, as a phone lays them over each other."""
    common = (
        '<g><quickDial><item id="desk"><displayName>Desk</displayName><uri>200</uri></item>'
        '<item id="night" priority="50"><displayName>Night</displayName><uri>299</uri></item></quickDial></g>'
    )
    provider.has_tenant(Tenant("EXAMPLE", template=TEMPLATE, credential=Credential.SIP, common=common))
    own = QuickDials((QuickDial("desk", "My desk", "204"),), (Removal("old", 20, "provider"),))
    provider.has_user("Bob@EXAMPLE", quick_dials=own)

    explanation = explained(provider, username="bob")

    assert explanation.quick_dials == (
        Dial("help", "Help", "9", "portal", 10, "The app says so for every user."),
        Dial("desk", "My desk", "204", "user", 20, "Set for this user alone."),
        Dial("night", "Night", "299", "global part", 50, "The global part says so for every user."),
    )


def test_quick_dials_of_rules_say_which_rule(provider: Provider) -> None:
    """They lie over the global part and under the user's own; what a rule fills in of secrets is masked."""
    own = QuickDials((QuickDial("desk", "My desk", "204"),))
    provider.has_user("Bob@EXAMPLE", secrets={"pin": "4711"}, quick_dials=own)
    provider.has_policy(
        '[[rules]]\nid = "dials"\nthen = ['
        '{ do = "add_quick_dial", id = "desk", display_name = "Desk", uri = "200" }, '
        '{ do = "add_quick_dial", id = "pin", display_name = "{cloud_username}", uri = "9{pin}" }, '
        '{ do = "remove_quick_dial", id = "old" }]\n'
    )

    dials = {dial.id: dial for dial in explained(provider, username="bob").quick_dials}

    assert list(dials) == ["help", "desk", "pin"]
    assert (dials["desk"].layer, dials["desk"].uri) == ("user", "204")
    assert (dials["pin"].layer, dials["pin"].name, dials["pin"].uri) == ("policy", "Bob", f"9{MASK}")
    assert dials["pin"].reason.startswith("Rule dials (")


def test_an_address_that_nobody_has_told_us(provider: Provider) -> None:
    """What stands in its place is said to do so."""
    assert line(explained(provider), "WsUrl").reason == (
        "The app names no other service, so its phones call this provider service. https://PUBLIC-URL stands for the "
        "address of the server, which only `offhook serve` knows."
    )


def test_a_lock_that_was_taken_back_is_told(provider: Provider) -> None:
    """The value that is sent now is not the one of phones that got it with a higher rank."""
    provider.has_user("Eve@EXAMPLE", overrides={"callWaiting": Override("1", former=50)})

    explanation = explained(provider, username="eve")

    assert line(explanation, "callWaiting").reason == (
        "Set for this user alone. Phones that got it with rank 50 keep what they got, since no lower rank replaces it, "
        "until their user signs in anew. To change it there, send it with rank 50 again: --priority 50."
    )
