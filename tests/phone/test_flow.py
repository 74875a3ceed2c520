"""The sign-in, played: who is asked for what and when, and what comes of the answers."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from offhook.core import accountxml, mergeable, screen, signing, theme, xml
from offhook.core.dialplan import GlobalPart, QuickDial, QuickDials
from offhook.core.errors import Invalid, NotFound, OffhookError, Refused, TooMany, Unavailable
from offhook.core.login import CloudId, Login
from offhook.core.mergeable import Value
from offhook.core.screen import QrOnly, Texts, WhiteLabel
from offhook.core.secret import Secret
from offhook.core.webservice import Request, Response
from offhook.phone import editing
from offhook.phone import stopped as texts
from offhook.phone.assembly import Received, assemble
from offhook.phone.commands import Fetch, FetchAll, NoAnswer, Why
from offhook.phone.flow import initial_screen, sign_in
from offhook.phone.saved import USER_SOURCE, Saved, Validator
from tests.phone.play import ANN, DEVICE, NOW, PORTAL, Play, signed_in, stopped
from tests.world_portal import ADDRESS, World, account, xml_answer


def key_of(world: World) -> str:
    return signing.public_text(world.key.public_key())


def test_the_four_steps_in_their_order() -> None:
    """Base and theme are asked for together, then the global part, then the account part; the save comes last."""
    play = Play(World())

    play.run(sign_in(ANN, PORTAL, DEVICE, NOW, pinned=key_of(play.world)))

    assert play.steps == ["base + theme", "global part", "account part", "save"]


def test_a_portal_seen_for_the_first_time_is_asked_for_its_key() -> None:
    """The key comes first, is pinned in the record, and the person is told."""
    play = Play(World())

    saved = play.run(sign_in(ANN, PORTAL, DEVICE, NOW))

    assert play.steps[0] == "portal key"
    assert saved.portal_key == key_of(play.world)
    assert play.trust().key == saved.portal_key
    told = f"was seen for the first time and is trusted from now on: {saved.portal_key}"
    assert [str(remark) for remark in play.remarks] == [f"portal key: {told}"]
    assert not saved.diagnostics


def test_a_key_that_is_known_is_not_asked_for_again() -> None:
    """The pin of an earlier sign-in counts for the same portal, also for another user."""
    world = World()
    earlier = msgspec.structs.replace(signed_in(world), username="bob")
    play = Play(world)

    saved = play.run(sign_in(ANN, PORTAL, DEVICE, NOW, earlier=earlier))

    assert play.steps[0] == "base + theme"
    assert "bob@DEMO was signed in here before, and is signed out by this" in [
        remark.text for remark in saved.diagnostics
    ]


def test_the_requests_look_like_those_of_the_documents() -> None:
    """Query and headers are the sample's; the app's version is followed by who is really calling."""
    world = World()
    world.base = msgspec.structs.replace(
        world.base,
        services={
            "InitialProvisioningUrl": "https://provider.com/prov?cloud_username=%username%&cloud_password=%password%"
            "&cloud_id=%fullcode%&initialScreen=1"
        },
    )
    world.passwords = {"johndow": "12345678"}
    play = Play(world)

    play.run(sign_in(Login(CloudId.parse("DEMO"), "johndow", Secret("12345678")), PORTAL, DEVICE, NOW))

    request = world.asked[-1]
    assert (
        request.url
        == "https://provider.com/prov?cloud_username=johndow&cloud_password=12345678&cloud_id=DEMO&initialScreen=1"
    )
    assert request.headers == (
        ("Connection", "close"),
        ("Cache-Control", "max-age=0"),
        ("User-Agent", "CloudSoftphone/1.5.6 offhook/0.1.0"),
    )


def test_headers_of_a_definition_count_before_the_apps_own() -> None:
    """A CustomHeaders line of the same name replaces the app's; others stand beside."""
    world = World()
    custom = {"InitialProvisioningCustomHeaders": "user-agent: Special\nX-Locale: %locale%; %installid%"}
    world.base = msgspec.structs.replace(world.base, services={**world.base.services, **custom})

    signed_in(world)

    assert dict(world.asked[-1].headers) == {
        "Connection": "close",
        "Cache-Control": "max-age=0",
        "user-agent": "Special",
        "X-Locale": f"cs-CZ; {DEVICE.install_id}",
    }


