"""A phone's life, played on a virtual clock: each rule of D9 to D12, D23 and D24 as a conversation."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from offhook.core.base import Reprovisioning
from offhook.core.webservice import Response
from offhook.phone import events
from offhook.phone.again import LOGGED_OUT, LogOut, Useless, conditional, outcome
from offhook.phone.agenda import at_once
from offhook.phone.checks import Check
from offhook.phone.commands import KeepTheme, NoAnswer, Register, Show, Skip, Tidy, Update, Why
from offhook.phone.life import Life
from offhook.phone.saved import Validator
from tests.phone.play import DEVICE
from tests.phone.play_life import START_S, LifePlay, phone
from tests.phone.world_life import LivingWorld, life_keys, refusal
from tests.world_portal import ADDRESS, account, xml_answer

HOUR_S = 3600
DAY_S = 86400
CALL = events.CallBegan("204")
IMPOSSIBLE = "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"
LATE = refusal(503, retry_after="7200")


def edited(play: LifePlay) -> str:
    return play.saved.account.text("codecOrder")


def world_with(**keys: str) -> LivingWorld:
    world = LivingWorld()
    world.base = msgspec.structs.replace(world.base, account={**world.base.account, **account(keys)})
    return world


def test_a_start_and_the_intervals() -> None:
    """Everything at the start, then each service at its own interval; nothing new leaves the record alone."""
    play = phone()

    play.live(4 * HOUR_S)

    assert play.times("account part") == [0, 3600, 7200, 10800]
    assert play.times("global part") == [0, 7200]
    assert play.times("base") == play.times("theme") == [0]
    assert play.states[:3] == ["running", "re-provisioning", "running"]
    assert len(play.all_of(Update)) == 1
    assert not play.remarks


def test_after_a_sign_in_nothing_is_asked_at_once() -> None:
    """The answers are a moment old; push tokens are for fresh starts."""
    play = phone()

    play.live(HOUR_S + 1, fresh=True)

    assert play.times("account part") == [3600]
    assert play.times("push token report") == []


@pytest.mark.parametrize(("draw", "at_s"), [(0.0, 0.6 * DAY_S), (0.5, 0.8 * DAY_S), (0.999999, DAY_S)])
def test_the_portal_is_asked_within_a_day(draw: float, at_s: float) -> None:
    """Between 60% and 100% of its interval after the last success, as drawn (D9)."""
    play = phone()
    play.chance = draw

    play.live(DAY_S + 1, fresh=True)

    assert play.times("base") == [pytest.approx(at_s, abs=1)]


@pytest.mark.parametrize("plan", [Reprovisioning(enabled=False), Reprovisioning(interval_s=0)])
def test_the_portal_can_be_left_alone(plan: Reprovisioning) -> None:
    """Switched off it is never asked, not even after a failure; the button asks it all the same."""
    world = LivingWorld()
    world.base = msgspec.structs.replace(world.base, reprovisioning=plan)
    play = phone(world)
    play.lost["base"] = NoAnswer(Why.TIMEOUT)

    play.live(3 * DAY_S, (2 * DAY_S, events.Button()))

    assert play.times("base") == [2 * DAY_S]


def test_an_interval_of_zero_waits_for_an_edit_or_the_button() -> None:
    """Neither the start nor time asks (D9); a changed preference or quick dial is no changed account."""
    play = phone(world_with(extProvInterval="0"))

    play.live(
        DAY_S,
        (100, events.Edit("codecOrder", "18")),
        (200, events.Edit("theme", "dark", preference=True)),
        (300, events.DialAdded("mum", "Mother", "100")),
        (400, events.Button()),
    )

    assert play.times("account part") == [100, 400]
    assert play.saved.preferences.text("theme") == "dark"
    assert [item.id for item in play.saved.quick_dials] == ["help", "desk", "mum"]


def test_an_account_that_names_no_services() -> None:
    """Nothing is asked but the portal, nothing is reported."""
    world = LivingWorld()
    world.base = msgspec.structs.replace(
        world.base,
        account={key: value for key, value in world.base.account.items() if not key.endswith("Url")},
    )
    play = phone(world)

    play.live(DAY_S, (100, events.Button()), (200, events.Edit("codecOrder", "8")))

    assert play.times("account part") == play.times("global part") == play.times("push token report") == []
    assert play.times("base")[:2] == [0, 100]


def test_what_is_sent_back() -> None:
    """The validators of the last 200 of that service, and those of a 304 that gave others (D10)."""
    play = phone()
    play.live(HOUR_S, fresh=True)
    play.world.change_account()

    play.forget()
    play.live(10)
    first = {key: value for key, value in play.world.asked[0].headers if key.startswith("If-")}
    play.forget()
    play.live(10)
    second = {key: value for key, value in play.world.asked[0].headers if key.startswith("If-")}

    assert first == {"If-Modified-Since": "Sun, 15 Mar 2015 00:46:17 GMT"}
    assert second == {"If-None-Match": '"again-2"', "If-Modified-Since": "Thu, 01 Jan 2026 00:00:02 GMT"}
    assert edited(play) == "9"

    play.world.instead["again"] = Response(304, {"etag": '"other"'})
    play.forget()
    play.live(10)

    assert play.saved.validators["account part"] == Validator('"other"')


def test_a_request_without_validators() -> None:
    """There is nothing to send back."""
    play = phone()

    play.live(1)

    request = play.world.asked[0]
    assert conditional(request, None) is request
    assert conditional(request, Validator()) == request


def test_a_200_is_merged() -> None:
    """At rank 20: portal values give way, the user's stay unless locked, what is left out stays, empty blanks (D5)."""
    play = phone()
    play.live(10, (1, events.Edit("codecOrder", "18")), (2, events.Edit("dtmfOrder", "info")))
    play.world.change_account(
        '<account><codecOrder>9</codecOrder><dtmfOrder priority="50">audio</dtmfOrder><password/></account>'
    )

    play.live(10)

    saved = play.saved.account
    assert (saved.text("codecOrder"), saved.text("dtmfOrder"), saved.text("password")) == ("18", "audio", "")
    assert saved.text("cloud_password") == "t0ken"


