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
        ("<account", (), 2),
        ("<account", ("--json",), 2),
    ],
)
def test_the_exit_code_says_how_it_went(file: Path, document: str, options: tuple[str, ...], code: int) -> None:
    """0 without errors, 1 with errors or, if strict, warnings, 2 when the file cannot be used."""
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

    assert result.exit_code == 2
    assert "Account XML" in result.stderr
    assert not result.stdout
