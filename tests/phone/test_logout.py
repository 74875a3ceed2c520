"""The logout: its steps, its waiting, its resumption after a crash, and what it leaves behind (D13 to D15)."""

from __future__ import annotations

from pathlib import Path
from random import Random

import msgspec
import pytest

from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import OffhookError
from offhook.core.login import CloudId, Login
from offhook.core.mergeable import Value
from offhook.core.secret import Secret
from offhook.core.webservice import Credentials, Request, Response
from offhook.phone import events, reports
from offhook.phone.backup import Backup, Found, back_up, restore
from offhook.phone.commands import (
    DropBackup,
    DropReport,
    Erase,
    NoAnswer,
    PutBackup,
    PutReport,
    Remark,
    Save,
    Show,
    Skip,
    TakeBackup,
    Unregister,
    Update,
    Why,
)
from offhook.phone.files import put
from offhook.phone.reports import KEPT_S, Report
from offhook.phone.saved import MAX_CALLS, Call, Step
from tests.phone.lossy import PowerLoss
from tests.phone.play import ANN
from tests.phone.play_life import START_S, WALL, LifePlay, phone
from tests.phone.test_life import CALL, DAY_S, world_with
from tests.phone.world_life import LivingWorld, refusal
from tests.world_portal import ADDRESS

BOB = Login(CloudId.parse("DEMO"), "bob", Secret("b0b"))
OWNER = f"{ADDRESS}\nDEMO\nann"
WORDS = "Your seat was given up. Call the help desk."
STEPS = (Update, Unregister, PutReport, PutBackup, Erase)


def used(world: LivingWorld | None = None) -> LifePlay:
    """A phone whose user has changed something of everything."""
    play = phone(world)
    play.world.passwords["bob"] = "b0b"
    play.live(
        100,
        (1, events.Edit("codecOrder", "18")),
        (2, events.Edit("theme", "dark", preference=True)),
        (3, events.DialAdded("mum", "Mother", "100")),
        (4, CALL),
        (5, events.CallEnded()),
    )
    play.forget()
    return play


def owned(play: LifePlay) -> tuple[str, str, str, int]:
    """What of a user's things is there."""
    saved = play.saved
    dials = {item.id: item.uri for item in saved.quick_dials}
    settings = saved.account.text("codecOrder"), saved.preferences.text("theme")
    return *settings, dials.get("mum", ""), len(saved.history)


ALL = ("18", "dark", "100", 1)
NOTHING = ("0,8", "", "", 0)


def order(play: LifePlay) -> list[str]:
    """The steps of the logout, each once."""
    done = [type(command).__name__ for _, command in play.commands if isinstance(command, STEPS)]
    return [name for number, name in enumerate(done) if name != "Update" or number == 0]


def test_the_steps_in_their_order() -> None:
    """The status logs out: un-register, report, back up, erase; then the words of the server are shown (D13)."""
    play = used()
    play.world.instead["again"] = refusal(410, WORDS)

    play.live(100)

    assert order(play) == ["Update", "Unregister", "PutReport", "PutBackup", "Erase"]
    assert play.all_of(Unregister) == [Unregister(5.0)]
    assert [show.message for show in play.all_of(Show)] == [WORDS]
    assert play.states[-3:] == ["re-provisioning", "logging out", "signed out"]
    opened = play.handset.saved()
    assert opened.saved is None
    assert opened.left
    assert opened.left.message == WORDS
    assert play.disk.names(play.handset.vault.folder / "themes") == []
    assert play.times("base") == []


def test_the_report_has_the_values_of_the_account_that_is_gone() -> None:
    """They were filled in before the erasure, and it is delivered afterwards (D14)."""
    play = used()

    play.live(100, (10, events.SignOut()))

    (sent,) = play.world.said("removed")
    assert (sent["cloud_username"], sent["cloud_password"], sent["install_id"]) == ("ann", "t0ken", "7D21")
    assert play.handset.kept.take_reports() == ()
    assert play.states[-2:] == ["logging out", "signed out"]
    assert not play.all_of(Show)