def test_the_cloud_id_as_entered_and_extras_of_a_link_reach_the_provider() -> None:
    """`%fullcode%` has the star; `%global[branch]%` is what the link brought; the portal gets name and star."""
    world = World()
    url = f"{ADDRESS}/prov?cloud_username=%username%&cloud_password=%password%&id=%fullcode%&b=%global[branch]%"
    world.base = msgspec.structs.replace(world.base, services={"InitialProvisioningUrl": url})
    login = Login(CloudId.parse("demo*"), "ann", Secret("s3cret"), {"branch": "west"})

    saved = signed_in(world, login)

    assert [request.url for request in world.asked[1:3]] == [
        f"{ADDRESS}/portal/DEMO*/base",
        f"{ADDRESS}/portal/DEMO*/theme",
    ]
    assert world.asked[-1].url.endswith("id=demo%2A&b=west")
    assert (saved.cloud_id.editable, saved.extras) == (True, {"branch": "west"})


def test_account_placeholders_do_not_expand_before_there_is_an_account() -> None:
    """They stay as they are, and the password is masked on plain http to another host; diagnostics tell both."""
    world = World()
    url = "http://provider.example/prov?cloud_username=%username%&cloud_password=%password%"
    custom = "X-Title: %account[title]%"
    definition = {"InitialProvisioningUrl": url, "InitialProvisioningCustomHeaders": custom}
    world.base = msgspec.structs.replace(world.base, services=definition)
    world.passwords = {"ann": "********"}

    saved = signed_in(world)

    assert world.asked[-1].url.endswith("cloud_password=********")
    assert world.asked[-1].headers[-1] == ("X-Title", "%account[title]%")
    assert [remark.text for remark in saved.diagnostics] == [
        "%password% became asterisks, since the URL is not https",
        "%account[title]% is not known here and stays as it is",
    ]


def test_strict_guards_passwords_on_loopback_too() -> None:
    """The exception for development is switched off."""
    world = World()
    world.passwords = {"ann": "********"}

    Play(world).run(sign_in(ANN, PORTAL, DEVICE, NOW, strict=True))

    assert "cloud_password=********&" in world.asked[-1].url


def test_the_record_holds_all_that_was_received() -> None:
    """Account, quick dials, definitions, validators, theme by digest; not the password that was typed."""
    world = World()

    saved = signed_in(world)

    assert saved.account.text("username") == "204"
    assert saved.account.text("host") == "sip.example.com"
    assert [item.id for item in saved.quick_dials] == ["help", "desk"]
    assert saved.services == world.base.services
    assert saved.theme == hashlib.sha256(world.theme).hexdigest()
    assert (saved.base_version, saved.signed_in_at, saved.portal) == (3, NOW, ADDRESS)
    assert set(saved.validators) == {"base", "theme", "global part", "account part"}
    assert saved.validators["account part"] == Validator("", "Sun, 15 Mar 2015 00:46:17 GMT")
    assert saved.validators["theme"].etag
    assert "s3cret" not in msgspec.json.encode(saved).decode().replace("sip-s3cret", "")


def test_each_value_knows_where_it_came_from() -> None:
    """The provider's title replaced the portal's, and the record says so."""
    saved = signed_in(World())

    title = saved.account.keys["title"]

    assert (title.value.rank, title.value.source) == (20, "provider")
    assert title.replaced == (Value("Demo", 10, "portal"),)


def test_without_services_what_was_typed_is_the_sip_account() -> None:
    """An app whose portal names no provider: two steps are left out, and the record holds the typed credentials."""
    world = World()
    world.base = msgspec.structs.replace(world.base, services={})
    play = Play(world)

    saved = play.run(sign_in(ANN, PORTAL, DEVICE, NOW))

    assert play.steps[2:] == ["no global part", "no account part", "save"]
    assert saved.account.get("username") == Value("ann", 10, "sign-in")
    assert saved.account.text("password") == "s3cret"


def test_a_feature_that_is_not_licensed_keeps_an_override_out() -> None:
    """The value is ignored and the reason is told; a licensed one counts."""
    world = World()
    world.account = world.account.replace(
        "</account>", "<allowMessage>1</allowMessage><host>evil.example</host></account>"
    )

    saved = signed_in(world)

    assert saved.account.text("allowMessage") == "1"
    assert saved.account.text("host") == "sip.example.com"
    reason = "needs the feature open_white_label or unlimited_subdomains, which this app does not have"
    assert saved.account.kept_out["host"][0].reason == reason
    assert f"host: was kept out: it {reason}" in [str(remark) for remark in saved.diagnostics]


