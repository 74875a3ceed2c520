"""Draws docs/pictures: runs a command in a real terminal (tmux) and keeps what it shows as SVG."""

import io
import re
import subprocess
import sys
import time
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
WIDTH, HEIGHT = 104, 100
PATIENCE_S = 30
# The pictures name no font of another server.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace("Fira Code,", "")


def draw(name: str, command: str) -> None:
    """Run a command and draw the screen that it leaves."""
    title = " ".join(command.split(maxsplit=2)[:2])
    shown = f"$ {command}\n{screen(command)}"
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.from_ansi(shown))
    picture = console.export_svg(title=title, code_format=FORMAT, unique_id=name)
    (ROOT / "docs" / "pictures" / f"{name}.svg").write_text(picture)


def screen(command: str) -> str:
    """What is on the screen of a terminal when the command has ended."""
    name, _, words = command.partition(" ")
    program = Path(sys.executable).with_name(name)
    done = "(the command has ended)"
    run = f"clear; {program} {words}; echo '{done}'; sleep {PATIENCE_S}"
    tmux("new-session", "-d", "-s", "picture", "-x", str(WIDTH), "-y", str(HEIGHT), f"sh -c {quoted(run)}")
    try:
        for _ in range(PATIENCE_S * 10):
            time.sleep(0.1)
            captured = tmux("capture-pane", "-e", "-p", "-t", "picture")
            if done in captured:
                return captured.partition(done)[0].rstrip()
    finally:
        tmux("kill-session", "-t", "picture")
    sys.exit(f"{command} did not end within {PATIENCE_S} seconds")


def tmux(*words: str) -> str:
    """Ask tmux."""
    return subprocess.run(["tmux", *words], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607


def quoted(text: str) -> str:
    """A text as one word of the shell."""
    return "'" + text.replace("'", "'\\''") + "'"


if __name__ == "__main__":
    (ROOT / "docs" / "pictures").mkdir(exist_ok=True)
    draw("demo", "offhook demo --once")
