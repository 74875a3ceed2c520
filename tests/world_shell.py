"""Administration at a terminal: commands typed on one data folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from typer.testing import CliRunner, Result

from offhook.cli.main import app

PASSWORD: Final = "12345678"
SIP_PASSWORD: Final = "45F4BF5F0E191F5DCC27"


class Shell:
    """Types commands on one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def types(self, *words: str, stdin: str = "") -> Result:
        env = {"OFFHOOK_DATA": str(self.folder / "data"), "COLUMNS": "120"}
        return CliRunner().invoke(app, words, input=stdin, env=env, catch_exceptions=False)

    def does(self, *words: str, stdin: str = "") -> str:
        """Type a command that works."""
        result = self.types(*words, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    def tells(self, *words: str, stdin: str = "") -> Any:  # noqa: ANN401 - whatever JSON says
        """Type a command that works, with --json."""
        return json.loads(self.does(*words, "--json", stdin=stdin))

    def file(self, name: str, content: str) -> str:
        (self.folder / name).write_text(content, encoding="utf-8")
        return str(self.folder / name)


def documented(shell: Shell) -> Shell:
    """The documentation's example, prepared as its user would."""
    shell.does("tenant", "create", "example", "--credential", "sip")
    shell.does(
        *("user", "add", "johndow@EXAMPLE", "--password-stdin", "--sip-username", "B63349F4EE"),
        *("--sip-password-file", "-", "--set", "allowMessage=0"),
        stdin=f"{PASSWORD}\n{SIP_PASSWORD}\n",
    )
    return shell