def test_only_what_matters_to_sip_registers_again() -> None:
    """A codec does not, a password does."""
    play = phone()
    play.world.change_account()
    play.live(10)

    assert len(play.all_of(Register)) == 1

    play.forget()
    play.world.change_account("<account><password>other</password></account>")
    play.live(10)

    assert [command.account.text("password") for command in play.all_of(Register)] == ["sip-s3cret", "other"]


def test_what_an_answer_changes_about_the_answers_takes_effect() -> None:
    """Interval, address and logout status; the validator of another address is not sent (D10)."""
    play = phone()
    moved = f"{ADDRESS}/elsewhere/again"
    play.world.change_account(
        f"<account><extProvInterval>60</extProvInterval><extProvUrl>{moved}</extProvUrl>"
        "<extProvLogoutStatusCode>499</extProvLogoutStatusCode></account>"
    )

    play.live(130, (100, lambda: play.world.instead.update(again=refusal(410))))

    assert play.times("account part") == [0, 60, 120]
    second = next(request for request in play.world.asked if request.url == moved)
    assert not [name for name, _ in second.headers if name.startswith("If-")]
    assert play.states[-1] == "running"


@pytest.mark.parametrize(
    ("busy", "free"),
    [
        (events.SettingsOpened(), events.SettingsClosed()),
        (CALL, events.CallEnded()),
        (CALL, events.CallEnded("204")),
    ],
)
def test_news_waits_for_a_safe_moment(busy: events.Event, free: events.Event) -> None:
    """While Settings is open or a call is in progress nothing changes; the moment both are over it does (D12)."""
    play = phone()
    play.live(1)
    play.forget()

    play.live(
        2 * HOUR_S,
        (100, play.world.change_account),
        (200, busy),
        (4000, lambda: play.commands.append((play.now_s, Show(edited(play))))),
        (5000, free),
        (5001, lambda: play.commands.append((play.now_s, Show(edited(play))))),
    )

    assert [shown.message for shown in play.all_of(Show)] == ["0,8", "9"]
    assert play.states[-3:] == ["re-provisioning", "waiting for a safe moment", "running"]


