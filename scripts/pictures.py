"""Draws docs/pictures: runs a command in a terminal of ours and keeps what it shows as SVG.

    python scripts/pictures.py
"""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
WIDTH = 104
# The pictures name no font of another server.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace("Fira Code,", "")


def draw(name: str, *command: str) -> None:
    """Run a command and draw what it printed."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    ran = subprocess.run(  # noqa: S603 - our own command
        [str(Path(sys.executable).with_name(command[0])), *command[1:]],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.from_ansi(f"$ {' '.join(command)}\n{ran.stdout.rstrip()}"))
    title = f"{command[0]} {command[1]}"
    picture = console.export_svg(title=title, code_format=FORMAT, unique_id=name)
    (ROOT / "docs" / "pictures" / f"{name}.svg").write_text(picture)


if __name__ == "__main__":
    (ROOT / "docs" / "pictures").mkdir(exist_ok=True)
    draw("demo", "offhook", "demo", "--once")