def test_a_logout_waits_for_a_call_and_not_for_settings() -> None:
    """An emergency call is never cut (D12); meanwhile nothing is asked."""
    play = used()
    play.world.instead["again"] = refusal(410)

    play.live(
        2 * DAY_S,
        (10, events.SettingsOpened()),
        (20, CALL),
        (30, events.Button()),
        (DAY_S, events.CallEnded()),
        fresh=True,
    )

    assert play.times("account part") == [30]
    assert play.times("removal report") == [DAY_S]
    assert play.states[-3:] == ["waiting for a safe moment", "logging out", "signed out"]


def test_a_user_who_signs_out_during_a_call() -> None:
    """The same; the words of a server that wanted it, too, are not lost."""
    play = used()

    play.live(1000, (20, CALL), (30, events.SignOut()), (40, events.CallEnded()), fresh=True)

    assert play.states == ["running", "waiting for a safe moment", "logging out", "signed out"]


def test_without_a_reporter_it_goes_on() -> None:
    """No service, or one that cannot be asked: told, and no report."""
    for keys in ({"accountRemovalReporterUrl": ""}, {"accountRemovalReporterUrl": "lua://x"}):
        play = used(world_with(**keys))
        play.live(10, (1, events.SignOut()))

        told = [skip.service for skip in play.all_of(Skip)] + [one.diagnostic.place for one in play.all_of(Remark)]
        assert reports.REMOVAL in told
        assert not play.all_of(PutReport)
        assert play.states[-1] == "signed out"


def test_unknown_placeholders_of_the_report_are_told() -> None:
    """They stay in the text (D3)."""
    play = used(world_with(accountRemovalReporterPostData="u=%username%"))

    play.live(10, (1, events.SignOut()))

    assert any("%username% is not known here" in remark for remark in play.remarks)
    assert play.world.said("removed") == [{"u": "%username%"}]


def test_power_may_fail_at_any_moment_of_a_logout() -> None:
    """The next start goes on: one report, one backup, and after the return of the user everything is there."""
    moment = 0
    while True:
        play = used()
        play.disk.moments_left = moment
        moment += 1
        try:
            play.live(100, (10, events.SignOut()), fresh=True)
            break
        except PowerLoss:
            decided = any(isinstance(command, Update) for _, command in play.commands)
        for seed in range(4):
            after = LifePlay(play.world, play.disk.after_power_loss(Random(seed)))
            after.world.asked.clear()
            opened = after.handset.saved()
            assert opened.damage == ""
            assert opened.saved or opened.left or not decided

            with_account = opened.saved is not None and opened.saved.leaving is None
            after.live(100, (10, events.SignOut() if with_account else events.NetworkBack()), fresh=True)

            assert after.handset.saved().saved is None
            reported = {sent["selector"] for sent in (*play.world.said("removed"), *after.world.said("removed"))}
            assert len(reported) <= 1
            assert after.handset.kept.take_reports() == ()
            after.sign_in()
            assert owned(after) == ALL
            assert after.handset.kept.take_backup(after.saved.owner) is None
    assert moment > 30


def test_power_may_fail_at_any_moment_of_a_return() -> None:
    """What was backed up is in the backup or in the record, and not twice in it."""
    left = used()
    left.live(100, (10, events.SignOut()))
    safe = left.disk.after_power_loss(Random(0))
    moment = 0
    while True:
        play = LifePlay(left.world, safe.after_power_loss(Random(0)))
        play.disk.moments_left = moment
        moment += 1
        try:
            play.sign_in()
            break
        except PowerLoss:
            pass
        for seed in range(4):
            after = LifePlay(left.world, play.disk.after_power_loss(Random(seed)))
            if after.handset.saved().saved is None:
                after.sign_in()
            after.live(1, fresh=True)

            assert owned(after) == ALL
            assert after.handset.kept.take_backup(after.saved.owner) is None
    assert moment > 15