def test_both_must_be_over() -> None:
    """And of two calls the last one."""
    play = phone()
    play.live(1)
    play.forget()
    play.world.change_account()

    play.live(
        1000,
        *((1, event) for event in (events.SettingsOpened(), CALL, events.CallBegan("9", incoming=True))),
        (10, events.Button()),
        *((20, event) for event in (events.CallEnded("204"), events.SettingsClosed())),
        (30, lambda: play.commands.append((play.now_s, Show(edited(play))))),
        (40, events.CallEnded("9")),
        fresh=True,
    )

    assert [shown.message for shown in play.all_of(Show)] == ["0,8"]
    assert edited(play) == "9"
    assert [(call.number, call.duration_s, call.incoming) for call in play.saved.history] == [
        ("9", 39, True),
        ("204", 19, False),
    ]


def test_the_newest_wins() -> None:
    """A later answer takes the place of the one that waits; a 304 says that what the phone has is right after all."""
    play = phone()
    play.live(1)
    world = play.world
    world.change_account()

    play.live(
        200,
        (1, CALL),
        (10, events.Button()),
        (20, lambda: world.change_account("<account><dtmfOrder>info</dtmfOrder></account>")),
        (30, events.Button()),
        (40, events.CallEnded()),
        fresh=True,
    )

    assert (edited(play), play.saved.account.text("dtmfOrder")) == ("0,8", "info")

    world.change_account()
    world.change_base(title="New")
    world.change_theme("Dusk")
    world.change_dials()

    def back() -> None:
        for name in ("again", "base", "theme", "common"):
            world.revisions[name] -= 1

    play.live(
        200,
        *((0, CALL), (10, events.Button()), (20, back), (30, events.Button()), (40, events.CallEnded())),
        fresh=True,
    )

    assert edited(play) == "0,8"
    assert play.states[-1] == "running"


def test_what_happened_while_the_answer_came() -> None:
    """A call that began in between counts: nothing is applied before it is over."""
    play = phone()
    play.live(1)
    play.world.change_account()
    respond = play.world.respond

    def slow(request: object) -> Response:
        play.now_s += 5
        return respond(play.world.asked[-1] if request is None else request)  # type: ignore[arg-type]  # a stand-in

    play.world.respond = slow  # type: ignore[method-assign]  # the slowness of this one world
    play.live(100, (2, CALL), (50, events.CallEnded()))

    assert "waiting for a safe moment" in play.states
    assert edited(play) == "9"


def test_the_global_part_and_the_portal() -> None:
    """New quick dials come with the global part; a new base is laid under all, and the global part over it again."""
    play = phone()
    play.live(1)
    play.forget()
    play.world.change_dials()
    play.world.change_base(title="Renamed", extProvInterval="60")
    play.world.change_theme("Dusk")

    play.live(30, (10, events.Button()))

    saved = play.saved
    assert {item.id: item.uri for item in saved.quick_dials} == {"help": "8", "desk": "99"}
    assert saved.base_version == 4
    assert play.handset.vault.theme(saved.theme).manifest.name == "Dusk"
    assert len(play.all_of(KeepTheme)) == len(play.all_of(Tidy)) == 1
    assert play.disk.names(play.handset.vault.folder / "themes") == [f"{saved.theme}.bin"]
    assert saved.account.text("title") == "Ann, extension 204"
    assert saved.account.text("extProvInterval") == "60"
    assert not play.remarks


def test_a_new_base_asks_for_the_whole_global_part() -> None:
    """What a base cleared would else be missing until the global part changes by itself."""
    play = phone()
    play.live(1)
    play.forget()
    play.world.change_base(title="Renamed")
    play.world.asked.clear()

    play.live(1)

    (common,) = (one for one in play.world.asked if one.url.endswith("/common"))
    assert not [name for name, _ in common.headers if name.startswith("If-")]


def test_licences_come_and_go() -> None:
    """What is no longer licensed gives way to the portal's value, and is tried again with the licence (D18)."""
    world = LivingWorld()
    world.base = msgspec.structs.replace(world.base, account={**world.base.account, **account({"allowMessage": "0"})})
    world.account = world.account.replace(
        "</account>", "<allowMessage>1</allowMessage><genericSmsSendUrl>https://x.example</genericSmsSendUrl></account>"
    )
    play = phone(world)
    assert play.saved.account.text("allowMessage") == "1"

    def licensed(features: dict[str, str]) -> tuple[str, str]:
        world.base = msgspec.structs.replace(world.base, features=features)
        world.revisions["base"] += 1
        play.live(1)
        return play.saved.account.text("allowMessage"), play.saved.account.text("genericSmsSendUrl")

    assert licensed({}) == ("0", "")
    assert licensed({"messaging": "1"}) == ("1", "https://x.example")


