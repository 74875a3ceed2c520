"""Single settings by place: each place of a plan can be set and removed, and a wrong one is named."""

from __future__ import annotations

from typing import Final

import pytest

from offhook.core.errors import Invalid
from offhook.portal.app import App
from offhook.portal.edits import edited
from offhook.portal.plan import plan, told
from offhook.portal.reading import from_document

EVERYTHING: Final = from_document(
    {
        "cloud_id": "EXAMPLE",
        "replace_quick_dials_below": 11,
        "account": {"title": "Example", "allowMessage": True, "X-dotted.name": "x"},
        "preferences": {"keypadVolume": 7},
        "features": {"messaging": True},
        "screen": {"mode": "white_label", "uri_scheme": "my", "qr": False, "texts": {"title": "Welcome"}},
        "quick_dials": [{"id": "a.b", "uri": "9"}, {"id": "lab", "display_name": "Lab", "uri": "7100"}],
        "dial_actions": {"door": {"title": "Door"}},
    }
)


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("name=Example", '~ name: "" -> Example'),
        ("account.title=Beispiel = gut", "~ account.title: Example -> Beispiel = gut"),
        ("account.allowMessage=false", "~ account.allowMessage: 1 -> 0"),
        ("account.voiceMailNumber=+420123", "+ account.voiceMailNumber = +420123"),
        ("account.X-dotted.name=y", "~ account.X-dotted.name: x -> y"),
        ("account.expires={ value = 600, priority = 50 }", "+ account.expires = 600 (priority 50)"),
        ('account.genericSmsPostData={"to": "%sms_to%"}', '+ account.genericSmsPostData = {"to": "%sms_to%"}'),
        ("services.provider=false", "~ services.provider: true -> false"),
        ("preferences.keypadVolume=10", "~ preferences.keypadVolume: 7 -> 10"),
        ("features.video=true", "+ features.video = true"),
        ("features.messaging=false", "- features.messaging (was true)"),
        ("reprovisioning.interval_s=3600", "~ reprovisioning.interval_s: 86400 -> 3600"),
        ("screen.texts.title=Hello", "~ screen.texts.title: Welcome -> Hello"),
        ("replace_quick_dials_below=21", "~ replace_quick_dials_below: 11 -> 21"),
        ("quick_dials.lab.uri=7200", "~ quick_dials.lab: Lab, 7100 -> Lab, 7200"),
        ("quick_dials.lab.priority=20", "~ quick_dials.lab: Lab, 7100 -> Lab, 7100 (priority 20)"),
        ('quick_dials."a.b".uri=8', '~ quick_dials."a.b": 9 -> 8'),
        ("quick_dials.new.uri=1", "+ quick_dials.new = 1"),
        ("dial_actions.gate.title=Gate", "+ dial_actions.gate.title = Gate"),
    ],
)
def test_a_setting_by_its_place(setting: str, line: str) -> None:
    """A place of a plan is a place that can be set, and nothing else changes with it."""

    found = edited(EVERYTHING, [setting])

    assert [told(one) for one in plan(EVERYTHING, found).lines] == [line]


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("account.title", "- account.title (was Example)"),
        ("replace_quick_dials_below", "- replace_quick_dials_below (was 11)"),
        ("screen.texts.title", "- screen.texts.title (was Welcome)"),
        ("quick_dials.lab", "- quick_dials.lab (was Lab, 7100)"),
        ("quick_dials.lab.display_name", "~ quick_dials.lab: Lab, 7100 -> 7100"),
        ("dial_actions.door", "- dial_actions.door.title (was Door)"),
        ("features.messaging", "- features.messaging (was true)"),
        ("preferences", "- preferences.keypadVolume (was 7)"),
    ],
)
def test_a_removal_by_its_place(place: str, line: str) -> None:
    """A place of a plan is a place that can be removed."""

    found = edited(EVERYTHING, removals=[place])

    assert [told(one) for one in plan(EVERYTHING, found).lines] == [line]


def test_another_mode_of_the_screen() -> None:
    """What the former mode had and the new one has not goes with the change of modes; the rest stays."""

    found = edited(EVERYTHING, ["screen.mode=classic"])

    lines = [told(one) for one in plan(EVERYTHING, found).lines]
    assert lines == ["~ screen.mode: white_label -> classic", "- screen.uri_scheme (was my)"]


@pytest.mark.parametrize(
    ("settings", "removals", "fault"),
    [
        (["account.title"], [], "account.title: is not of the form PLACE=VALUE"),
        (["=x"], [], "=x: is not of the form PLACE=VALUE"),
        (["reprovisioning.interval_s=-5"], [], "reprovisioning.interval_s: is -5, where 0 to 31,622,400 is possible"),
        (["account.codecOrder=abc"], [], 'account.codecOrder: "abc" is not a whole number; it takes a list'),
        (["acount.title=x"], [], "acount.title: is not known here; did you mean account?"),
        (["account=x"], [], "account: is a whole section"),
        (["quick_dials.lab=x"], [], "quick_dials.lab: is a whole entry"),
        (["quick_dials..=x"], [], "quick_dials..: is not of the form quick_dials.ID.KEY"),
        (["cloud_id=OTHER"], [], "cloud_id: cannot be changed"),
        (["screen.mode=clasic"], [], "screen.mode: 'clasic' is not a mode; did you mean classic?"),
        (["reprovisioning.interval_s=soon"], [], "reprovisioning.interval_s: is a text, where a whole number belongs"),
        ([], ["account.none"], "account.none: is not set"),
        ([], ["quick_dials.none"], "quick_dials.none: is not set"),
        ([], ["dial_actions.none.title"], "dial_actions.none.title: is not set"),
        ([], ["other"], "other: is not known here"),
    ],
)
def test_what_cannot_be_meant(settings: list[str], removals: list[str], fault: str) -> None:
    """A place that is none, and a value that does not fit, are faults; nothing is changed then."""

    with pytest.raises(Invalid) as found:
        edited(EVERYTHING, settings, removals)

    assert str(found.value.faults[0]).startswith(fault)


def test_all_faults_of_all_edits() -> None:
    """Whoever sets several things at once learns of everything that is wrong with them at once."""

    with pytest.raises(Invalid) as found:
        edited(App("EXAMPLE"), ["a=1", "account"], ["b"])

    assert [fault.place for fault in found.value.faults] == ["a", "account", "b"]