@pytest.mark.parametrize("kind", [Update, PutReport, PutBackup, Erase])
def test_a_full_disk_delays_a_logout(kind: type[Update]) -> None:
    """It is tried again, and the button tries it at once."""
    play = used()
    play.full = (kind,)

    play.live(
        300,
        *((10, events.SignOut()), (11, events.Edit("codecOrder", "8")), (20, events.Button())),
        (100, lambda: setattr(play, "full", ())),
        fresh=True,
    )

    assert play.states[-1] == "signed out"
    assert any("goes on later" in remark for remark in play.remarks)
    play.sign_in()
    assert owned(play) == ALL


def test_another_user_of_the_same_phone() -> None:
    """Sees nothing of the first one, whether that one signed out or not; to whom everything comes back (D15)."""
    for signs_out in (True, False):
        play = used()
        if signs_out:
            play.live(10, (1, events.SignOut()))

        play.sign_in(BOB)
        assert owned(play) == NOTHING
        play.live(10, (1, events.Edit("codecOrder", "3")), fresh=True)
        assert len(play.world.said("removed")) == 1
        play.sign_in()
        assert owned(play) == ALL
        play.sign_in(BOB)

        assert owned(play) == ("3", "", "", 0)


def test_a_sign_in_that_cannot_be_saved_leaves_the_other_user_alone() -> None:
    """The old state or the new one (D8): whoever was signed in still is, and nothing was reported."""
    play = used()
    play.full = (Save,)

    with pytest.raises(OffhookError, match="full"):
        play.sign_in(BOB)

    assert owned(play) == ALL
    assert play.saved.leaving is None
    assert play.handset.kept.take_reports() == ()
    assert not play.all_of(Unregister)


def test_a_sign_in_that_cannot_be_saved_leaves_a_locked_vault_where_it_is() -> None:
    """Its key comes back, and with it all that the user had; what was set aside for nothing is not set aside twice."""
    play = used()
    key = Path("/phone/keystore/vault.key")
    found = play.disk.read(key, 32)
    assert found
    play.disk.remove(key)
    play.full = (Save,)

    for _ in range(2):
        with pytest.raises(OffhookError, match="full"):
            play.sign_in(BOB)
    put(play.disk, key, found)

    assert owned(play) == ALL
    assert [name for name in play.disk.names(Path("/phone")) if name.startswith("vault.")] == ["vault.locked-1"]


def test_power_may_fail_at_any_moment_of_a_change_of_users() -> None:
    """Either the first one is signed in as before, or the second one is, and the first is reported and backed up."""
    moment = 0
    while True:
        play = used()
        play.disk.moments_left = moment
        try:
            play.sign_in(BOB)
        except PowerLoss:
            after = LifePlay(play.world, play.disk.after_power_loss(Random(moment)))
            if after.saved.username == "ann":
                assert owned(after) == ALL
                assert after.saved.leaving is None
                assert after.handset.kept.take_reports() == ()
            else:
                after.live(10, fresh=True)
                assert owned(after) == NOTHING
                assert after.saved.predecessors == ()
                assert len(after.world.said("removed")) == 1
                after.sign_in()
                assert owned(after) == ALL
        else:
            break
        moment += 1

    assert moment > 15


@pytest.mark.parametrize("kind", [PutReport, PutBackup, Update, TakeBackup])
def test_a_full_disk_delays_the_logout_of_the_user_before(kind: type[Update]) -> None:
    """Who signs in is signed in; the one before is backed up as soon as that can be done, and reported (D14)."""
    play = used()
    play.full = (kind,)
    play.sign_in(BOB)
    assert owned(play) == NOTHING
    assert "logout: of whoever was signed in before goes on later: The disk is full." in play.remarks

    play.live(100, (40, lambda: setattr(play, "full", ())), fresh=True)

    assert play.saved.predecessors == ()
    assert play.world.said("removed")
    play.sign_in()
    assert owned(play) == ALL