@pytest.mark.parametrize(
    "answer",
    [
        *(refusal(status) for status in (400, 401, 403, 404, 408, 409, 418, 500, 502, 503)),
        NoAnswer(Why.UNREACHABLE),
        NoAnswer(Why.TIMEOUT, "slow"),
        xml_answer(""),
        xml_answer("<account>"),
        xml_answer("<html><account/><account/></html>"),
        xml_answer("<account><title/></account>"),
        Response(204),
    ],
    ids=str,
)
def test_everything_else_keeps_the_account(answer: Response | NoAnswer) -> None:
    """Refusals, faults, silence, rubbish and an account that would not work: kept, told, retried with backoff (D11)."""
    play = phone()
    play.live(1)
    before = play.saved
    play.forget()
    if isinstance(answer, NoAnswer):
        play.lost["account part"] = answer
    else:
        play.world.instead["again"] = answer

    play.live(50)

    assert play.saved == before
    assert play.times("account part") == [0, 15, 45]
    assert len(play.remarks) == 3
    assert play.states[-1] == "running"


def test_a_server_that_asks_for_time_gets_it() -> None:
    """Retry-After counts before the backoff, also when the network comes back; the button asks nevertheless."""
    play = phone()
    play.live(1)
    play.forget()
    play.world.instead["again"] = LATE

    play.live(7300, (100, events.NetworkBack()), (200, events.Button()))

    assert play.times("account part") == [0, 200]


def test_either_half_of_the_portals_part_may_ask_for_time() -> None:
    """Whoever asks for more of it is obeyed, though the other half failed for another reason."""
    play = phone()
    play.lost["base"] = NoAnswer(Why.UNREACHABLE)
    play.world.instead["theme"] = LATE

    play.live(7300)

    assert play.times("theme") == [0, 7200]


def test_a_global_part_that_asks_for_time_comes_after_the_base() -> None:
    """The news of the portal does not wait for it; the whole of it is asked for as soon as the server allows."""
    play = phone(world_with(extGlobalProvInterval="3600"))
    play.live(1)
    play.forget()
    play.world.instead["common"] = LATE
    play.live(
        8000,
        (20, lambda: play.world.change_base(codecOrder="18")),
        (30, lambda: setattr(play.life, "due", {**life_of(play).due, Check.PORTAL: at_once(play.now_s)})),
        (31, events.NetworkBack()),
        (100, lambda: play.world.instead.pop("common")),
    )

    assert play.times("base")[:2] == [0, 31]
    assert play.times("global part")[:2] == [0, 7200]
    assert edited(play) == "18"
    (sent, *_) = [one for one in play.world.asked if one.url.endswith("/again/common")][1:]
    assert "if-none-match" not in {name.lower() for name, _ in sent.headers}


def life_of(play: LifePlay) -> Life:
    assert play.life
    return play.life


def test_an_edit_waits_until_the_server_allows() -> None:
    """It asks as soon as it may (D9, D11), also where nothing is asked by itself."""
    for interval in ("3600", "0"):
        play = phone(world_with(extProvInterval=interval))
        play.live(1)
        play.forget()
        play.world.instead["again"] = LATE

        play.live(7300, (10, events.Button()), (20, events.Edit("codecOrder", "3")))

        assert play.times("account part") == ([0, 10] if interval == "3600" else [10]) + [7210]


@pytest.mark.parametrize("key", ["extProvUrl", "extProvInterval", "extProvLogoutStatusCode", "X-install-id"])
def test_what_is_the_providers_is_not_edited(key: str) -> None:
    """The user's rank beats the provider's, so a logout would never reach the phone again."""
    play = phone()
    before = play.saved.account.text(key)

    play.live(10, (1, events.Edit(key, "0")), fresh=True)

    assert play.saved.account.text(key) == before
    assert [show.message.partition(":")[0] for show in play.all_of(Show)] == [f"{key} cannot be changed here"]