def test_a_feature_that_nobody_knows_is_remarked_upon() -> None:
    """An odd licence in the base does not stop a sign-in."""
    world = World()
    world.base = msgspec.structs.replace(world.base, features={"mesaging": "1"})

    saved = signed_in(world)

    assert any(remark.place == "features.mesaging" for remark in saved.diagnostics)


def edited(saved: Saved, key: str, content: str) -> Saved:
    return editing.edit(saved, key, content, "en").saved


def test_what_the_user_changed_survives_a_new_sign_in() -> None:
    """The same user, in any version of the app: changes and own quick dials are there again."""
    world = World()
    own = QuickDial("mum", "Mum", "555", rank=40, source=USER_SOURCE)
    earlier = edited(signed_in(world), "codecOrder", "9")
    earlier = msgspec.structs.replace(
        earlier,
        quick_dials=(*earlier.quick_dials, own),
        preferences=mergeable.settle(account({"keypadVolume": "3"}, 40, USER_SOURCE)),
    )
    world.base = msgspec.structs.replace(world.base, account={**world.base.account, **account({"codecOrder": "18"})})

    saved = signed_in(world, Login(CloudId.parse("DEMO*"), "ann", Secret("s3cret")), earlier)

    assert saved.account.get("codecOrder") == Value("9", 40, USER_SOURCE)
    assert [item.id for item in saved.quick_dials] == ["mum", "help", "desk"]
    assert saved.preferences.text("keypadVolume") == "3"


def test_a_locked_key_does_not_survive() -> None:
    """A provider's rank above the user's wins over the change, which is remembered."""
    world = World()
    earlier = edited(signed_in(world), "codecOrder", "9")
    world.account = world.account.replace("</account>", '<codecOrder priority="50">18</codecOrder></account>')

    saved = signed_in(world, earlier=earlier)

    assert saved.account.text("codecOrder") == "18"
    assert saved.account.keys["codecOrder"].replaced[0] == Value("9", 40, USER_SOURCE)


def test_a_change_whose_licence_ended_does_not_survive() -> None:
    """The licence gate holds for the user, too."""
    world = World()
    earlier = edited(signed_in(world), "allowMessage", "1")
    world.base = msgspec.structs.replace(world.base, features={})

    saved = signed_in(world, earlier=earlier)

    assert saved.account.get("allowMessage") is None
    assert any(remark.place == "allowMessage" for remark in saved.diagnostics)


def test_another_user_gets_nothing_of_the_first() -> None:
    """Neither changes nor quick dials go from one user to the next."""
    world = World()
    earlier = msgspec.structs.replace(edited(signed_in(world), "codecOrder", "9"), username="bob")

    saved = signed_in(world, earlier=earlier)

    assert saved.account.text("codecOrder") == "0,8"


def test_what_is_odd_is_told_and_tolerated() -> None:
    """A content type of another kind, strangers in the global part, values of the wrong kind, quick dials outranked."""
    world = World()
    world.base = msgspec.structs.replace(
        world.base,
        common=GlobalPart(QuickDials((QuickDial("desk", "Desk", "7", rank=50, source="portal"),))),
    )
    world.common = world.common.replace("</provisioning>", "<theme/></provisioning>")
    odd = world.account.replace("</account>", "<expires>soon</expires><X>1</X><X>2</X></account>")
    world.instead["prov"] = xml_answer(odd, kind="text/html; charset=utf-8")

    saved = signed_in(world)

    assert [str(remark) for remark in saved.diagnostics] == [
        "theme: does not belong into the global part and was kept out",
        (
            "account part: came as 'text/html; charset=utf-8' where application/xml or text/xml belongs, "
            "and was read nevertheless"
        ),
        "X: stands more than once; the last one of the highest rank counts",
        'expires: "soon" is not a whole number',
        "quick dial desk: rank 20 is below rank 50 (portal); it stays",
    ]


DEEP = "<a>" * 40 + "</a>" * 40
LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(
        f'<!ENTITY {name} "{"&" + before + ";"}{"&" + before + ";"}">'
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><account><title>&i;</title></account>"
)