def test_a_capital_makes_nobody_else_of_a_user() -> None:
    """Who is who says the provider, where it says so: a keyboard that begins with a capital costs nobody a backup."""
    play = used()
    auto_capital = msgspec.structs.replace(ANN, username="Ann")
    play.world.passwords["Ann"] = "s3cret"
    play.world.names["Ann"] = "ann"
    play.sign_in(auto_capital)
    assert owned(play) == ALL
    assert not play.world.said("removed")
    play.live(10, (1, events.SignOut()), fresh=True)

    play.sign_in()

    assert owned(play) == ALL
    assert play.saved.owner == OWNER


@pytest.mark.parametrize("account", ["<cloud_username/>", "", "<cloud_username><b>ann</b></cloud_username>"])
def test_where_the_provider_does_not_say_who_is_who_the_typed_name_counts(account: str) -> None:
    """Nobody gets what belongs to a namesake, nor what the portal says to every user of the app."""
    play = used()
    world = play.world
    world.account = world.account.replace("<cloud_username>{username}</cloud_username>", account)
    world.base = msgspec.structs.replace(
        world.base, account={**world.base.account, "cloud_username": Value("ann", 10, "portal")}
    )
    world.passwords["Ann"] = "s3cret"

    play.sign_in(msgspec.structs.replace(ANN, username="Ann"))

    assert owned(play) == NOTHING
    assert play.saved.owner == f"{ADDRESS}\nDEMO\nAnn"


def test_several_users_may_wait_for_their_logout() -> None:
    """Each of them is signed out properly, whoever comes next, and also when the last one leaves at once."""
    play = used()
    play.full = (PutReport,)
    play.sign_in(BOB)
    play.sign_in(BOB)
    play.world.passwords["eve"] = "e5e"
    play.sign_in(msgspec.structs.replace(BOB, username="eve", password=Secret("e5e")))
    assert [one.username for one in play.saved.predecessors] == ["ann", "bob"]
    play.full = ()

    play.live(10, (1, events.SignOut()), fresh=True)

    assert sorted(sent["cloud_username"] for sent in play.world.said("removed")) == ["ann", "bob", "eve"]
    play.sign_in()
    assert owned(play) == ALL


def test_a_logout_does_not_destroy_a_backup_that_was_not_put_back() -> None:
    """What could not be restored is backed up once more, with what the user did since (D15)."""
    for kind in (TakeBackup, Update):
        play = used()
        play.live(10, (1, events.SignOut()))
        play.full = (kind,)
        play.sign_in()
        assert owned(play) == NOTHING
        free = (2, lambda play=play: setattr(play, "full", ()))
        play.live(40, free, (3, events.DialAdded("mum", "Mum", "200")), (5, events.SignOut()), fresh=True)

        play.sign_in()

        assert owned(play) == ("18", "dark", "200", 1)


def test_a_backup_that_cannot_be_looked_at_delays_the_logout() -> None:
    """Nobody knows what would be overwritten."""
    play = used()
    play.full = (TakeBackup,)

    play.live(100, (1, events.SignOut()), (50, lambda: setattr(play, "full", ())), fresh=True)

    assert any("goes on later" in remark for remark in play.remarks)
    assert play.states[-1] == "signed out"
    play.sign_in()
    assert owned(play) == ALL