def test_a_header_that_makes_no_sense_changes_nothing() -> None:
    """Nor does it end the phone: dates that no calendar has are none."""
    play = phone()
    play.world.instead["again"] = refusal(503, retry_after=IMPOSSIBLE, date="Sun, 15 Mar 2026 00:00:00 GMT")
    play.world.instead["common"] = Response(200, {"last-modified": IMPOSSIBLE}, b"<p/>")

    play.live(100)

    assert play.times("account part") == [0, 15, 45]


def test_online_again_asks_soon() -> None:
    """What had failed for lack of a network does not wait out its backoff."""
    play = phone()
    play.live(1)
    play.forget()
    play.lost = dict.fromkeys(("account part", "base"), NoAnswer(Why.UNREACHABLE))
    play.chance = 0.99

    play.live(40, (10, play.lost.clear), (20, events.NetworkBack()))

    assert play.times("account part") == [0, pytest.approx(24.95)]


def test_a_portal_that_cannot_be_trusted_changes_nothing() -> None:
    """Another key, an answer that is older than what the phone has, a theme that is none, half of both."""
    play = phone()
    play.live(1)
    before = play.saved
    world = play.world

    def seen(what: str) -> None:
        play.forget()
        play.live(1, (0.5, events.Button()))
        assert any(what in remark for remark in play.remarks), play.remarks
        assert msgspec.structs.replace(play.saved, validators={}) == msgspec.structs.replace(before, validators={})

    world.change_base(title="Evil")
    world.key, key = Ed25519PrivateKey.generate(), world.key
    seen("the answer is not signed by the pinned portal key")
    world.key = key
    world.revisions["base"] = 0
    seen("is older than what this phone has")
    world.revisions["base"] = 2
    play.lost["theme"] = NoAnswer(Why.CUT_OFF)
    seen("cut off")
    play.lost.clear()
    world.theme, world.revisions["theme"] = b"no zip", 2
    seen("theme")


def test_a_definition_that_cannot_be_asked() -> None:
    """Another scheme, as in some vendors' templates, is told and changes nothing."""
    play = phone(world_with(extProvUrl="lua://script", pushTokenReporterUrl="lua://script"))

    play.live(10)

    assert any("account part: cannot be asked: extProvUrl" in remark for remark in play.remarks)
    assert any("push token report: cannot be sent" in remark for remark in play.remarks)


def test_a_service_that_goes_away() -> None:
    """An answer that blanks the address of its own service ends the questions; the button says so."""
    play = phone()
    play.world.change_account("<account><extProvUrl/></account>")

    play.live(3 * HOUR_S, (100, events.Button()))

    assert play.times("account part") == [0]


def test_placeholders_that_are_not_known_are_told() -> None:
    """`%username%` stands for nothing once there is an account (D3)."""
    play = phone(world_with(extProvPostData=f"{life_keys()['extProvPostData']}&x=%username%"))

    play.live(10)

    assert any("%username% is not known here" in remark for remark in play.remarks)


def test_a_disk_that_is_full_loses_nothing() -> None:
    """News is asked for again, a theme too; an edit is refused in words; a call is written with the next change."""
    play = phone()
    play.live(1)
    play.forget()
    play.world.change_account()
    play.world.change_theme("Dusk")
    play.full = (Update, KeepTheme)

    play.live(
        200,
        (1, events.Edit("dtmfOrder", "info")),
        (2, CALL),
        (3, events.CallEnded()),
        (100, lambda: setattr(play, "full", ())),
    )

    assert edited(play) == "9"
    assert play.saved.account.text("dtmfOrder") == ""
    assert [show.message for show in play.all_of(Show)] == ["The disk is full."]
    assert [call.number for call in play.saved.history] == ["204"]
    assert play.handset.vault.theme(play.saved.theme).manifest.name == "Dusk"


def test_an_old_theme_that_cannot_be_removed_is_told() -> None:
    """The next start removes it."""
    play = phone()
    play.full = (Tidy,)
    play.world.change_theme("Dusk")

    play.live(1)

    assert play.remarks == ["vault: The disk is full."]


def test_an_edit_that_is_refused_is_told() -> None:
    """In the words of the lock; an odd one is done and remarked upon."""
    play = phone()

    play.live(
        10,
        (1, events.Edit("title", "")),
        (2, events.Edit("expires", "soon")),
        (3, events.Edit("host", "evil.example")),
        (4, events.Edit("username", "205")),
    )

    assert [show.message.partition(":")[0] for show in play.all_of(Show)] == ["title", "host cannot be changed here"]
    assert any(remark.startswith("expires: ") for remark in play.remarks), play.remarks
    assert [command.account.text("username") for command in play.all_of(Register)] == ["204", "204", "205"]


