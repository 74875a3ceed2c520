"""`offhook numbers` and `offhook onboarding`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world_shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    opened = Shell(tmp_path)
    opened.does("tenant", "create", "EXAMPLE")
    return opened


def test_pools_are_filled_and_counted(shell: Shell) -> None:
    """Ranges as people write them; a pool is made with its first one."""
    said = shell.does("numbers", "add", "example", "main", "+49 30 1234500-99", "--quarantine", "2d")
    shell.does("numbers", "add", "EXAMPLE", "short", "201-299")
    shell.does("numbers", "exclude", "EXAMPLE", "201")

    pools = shell.tells("numbers", "list", "EXAMPLE")

    assert "100 numbers, 100 of them free" in said
    assert [(one["name"], one["numbers"], one["free"], one["excluded"]) for one in pools] == [
        ("main", 100, 100, 0),
        ("short", 99, 98, 1),
    ]
    assert pools[0]["ranges"] == ["+49301234500-+49301234599"]
    assert pools[0]["quarantine_s"] == 2 * 86400
    assert "short" in shell.does("numbers", "list", "EXAMPLE")


def test_a_number_goes_to_a_user_and_back(shell: Shell) -> None:
    """The user's record follows; one who has still to come has the number pinned."""
    shell.does("numbers", "add", "EXAMPLE", "short", "201-299")
    shell.does("user", "add", "ann@EXAMPLE", "--password-stdin", stdin="12345678\n")

    said = shell.does("numbers", "assign", "210", "ann@EXAMPLE", "--attribute", "extension")
    shell.does("numbers", "assign", "211", "eve@EXAMPLE")
    ann = shell.tells("user", "show", "ann@EXAMPLE")
    taken = shell.types("numbers", "assign", "210", "eve@EXAMPLE")
    listed = shell.does("numbers", "show", "EXAMPLE")
    shell.does("numbers", "release", "EXAMPLE", "210")
    after = shell.tells("user", "show", "ann@EXAMPLE")

    assert "210 is assigned for ann@EXAMPLE" in said
    assert ann["attributes"]["extension"] == "210"
    assert taken.exit_code == 8
    assert "pinned" in listed
    assert "extension" not in after["attributes"]
    assert shell.tells("numbers", "show", "EXAMPLE", "210")["use"] == "released"
    assert shell.tells("numbers", "show", "EXAMPLE", "212")["use"] == "free"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("numbers", "add", "EXAMPLE", "main", "x"), 5),
        (("numbers", "add", "EXAMPLE", "Main!", "201-299"), 5),
        (("numbers", "add", "EXAMPLE", "main", "201-299", "+4930123400-99"), 5),
        (("numbers", "add", "EXAMPLE", "main", "201", "--quarantine", "soon"), 2),
        (("numbers", "add", "OTHER", "main", "201-299"), 4),
        (("numbers", "show", "EXAMPLE", "999"), 4),
        (("numbers", "show", "EXAMPLE", "--pool", "none"), 4),
        (("numbers", "release", "EXAMPLE", "999"), 4),
        (("onboarding", "upstream", "EXAMPLE", "No Name"), 5),
        (("onboarding", "sign-up", "EXAMPLE", "--domain", "a b"), 5),
        (("onboarding", "things", "EXAMPLE", "--number", "x"), 2),
        (("onboarding", "things", "EXAMPLE", "--hook", "x", "--no-hooks"), 2),
        (("onboarding", "things", "EXAMPLE", "--number", "username=main"), 5),
    ],
)
def test_what_cannot_be_meant_is_said(shell: Shell, words: tuple[str, ...], code: int) -> None:
    """With the exit codes of all commands."""
    assert shell.types(*words).exit_code == code


def test_a_cloud_id_is_opened(shell: Shell) -> None:
    """And what is still missing for new users is said at once."""
    before = shell.tells("onboarding", "show", "EXAMPLE")
    shell.does("onboarding", "sign-up", "EXAMPLE", "--domain", "Example.com")
    shell.does("numbers", "add", "EXAMPLE", "main", "201-202")
    things = ("--number", "number=main", "--number", "extension=none", "--hook", "crm")
    after = shell.tells("onboarding", "things", "EXAMPLE", *things)
    shown = shell.does("onboarding", "show", "EXAMPLE")

    assert before["onboarding"] == {"type": "closed"}
    assert after["onboarding"] == {"type": "sign_up", "sent_by": "", "domains": ["example.com"], "code_s": 900}
    assert [one["place"] for one in after["notes"]] == ["pool none", "hook crm", "mail"]
    assert "number from main" in shown
    for mode in (("upstream", "EXAMPLE", "corp", "--refresh", "900"), ("invitation", "EXAMPLE"), ("closed", "EXAMPLE")):
        assert shell.tells("onboarding", *mode)["onboarding"]["type"] == mode[0]
    cleared = shell.tells("onboarding", "things", "EXAMPLE", "--no-numbers", "--no-hooks")
    assert (cleared["numbers"], cleared["hooks"], cleared["notes"]) == ([], [], [])


def test_passwords_that_are_not_kept_here_stay_off_the_phone(shell: Shell) -> None:
    """Where the app keeps the password as it was typed, nobody can sign up, and no upstream is asked."""
    shell.does("tenant", "set", "EXAMPLE", "--credential", "password")

    refused = shell.types("onboarding", "upstream", "EXAMPLE", "corp")

    assert refused.exit_code == 5
    assert "choose token or sip" in refused.stderr