@pytest.mark.parametrize("kind", [PutReport, PutBackup, Erase])
def test_a_call_while_the_disk_delays_a_logout(kind: type[Update]) -> None:
    """It is never cut (D12), and is in the history when its user returns, with what was changed beside it."""
    play = used()
    play.full = (kind,)

    play.live(
        300,
        *((10, events.SignOut()), (11, events.CallBegan("555")), (12, events.Edit("theme", "light", preference=True))),
        (13, lambda: setattr(play, "full", ())),
        *((200, events.CallEnded()),),
        fresh=True,
    )

    erased_s = [at_s for at_s, command in play.commands if isinstance(command, Erase)][-1]
    assert erased_s >= START_S + 200
    assert play.states[-4:] == ["logging out", "waiting for a safe moment", "logging out", "signed out"]
    play.sign_in()
    assert [call.number for call in play.saved.history] == ["555", "204"]
    assert owned(play)[1] == "light"


@pytest.mark.parametrize("by_user", [True, False])
def test_a_logout_that_waits_for_a_call_is_decided_already(*, by_user: bool) -> None:
    """Whoever closes the app during the call finds it signed out (D13); also with an interval of 0."""
    play = used()
    if not by_user:
        play.world.instead["again"] = refusal(410, WORDS)

    play.live(20, (1, CALL), (2, events.SignOut() if by_user else events.Button()), fresh=True)

    assert play.states[-1] == "waiting for a safe moment"
    assert play.saved.leaving
    play.live(10, fresh=True)
    assert play.handset.saved().saved is None
    assert [show.message for show in play.all_of(Show)] == ([] if by_user else [WORDS])


def test_signing_out_twice_is_signing_out() -> None:
    """Also on a phone that nobody is signed in on."""
    play = used()

    play.live(100, (1, CALL), (2, events.SignOut()), (3, events.SignOut()), (4, events.CallEnded()), fresh=True)
    play.lost["removal report"] = NoAnswer(Why.UNREACHABLE)
    play.sign_in()
    play.live(20, (1, events.SignOut()), (2, events.SignOut()), fresh=True)

    assert play.states.count("signed out") == 2


def test_a_setting_that_is_not_licensed_now_outlives_a_logout() -> None:
    """It is the user's all the same, and counts again with the licence (D15, D18)."""
    play = phone()
    play.world.base = msgspec.structs.replace(play.world.base, features={**play.world.base.features, "messaging": "1"})
    play.world.revisions["base"] += 1
    play.live(10, (5, events.Edit("maxMessageBodySize", "77")))
    licensed = play.world.base
    play.world.base = msgspec.structs.replace(licensed, version=9, features={**licensed.features, "messaging": "0"})
    play.world.revisions["base"] += 1
    play.live(10)
    assert "maxMessageBodySize" in play.saved.account.kept_out

    play.live(10, (1, events.SignOut()), fresh=True)
    play.sign_in()
    play.sign_in()
    assert play.saved.account.text("maxMessageBodySize") == ""
    play.world.base = msgspec.structs.replace(licensed, version=10)
    play.world.revisions["base"] += 1
    play.live(10)

    assert play.saved.account.text("maxMessageBodySize") == "77"


def test_a_backup_brings_back_nothing_that_is_the_providers() -> None:
    """One that was made when the user could still change such a key (D13)."""
    play = used()
    value = Value("0", 40, "user")
    found = Found(Backup(account={"extProvInterval": value, "X-install-id": value, "codecOrder": value}), "d")

    after = restore(play.saved, found)

    assert after.account.text("extProvInterval") == "3600"
    assert after.account.text("X-install-id") == "7D21"


def test_a_sign_in_over_a_logout_that_is_under_way() -> None:
    """The logout comes to its end first, and then the backup comes back."""
    play = used()
    play.full = (PutBackup,)
    play.live(20, (1, events.SignOut()), fresh=True)
    assert play.saved.leaving
    assert play.saved.leaving.step is Step.BACK_UP
    play.full = ()

    play.sign_in()

    assert owned(play) == ALL
    assert play.saved.leaving is None


def test_the_same_user_signs_in_again() -> None:
    """Everything stays, without a logout."""
    play = used()

    play.sign_in()

    assert owned(play) == ALL
    assert not play.all_of(PutReport)