@pytest.mark.parametrize("service", ["global", "prov"])
@pytest.mark.parametrize(
    ("answer", "kind", "text", "reason"),
    [
        (xml_answer("<error><message>Ask Eve.</message></error>", 403), Refused, "Ask Eve.", ""),
        (xml_answer("<message>Ask\nEve.</message>", 401), Refused, "Ask Eve.", ""),
        (xml_answer("no", 400, "text/plain"), Refused, texts.GENERIC, "the answer has no message of its own"),
        (xml_answer("<error/>", 403), Refused, texts.GENERIC, "the answer has no message of its own"),
        (xml_answer("<error><message>Gone.</message></error>", 404), NotFound, "Gone.", ""),
        (xml_answer("", 404), NotFound, texts.GENERIC, "the answer has no message of its own"),
        (xml_answer("<error><message>Slowly.</message></error>", 429), TooMany, "Slowly.", ""),
        (xml_answer("", 500), Unavailable, texts.GENERIC, "the answer has no message of its own"),
        (xml_answer("", 503), Unavailable, texts.GENERIC, "the answer has no message of its own"),
        (xml_answer("", 408), Unavailable, texts.GENERIC, "the answer has no message of its own"),
        (xml_answer("", 302), Invalid, texts.GENERIC, "the answer has no message of its own"),
        (xml_answer(""), Invalid, texts.UNUSABLE, "well-formed"),
        (xml_answer("Welcome!"), Invalid, texts.UNUSABLE, "well-formed"),
        (xml_answer("<account><title>Ann</ti"), Invalid, texts.UNUSABLE, "well-formed"),
        (xml_answer('<!DOCTYPE account SYSTEM "x"><account/>'), Invalid, texts.UNUSABLE, "DTD"),
        (xml_answer(LAUGHS), Invalid, texts.UNUSABLE, ""),
        (xml_answer(DEEP), Invalid, texts.UNUSABLE, "nested deeper"),
        (xml_answer(b" " * (xml.MAX_BYTES + 1)), Invalid, texts.UNUSABLE, "is larger than"),
    ],
)
def test_a_service_that_does_not_give_its_part_stops_the_sign_in(
    service: str, answer: Response, kind: type[OffhookError], text: str, reason: str
) -> None:
    """The person reads the server's own words, else the generic ones; the detail stands beside; nothing is saved."""
    world = World()
    world.instead[service] = answer

    early = stopped(world)

    assert type(early.what) is kind
    assert early.text == text
    assert early.service == {"global": "global part", "prov": "account part"}[service]
    assert early.status == answer.status
    assert reason in early.reason


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("<accounts><account/><account/></accounts>", "one <account>"),
        ("<settings/>", "one <account>"),
        ("<account>" + "<k/>" * 2001 + "</account>", "more than 2,000 keys"),
    ],
)
def test_an_answer_needs_exactly_one_account(document: str, reason: str) -> None:
    """None and two are as bad as a broken document."""
    world = World()
    world.account = document

    early = stopped(world)

    assert isinstance(early.what, Invalid)
    assert reason in early.reason


def test_an_account_that_the_app_would_not_save_is_not_saved() -> None:
    """Title, username and host must not be empty; every one that is missing is named."""
    world = World()
    world.account = "<account><title> </title><host/></account>"
    world.base = msgspec.structs.replace(world.base, features={"open_white_label": "1"})

    early = stopped(world)

    assert early.text == "Your account is incomplete. Please contact your provider."
    assert early.reason == "title: is empty; username: is empty; host: is empty"


def test_a_title_in_the_languages_of_the_user_is_a_title() -> None:
    """A localised title counts by what it shows in the device's language."""
    world = World()
    world.account = world.account.replace("Ann, extension 204", "<value lang='cs'>Anna</value><value/>")

    assert signed_in(world).account.text("username") == "204"

    world.account = world.account.replace("Anna", "")

    assert stopped(world).reason == "title: is empty"