@pytest.mark.parametrize("skew_s", [-10 * DAY_S, 10 * DAY_S])
def test_the_clock_on_the_wall_decides_nothing(skew_s: float) -> None:
    """It may jump: the questions come when they would have come."""
    play = phone()

    play.live(2 * DAY_S, (5000, lambda: setattr(play, "wall_skew_s", skew_s)))

    assert play.times("account part") == [HOUR_S * hour for hour in range(48)]
    assert play.times("base") == [pytest.approx(at_s) for at_s in (0, 0.8 * DAY_S, 1.6 * DAY_S)]


def test_what_was_tolerated_in_the_news_is_told() -> None:
    """And an app that is closed while it asks applies nothing any more."""
    play = phone()
    play.world.change_account("<account><codecOrder>8</codecOrder><codecOrder>9</codecOrder></account>")
    play.live(0.0)
    assert edited(play) == "0,8"

    play.live(10)

    assert edited(play) == "9"
    assert any("stands more than once" in remark for remark in play.remarks)


def test_a_call_of_nobody() -> None:
    """A phone that only has a report left takes no part in calls."""
    play = phone()
    play.lost["removal report"] = NoAnswer(Why.UNREACHABLE)

    play.live(100, (1, events.SignOut()), (2, CALL), (3, events.CallEnded()), (4, events.CallEnded()))

    assert play.states[-1] == "signed out"
    assert not [remark for remark in play.remarks if "vault" in remark]


def test_nobody_is_signed_in() -> None:
    """Then there is nothing to live for; an edit would be refused."""
    play = LifePlay()
    play.live(10)
    assert play.states == ["signed out"]

    life = Life(DEVICE, None)
    play.run(life._edit(events.Edit("a", "b"), START_S))

    assert [show.message for show in play.all_of(Show)] == ["Nobody is signed in on this phone."]


def test_what_an_answer_means() -> None:
    """The logout status is never a success, whatever is configured; without words there are ours."""
    assert outcome(refusal(410), 410) == LogOut(LOGGED_OUT)
    assert isinstance(outcome(refusal(410), 0), Useless)
    assert not isinstance(outcome(xml_answer("<account/>"), 200), Useless)
    assert not isinstance(outcome(Response(304), 304), Useless)


def test_push_tokens_are_reported_at_each_start() -> None:
    """Until they are taken or refused."""
    play = phone()
    play.world.instead["push-token"] = refusal(503)

    play.live(200, (50, play.world.instead.clear))

    assert play.times("push token report") == [0, 15, 45, 105]
    (first, *_) = play.world.said("push-token")
    assert first["install_id"] == "7D21"
    assert first["selector"].endswith(":1")
    assert first["pushToken"] != first["incoming"]

    play.forget()
    play.world.instead["push-token"] = refusal(403)
    play.live(100)

    assert play.times("push token report") == [0]
    assert play.remarks == ["push token report: was answered 403, which ends it"]


def test_the_parts_that_are_left_out_are_told() -> None:
    """A service that is no longer named, asked by the plan of a moment ago."""
    play = phone()
    life = play.handset.living(fresh=True)
    assert life.saved
    life.saved = msgspec.structs.replace(life.saved, account=type(life.saved.account)())
    from offhook.phone import checks  # noqa: PLC0415 - for this one check

    checked = play.run(checks.ask(checks.Check.GLOBAL, checks.Asking(life.saved, life.news, life.services)))

    assert not checked.news
    assert [skip.service for skip in play.all_of(Skip)] == ["global part"]
    assert repr(checked.news) == "News()"


def test_a_number_that_is_no_text_is_kept_as_one() -> None:
    """Whatever a command line brings, and however long: the history can be written, and the call ends by its name."""
    play = phone()
    odd = "1\udcff" + "2" * 1000

    play.live(10, (1, events.CallBegan(odd)), (4, events.CallEnded(odd)))

    assert [call.number for call in play.saved.history] == ["1?" + "2" * 254]