def test_a_backup_that_cannot_be_read_is_set_aside() -> None:
    """Never deleted, and the sign-in goes on (D15)."""
    play = used()
    play.live(10, (1, events.SignOut()))
    drawer = play.handset.kept.backups
    (key,) = drawer.keys()
    content = drawer.sealed(key) or b""
    play.disk.write(drawer.folder / f"{key}.bin", content[:-1] + b"?")

    play.sign_in()

    assert owned(play) == NOTHING
    assert play.disk.names(drawer.folder) == [f"{key}.damaged-1"]
    assert "could not be read" in play.handset.kept.remarks[0].text


def test_a_backup_of_another_user_is_not_opened() -> None:
    """Cloud ID and username are bound to it: whoever exchanges the files gets nothing."""
    play = used()
    play.live(10, (1, events.SignOut()))
    drawer = play.handset.kept.backups
    (key,) = drawer.keys()
    play.handset.kept.put_backup(f"{ADDRESS}\nDEMO\nbob", Backup())
    (other,) = set(drawer.keys()) - {key}
    play.disk.write(drawer.folder / f"{other}.bin", drawer.sealed(key) or b"")

    play.sign_in(BOB)

    assert owned(play) == NOTHING
    assert f"{other}.damaged-1" in play.disk.names(drawer.folder)


def test_a_backup_without_its_key_or_sense() -> None:
    """Both are set aside."""
    play = used()
    play.live(10, (1, events.SignOut()))
    drawer = play.handset.kept.backups
    drawer.put(drawer.keys()[0], f"backup {OWNER}", b"\xc1")
    assert play.handset.kept.take_backup(OWNER) is None

    play.handset.kept.put_backup(OWNER, Backup())
    play.disk.remove(play.handset.folder / "keystore" / "vault.key")

    assert play.handset.kept.take_backup(OWNER) is None
    assert [remark.text.partition(";")[0] for remark in play.handset.kept.remarks] == [
        "could not be read (it makes no sense)",
        "could not be read (keystore: the key is missing or damaged)",
    ]


def test_a_backup_that_cannot_be_restored_now_stays() -> None:
    """The next start tries again; what the user does meanwhile is newer and counts."""
    play = used()
    play.live(10, (1, events.SignOut()))
    play.full = (TakeBackup,)
    play.sign_in()
    play.live(10, (1, events.Edit("codecOrder", "3")), (2, events.DialAdded("mum", "Mum", "200")), fresh=True)
    play.full = (DropBackup,)

    play.live(1, fresh=True)
    assert owned(play) == ("3", "dark", "200", 1)
    play.full = ()
    play.live(1, fresh=True)

    assert owned(play) == ("3", "dark", "200", 1)
    assert play.handset.kept.backups.keys() == []
    assert any("stays where it is for now" in remark for remark in play.remarks)


def test_locks_and_licences_count_before_a_backup() -> None:
    """It comes back at the user's rank, not above a lock; and nothing secret is in it."""
    play = used()
    play.live(10, (1, events.Edit("password", "mine")), fresh=True)
    saved = play.saved
    backup = back_up(saved)
    assert "password" not in backup.account
    assert repr(backup) == "Backup(2 settings, 1 calls)"
    play.live(10, (1, events.SignOut()))
    play.world.account = play.world.account.replace("</account>", '<codecOrder priority="50">8</codecOrder></account>')

    play.sign_in()

    assert owned(play) == ("8", *ALL[1:])
    assert play.saved.account.text("password") == "sip-s3cret"