@pytest.mark.parametrize("service", ["portal key", "base", "theme", "global part", "account part"])
@pytest.mark.parametrize("why", list(Why))
def test_a_service_that_cannot_be_heard_stops_the_sign_in(service: str, why: Why) -> None:
    """Whatever keeps an answer away: the person is told in plain words, the detail names service and reason."""
    early = stopped(World(), lost={service: NoAnswer(why, "detail")})

    assert isinstance(early.what, Invalid | Unavailable)
    assert early.text.endswith((".", "connection."))
    assert early.detail == f"{service}: {why.value} (detail)"


def test_a_detail_is_not_always_there() -> None:
    """Without one, the line ends after what is known."""
    silent = stopped(World(), lost={"base": NoAnswer(Why.TIMEOUT)})
    world = World()
    world.instead["prov"] = xml_answer("<message>No.</message>", 403)

    assert silent.detail == "base: no answer in time"
    assert stopped(world).detail == "account part answered 403"


@pytest.mark.parametrize(("written", "seconds"), [("7", 7), ("999999999", 86400), ("Sun, 15 Mar 2015", 30), ("", 30)])
def test_when_to_come_back(written: str, seconds: int) -> None:
    """Retry-After is obeyed within a day; a date in it counts as none."""
    world = World()
    world.instead["prov"] = xml_answer("", 503, **{"retry-after": written})

    early = stopped(world)

    assert isinstance(early.what, Unavailable)
    assert early.what.retry_after_s == seconds


def test_an_unknown_app() -> None:
    """The portal's own words, else ours that speak of the Cloud ID."""
    other = Login(CloudId.parse("OTHER"), "ann", Secret("s3cret"))
    silent = World()
    silent.instead["base"] = Response(404)

    assert stopped(World(), other).text == "There is no app OTHER."
    assert stopped(silent).text == texts.UNKNOWN_APP
    assert isinstance(stopped(silent).what, NotFound)


def test_what_was_tolerated_is_told_also_when_it_stops() -> None:
    """The remarks until then come with the error."""
    world = World()
    world.instead["global"] = xml_answer("<p><theme/></p>")
    world.instead["prov"] = Response(403)

    early = stopped(world)

    assert [remark.place for remark in early.remarks] == ["theme"]


def test_a_portal_that_is_not_the_pinned_one_is_refused() -> None:
    """Another key than the pinned one signed: not genuine."""
    other = signing.public_text(World().key.public_key()).replace("A", "B")

    early = stopped(World(), pinned=other)

    assert (early.text, early.service) == (texts.NOT_GENUINE, "base")


@pytest.mark.parametrize("part", ["base", "theme"])
@pytest.mark.parametrize(
    "change",
    [
        {"etag": '"other"'},
        {"last-modified": "Mon, 16 Mar 2015 00:46:17 GMT"},
        {"content-type": "text/html"},
        {"offhook-cloud-id": "OTHER"},
        {"signature": ""},
        {"content-digest": "sha-256=:AAAA:"},
    ],
)
def test_a_changed_header_is_refused(part: str, change: dict[str, str]) -> None:
    """Everything that the phone believes is under the signature."""
    world = World()
    genuine = world.respond(Request("GET", f"{ADDRESS}/portal/DEMO/{part}"))
    world.instead[part] = msgspec.structs.replace(genuine, headers={**genuine.headers, **change})

    early = stopped(world)

    assert (early.text, early.service, early.status) == (texts.NOT_GENUINE, part, 200)


@pytest.mark.parametrize("part", ["base", "theme"])
def test_a_changed_byte_is_refused(part: str) -> None:
    """The body is under the signature, byte by byte."""
    world = World()
    genuine = world.respond(Request("GET", f"{ADDRESS}/portal/DEMO/{part}"))
    world.instead[part] = msgspec.structs.replace(genuine, body=genuine.body[:-1] + bytes([genuine.body[-1] ^ 1]))

    assert stopped(world).text == texts.NOT_GENUINE


def test_an_answer_signed_for_another_app_or_part_is_refused() -> None:
    """A cache cannot put one app's configuration, or its theme, in the place of another's."""
    for cloud_id, part in (("OTHER", "base"), ("DEMO*", "base"), ("DEMO", "theme")):
        world = World()
        world.instead["base"] = world.signed(cloud_id, part, "application/xml", b"<provisioning/>")

        early = stopped(world)

        assert early.text == texts.NOT_GENUINE
        assert f"was signed for the {part} of {cloud_id}" in early.reason


