"""`offhook lint` as a person runs it."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from offhook.cli.lint import lint

SOUND = "<account><title>Ann</title></account>"
DOUBTFUL = '<account>\n  <title>Ann</title>\n  <transport priority="50">tcp</transport>\n</account>'
FAULTY = "<account>\n  <title/>\n  <title/>\n  <expires>5</expires>\n  <host>sip.example.com</host>\n</account>"


def run(*arguments: str, given: str | None = None) -> Result:
    app = typer.Typer()
    app.command()(lint)
    return CliRunner().invoke(app, arguments, input=given)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "account.xml"


@pytest.mark.parametrize(
    ("document", "options", "code"),
    [
        (SOUND, (), 0),
        (SOUND, ("--strict",), 0),
        (DOUBTFUL, (), 0),
        (DOUBTFUL, ("--strict",), 1),
        (FAULTY, (), 1),
        (FAULTY, ("--json",), 1),
        ("<account", (), 5),
        ("<account", ("--json",), 5),
    ],
)
def test_the_exit_code_says_how_it_went(file: Path, document: str, options: tuple[str, ...], code: int) -> None:
    """0 without errors, 1 with errors or, if strict, warnings, 5 when it is no document: the codes of all commands."""
    file.write_text(document, encoding="utf-8")

    assert run(str(file), *options).exit_code == code


def test_findings_name_their_line(file: Path) -> None:
    """Each finding says how bad, where, what, and how to mend it; the last line counts."""
    file.write_text(FAULTY, encoding="utf-8")

    said = run(str(file)).output

    assert "error    expires  line 4\n         5 is too small: at least 30 seconds\n" in said
    assert "warning  title  line 3\n         stands more than once" in said
    assert "2 errors, 1 warning, 1 note" in " ".join(said.split())


def test_nothing_to_remark_is_said_too() -> None:
    """A sound document from standard input gets one line."""
    assert run("-", given=SOUND).output == "-: nothing to remark\n"


def test_a_program_reads_json() -> None:
    """The same findings, for a program."""
    report = json.loads(run("-", "--json", given=FAULTY).output)

    assert [(remark["severity"], remark["key"], remark["line"]) for remark in report["remarks"]] == [
        ("error", "title", 3),
        ("error", "expires", 4),
        ("warning", "title", 3),
        ("note", "host", 5),
    ]


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ("", "needs the feature open_white_label or unlimited_subdomains"),
        ("messaging, unlimited_subdomains=example.org", "must lie under example.org"),
    ],
)
def test_licences_are_judged_when_features_are_named(features: str, said: str) -> None:
    """With the features of the app, an override that it ignores is a warning."""
    result = run("-", "--features", features, given="<account><host>sip.example.com</host></account>")

    assert said in " ".join(result.output.split())


def test_a_misspelt_feature_is_no_feature() -> None:
    """The command says which name it does not know, and ends as for any wrong option."""
    result = run("-", "--features", "mesaging", given=SOUND)

    assert result.exit_code == 2
    assert "did you mean messaging?" in " ".join(result.output.replace("│", "").split())


def test_a_missing_file_is_named(file: Path) -> None:
    """Nothing to read: the message says so and what to do."""
    result = run(str(file))

    assert result.exit_code == 2
    assert "No such file" in result.stderr


@pytest.mark.parametrize("document", ["<account><title></account>", "<a>" * 3, "x" * 1_100_000])
def test_what_is_no_document_is_refused(document: str) -> None:
    """Broken or too large: the message says where, and nothing is judged."""
    result = run("-", given=document)

    assert result.exit_code == 5
    assert "Account XML" in result.stderr
    assert not result.stdout


BASE = """<provisioning cloudId="DEMO" version="1">
  <account>
    <expires>5</expires>
  </account>
  <InitialProvisioningUrl>https://prov.example.net</InitialProvisioningUrl>
</provisioning>"""


def test_the_base_of_an_app_is_told_from_an_account() -> None:
    """It is said what it is; its account is looked at, and its services are where they belong."""
    report = json.loads(run("-", "--json", given=BASE).output)
    said = run("-", given=BASE).output

    assert report["document"] == "base configuration"
    assert [(remark["key"], remark["line"]) for remark in report["remarks"]] == [("expires", 3)]
    assert said.startswith("- is the base configuration of an app: this is about its account\n")


def test_a_global_part_is_refused() -> None:
    """It holds no account, which is said in its own words."""
    result = run("-", given='<provisioning><quickDials><item id="a"/></quickDials></provisioning>')

    assert result.exit_code == 5
    assert "is a global part, with quick dials" in " ".join(result.stderr.split())


@pytest.mark.parametrize("place", ["/proc/self/mem", "/", "nothing\udcff.xml"])
def test_what_cannot_be_opened_is_a_misuse(place: str) -> None:
    """A folder, something that cannot be read, a name that is no text: for a person and for a program."""
    for_person, for_program = run(place), run(place, "--json")

    assert (for_person.exit_code, for_program.exit_code) == (2, 2)
    assert "cannot be read" in for_person.stderr
    assert json.loads(for_program.stdout)["error"]["kind"] == "misused"


def test_nothing_in_a_document_steers_the_terminal() -> None:
    """It may come from anywhere, and its names are shown."""
    said = run("-", given="<account><title>x</title><transport>\x9b2J</transport></account>").output

    assert "\x9b" not in said