def test_restoring_is_a_law() -> None:
    """Twice is once; a history has a limit; a quick dial of a higher rank stays."""
    play = used()
    saved = play.saved
    calls = tuple(Call(str(number), WALL) for number in range(MAX_CALLS))
    locked = msgspec.structs.replace(saved.quick_dials[0], id="mum", rank=50)
    found = Found(msgspec.structs.replace(back_up(saved), history=calls), "d")
    bare = msgspec.structs.replace(saved, quick_dials=(locked,))

    once = restore(bare, found)

    assert restore(once, found) == once
    assert len(once.history) == MAX_CALLS
    assert once.quick_dials == (locked,)
    assert len(saved.with_call(calls[0]).history) == 2


def test_a_report_is_tried_for_seven_days() -> None:
    """With backoff, also by the phone that nobody is signed in on, and counting only the time in which it runs."""
    play = used()
    play.lost[reports.REMOVAL] = NoAnswer(Why.UNREACHABLE)
    play.live(3 * DAY_S, (1, events.SignOut()))
    (report,) = play.handset.kept.take_reports()
    attempts = len(play.times(reports.REMOVAL))
    assert report.attempts == attempts
    assert 100 < attempts < 200
    assert play.times(reports.REMOVAL)[:4] == [1, 16, 46, 106]

    play.now_s += 30 * DAY_S
    play.live(DAY_S, (10, events.NetworkBack()), (20, events.Button()))
    assert len(play.handset.kept.take_reports()) == 1
    play.live(4 * DAY_S)

    assert play.handset.kept.take_reports() == ()
    assert play.remarks[-1] == "removal report: was tried for seven days and is given up"


@pytest.mark.parametrize(
    ("answer", "left", "remark"),
    [
        (Response(200), 0, ""),
        (Response(204), 0, ""),
        (Response(408), 1, ""),
        (Response(429, {"retry-after": "600"}), 1, ""),
        (Response(503), 1, ""),
        (Response(403), 0, "was answered 403, which ends it"),
        (Response(302), 0, "was answered 302, which ends it"),
    ],
)
def test_what_ends_a_report(answer: Response, left: int, remark: str) -> None:
    """2xx; and what will not become better by itself (D14)."""
    play = used()
    play.world.instead["removed"] = answer

    play.live(10, (1, events.SignOut()))

    assert len(play.handset.kept.take_reports()) == left
    assert play.remarks == ([f"removal report: {remark}"] if remark else [])


def test_a_report_that_cannot_be_dropped_is_sent_again() -> None:
    """At least once, perhaps twice."""
    play = used()
    play.full = (DropReport,)
    play.live(10, (1, events.SignOut()))
    play.full = ()

    play.live(10)

    assert len(play.world.said("removed")) == 2
    assert "removal report: The disk is full." in play.remarks


def test_what_is_kept_can_be_read_by_nobody() -> None:
    """A report with its password, a backup: neither stands in a file; what cannot be read is set aside."""
    play = used()
    request = Request("POST", f"{ADDRESS}/removed", credentials=Credentials("u", Secret("pass-w0rd")), body=b"b0dy")
    kept = play.handset.kept
    kept.put_report(Report("ab", request))
    assert kept.take_reports() == (Report("ab", request),)
    assert all(b"pass-w0rd" not in content and b"b0dy" not in content for content in play.disk.contents.values())

    play.disk.write(kept.reports.folder / "ab.bin", b"rubbish")
    play.disk.write(kept.reports.folder / "cd.bin.new", b"half")
    kept.tidy()

    assert kept.take_reports() == ()
    assert play.disk.names(kept.reports.folder) == ["ab.damaged-1"]
    assert isinstance(kept.remarks[0], Diagnostic)


def test_the_age_of_a_report_is_that_of_a_running_phone() -> None:
    """So no clock that steps uses its days up."""
    assert KEPT_S == 7 * DAY_S
    play = used()
    play.lost[reports.REMOVAL] = NoAnswer(Why.TIMEOUT)

    play.live(DAY_S, (1, events.SignOut()), (100, lambda: setattr(play, "wall_skew_s", 100 * DAY_S)))

    (report,) = play.handset.kept.take_reports()
    assert report.age_s < DAY_S