@pytest.mark.parametrize(
    ("part", "body", "reason"),
    [
        ("base", b"<base/>", "<provisioning>"),
        ("base", b"", "well-formed"),
        ("theme", b"", "cannot be read"),
        ("theme", b"PK\x05\x06" + b"\0" * 18, "theme"),
    ],
)
def test_a_genuine_part_that_cannot_be_used_stops_the_sign_in(part: str, body: bytes, reason: str) -> None:
    """A signature does not make sense of nonsense; an app without a theme is not signed in to."""
    world = World()
    kind = {"base": "application/xml", "theme": theme.CONTENT_TYPE}[part]
    world.instead[part] = world.signed("DEMO", part, kind, body)

    early = stopped(world)

    assert early.text == texts.UNUSABLE
    assert reason in early.reason


@pytest.mark.parametrize("said", ["ed25519:short", "rsa:AAAA", "<html>", "\xff"])
def test_a_portal_without_a_key_is_refused(said: str) -> None:
    """What cannot be a key is not pinned."""
    world = World()
    world.instead["key"] = Response(200, {"content-type": "text/plain"}, said.encode())

    early = stopped(world)

    assert (early.service, early.text) == ("portal key", texts.UNUSABLE)


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ({"InitialProvisioningUrl": "ftp://provider.example/"}, "InitialProvisioningUrl"),
        ({"InitialProvisioningUrl": f"{ADDRESS}/x", "InitialProvisioningCustomHeaders": "?"}, "CustomHeaders"),
    ],
)
def test_a_definition_that_makes_no_request_stops_the_sign_in(definition: dict[str, str], reason: str) -> None:
    """The operator's mistake is named; the person reads that the provider must be asked."""
    world = World()
    world.base = msgspec.structs.replace(world.base, services=definition)

    early = stopped(world)

    assert (early.service, early.status, early.text) == ("account part", None, texts.UNUSABLE)
    assert reason in early.reason


def test_limits_and_addresses_of_the_fetches() -> None:
    """A theme may be larger than a document, a key is small."""
    play = Play(World())

    play.run(sign_in(ANN, PORTAL, DEVICE, NOW))

    ask_key, both, *_ = (command for command in play.commands if isinstance(command, Fetch | FetchAll))
    assert isinstance(ask_key, Fetch)
    assert isinstance(both, FetchAll)
    assert [ask_key.limit_bytes, *(one.limit_bytes for one in both.fetches)] == [4096, xml.MAX_BYTES, theme.MAX_BYTES]


def test_secrets_do_not_show_in_commands_and_records() -> None:
    """A log of a conversation, or a traceback, holds neither the typed password nor the account's."""
    play = Play(World())

    saved = play.run(sign_in(ANN, PORTAL, DEVICE, NOW))

    received = Received(play.world.base, b"", GlobalPart(), accountxml.loads(play.world.account, 20, "provider"))
    shown = repr(play.commands) + repr(saved) + repr(received) + repr(assemble(received, None))
    assert "s3cret" not in shown
    assert "t0ken" not in shown


def test_the_screen_of_a_white_label() -> None:
    """It is fetched, verified and handed out with the key that signed it."""
    world = World()
    world.screen = WhiteLabel(texts=Texts(title="Call your clinic"))
    play = Play(world)

    offered = play.run(initial_screen(CloudId.parse("DEMO"), PORTAL, DEVICE))

    assert play.steps == ["portal key", "screen"]
    assert offered.screen == world.screen
    assert offered.portal_key == key_of(world)
    assert [remark.place for remark in play.remarks] == ["portal key"]


def test_a_screen_is_asked_for_with_the_key_that_is_pinned() -> None:
    """An earlier sign-in at this portal pinned its key."""
    world = World()
    play = Play(world)

    play.run(initial_screen(CloudId.parse("DEMO"), PORTAL, DEVICE, earlier=signed_in(World())))

    assert play.steps == ["screen"]


def test_a_screen_that_nobody_knows_stops() -> None:
    """An app that is too old for a screen says so."""
    world = World()
    world.instead["screen"] = world.signed("DEMO", "screen", "application/json", b'{"mode":"wizard"}')
    play = Play(world)

    with pytest.raises(texts.Stopped) as early:
        play.run(initial_screen(CloudId.parse("DEMO"), PORTAL, DEVICE))

    assert early.value.text == texts.UNUSABLE
    assert "wizard" in early.value.reason


def test_what_a_provider_sends_is_read_as_it_was_written() -> None:
    """Custom keys and sub-trees arrive whole."""
    world = World()
    world.account = world.account.replace("</account>", "<rewriting><rule/></rewriting></account>")

    saved = signed_in(world)

    assert saved.account.text("X-install-id") == "7D21"
    assert saved.account.get("rewriting") == Value("<rule/>", 20, "provider", markup=True)
    assert accountxml.dumps(saved.account.values()).count("\n") == 10


@pytest.mark.parametrize("text", ["a\0b", "a\x1bb", "\ufffe"])
def test_an_account_that_was_typed_holds_what_xml_holds(text: str) -> None:
    """A link can bring any character; what no account can hold is told, and not saved."""
    world = World()
    world.base = msgspec.structs.replace(world.base, services={})

    for login in (msgspec.structs.replace(ANN, username=text), msgspec.structs.replace(ANN, password=Secret(text))):
        early = stopped(world, login)

        assert early.text.endswith("Please check what you typed.")
        assert "cannot be written in XML" in early.reason


@pytest.mark.parametrize(
    ("login", "text"),
    [
        (Login(CloudId.parse("DEMO"), "", Secret("s3cret")), "Please enter your username."),
        (Login(CloudId.parse("DEMO"), " ", Secret("s3cret")), "Please enter your username."),
        (Login(CloudId.parse("DEMO"), "ann"), "Please enter your password."),
    ],
)
def test_an_empty_field_is_asked_of_the_person(login: Login, text: str) -> None:
    """No provider is asked, so nobody is locked out for a slip."""
    world = World()

    early = stopped(world, login)

    assert (early.text, early.service) == (text, "sign-in")
    assert [request.url for request in world.asked if "/portal/" not in request.url] == []


def test_an_empty_field_that_nobody_wants_is_none() -> None:
    """A service that is not told the password does without; so does a screen that has no fields."""
    world = World()
    url = f"{ADDRESS}/prov?cloud_username=%username%&cloud_password=open"
    own = msgspec.structs.replace(world.base, services={"InitialProvisioningUrl": url})
    world.passwords = {"ann": "open"}
    login = Login(CloudId.parse("DEMO"), "ann")

    world.base, asking = own, world.base
    assert signed_in(world, login).username == "ann"

    world.base, world.passwords = asking, {"": ""}
    play = Play(world)
    shown = screen.show(QrOnly())
    play.run(sign_in(Login(CloudId.parse("DEMO")), PORTAL, DEVICE, NOW, shown=shown))
    assert play.saves
    world.base = msgspec.structs.replace(asking, services={})
    assert stopped(world, Login(CloudId.parse("DEMO"))).text == "Please enter your username."
    world.base = msgspec.structs.replace(world.base, account={**asking.account, **account({"username": "lobby"})})
    assert signed_in(world, Login(CloudId.parse("DEMO"))).account.text("username") == "lobby"


def test_a_screen_of_bytes_that_are_no_text_stops() -> None:
    """The signature is right, and still it is no screen."""
    world = World()
    for body in (b'{"mode":"classic","texts":{"title":"\xff"}}', b'{"mode":"classic","texts":{"title":"\\udc00"}}'):
        world.instead["screen"] = world.signed("DEMO", "screen", "application/json", body)

        with pytest.raises(texts.Stopped) as early:
            Play(world).run(initial_screen(CloudId.parse("DEMO"), PORTAL, DEVICE))

        assert (early.value.text, early.value.service, early.value.status) == (texts.UNUSABLE, "screen", 200)


@pytest.mark.parametrize("status", [201, 203, 206])
def test_any_success_counts(status: int) -> None:
    """A provider may answer with any 2xx (D6)."""
    world = World()
    world.instead["prov"] = xml_answer(world.account, status)

    assert signed_in(world).account.text("username") == "204"


def test_what_is_odd_of_a_secret_is_not_quoted() -> None:
    """The remark on a value that is none of its kind repeats it, unless it is a secret."""
    world = World()
    odd = "<voicemailPin>a b</voicemailPin><expires>soon</expires>"
    world.account = world.account.replace("</account>", f"{odd}</account>")

    saved = signed_in(world)

    assert [remark.place for remark in saved.diagnostics] == ["expires"]
