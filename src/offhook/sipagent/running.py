"""A baresip that runs: its folder, its process, its control socket, and how all of them end."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

from offhook.sipagent import baresip, netstring, told
from offhook.sipagent.baresip import Listen, Program
from offhook.sipagent.told import Answer, Told

START_S: Final = 5.0
ANSWER_S: Final = 5.0
END_S: Final = 5.0
_LOOK_S: Final = 0.01
_PIECE: Final = 65536
# How /proc/net/tcp writes that a socket listens.
_LISTENS: Final = "0A"
# A shell between us and the agent: the pipe that it reads ends when we end, however that happens. Then the agent is
# told to un-register and leave, and its folder is removed. SIGTERM has the agent killed: one wait ends with the signal,
# another with the agent, which nobody else would bury. What the agent prints may hold an account: nobody keeps it.
_GUARD: Final = """\
trap 'kill -9 "$agent"' TERM
exec 3<&0
"$1" -f "$2" </dev/null >/dev/null 2>&1 3<&- &
agent=$!
( read -r _ <&3; kill "$agent" ) >/dev/null 2>&1 &
guard=$!
exec 3<&-
echo "$agent"
exec >&-
wait "$agent"
wait "$agent"
trap '' TERM
kill "$guard"
rm -rf "$2"
"""


class Broken(Exception):
    """The agent does not start, is gone, or does not understand. The text is for people and holds no secret."""


class Running:
    """One baresip, from when it can be driven."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = pid
        self._reader, self._writer = reader, writer
        self._tokens = count(1)
        self._asked: dict[str, asyncio.Future[bool]] = {}

    async def heard(self) -> AsyncIterator[Told]:
        """What it tells, until it is gone, with the answers for which `do` does not wait; `do` needs who listens."""
        messages = netstring.Reader()
        try:
            while piece := await self._reader.read(_PIECE):
                for message in messages.messages(piece):
                    match told.parse(message):
                        case None:
                            pass
                        case Answer(token=token, good=good) if asked := self._asked.pop(token, None):
                            if not asked.done():
                                asked.set_result(good)
                        case news:
                            yield news
        except (OSError, netstring.Garbled):
            return

    async def do(self, command: str, words: str = "") -> bool:
        """Carry out a command; whether it could. Raises Broken when there is no answer."""
        token = str(next(self._tokens))
        asked: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked[token] = asked
        self.send(command, words, token)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await asked
        except TimeoutError:
            raise Broken(f"the SIP agent did not answer within {ANSWER_S:.0f} s") from None
        finally:
            self._asked.pop(token, None)

    def send(self, command: str, words: str = "", token: str = "") -> None:
        """Have a command carried out without waiting for it."""
        message = {"command": command, "token": token} | ({"params": words} if words else {})
        self._writer.write(netstring.dumps(json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")))


@asynccontextmanager
async def started(
    program: Program, listen: Listen | None, ca: str, *, patience_s: float = START_S
) -> AsyncIterator[Running]:
    """A baresip of our own; when the block ends it is killed, and nothing of it is left. Raises Broken."""
    control = f"127.{secrets.randbelow(254) + 1}.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}"
    with _folder() as folder:
        _set_up(folder, program, control, listen, ca)
        shell = await _shell(program, folder)
        try:
            pid = await _pid(shell)
            port = await _port(pid, control, patience_s)
            reader, writer = await _connected(control, port)
            try:
                yield Running(pid, reader, writer)
            finally:
                writer.close()
        finally:
            await asyncio.shield(_end(shell))


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that only we may look into, removed afterwards."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="offhook-sip-"))
    except OSError as error:
        raise Broken(f"there is no room for the SIP agent: {error.strerror}") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _set_up(folder: Path, program: Program, control: str, listen: Listen | None, ca: str) -> None:
    try:
        (folder / "config").write_text(baresip.settings(program, control, listen, ca), "utf-8")
        (folder / "openssl.cnf").write_text(baresip.OPENSSL, "utf-8")
    except OSError as error:
        raise Broken(f"there is no room for the SIP agent: {error.strerror}") from None


async def _shell(program: Program, folder: Path) -> asyncio.subprocess.Process:
    """The guard and with it the agent, in a session of their own: Ctrl-C in a terminal is for us to hear."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    environment["OPENSSL_CONF"] = str(folder / "openssl.cnf")
    try:
        return await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", _GUARD, "sh", program.path, str(folder)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
    except OSError as error:
        raise Broken(f"the SIP agent cannot be started: {error.strerror}") from None


async def _pid(shell: asyncio.subprocess.Process) -> int:
    assert shell.stdout
    line = await shell.stdout.readline()
    if not line.strip().isdigit():
        raise Broken("the SIP agent cannot be started")
    return int(line)


async def _port(pid: int, control: str, patience_s: float) -> int:
    """The port on which that very process listens for commands: nobody else is ever told a password."""
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            while True:
                if (port := listening(pid, control)) is not None:
                    return port
                await asyncio.sleep(_LOOK_S)
    raise Broken(f"the SIP agent was not ready within {patience_s:.0f} s")


def listening(pid: int, address: str) -> int | None:
    """The TCP port on which a process listens at an IPv4 address. Raises Broken when the process is gone."""
    wanted = bytes(map(int, reversed(address.split(".")))).hex().upper()
    rows = [row.split() for row in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    places = {row[9]: row[1].partition(":") for row in rows if row[3] == _LISTENS}
    ports = {f"socket:[{inode}]": int(port, 16) for inode, (host, _, port) in places.items() if host == wanted}
    files = Path(f"/proc/{pid}/fd")
    try:
        opened = [str(file.readlink()) for file in files.iterdir()]
    except OSError:
        # A file may be closed while we look; and then we look again.
        if files.exists():
            return None
        raise Broken("the SIP agent ended as soon as it began") from None
    return next((ports[name] for name in opened if name in ports), None)


async def _connected(control: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        return await asyncio.open_connection(control, port)
    except OSError as error:
        raise Broken(f"the SIP agent cannot be driven: {error.strerror}") from None


async def _end(shell: asyncio.subprocess.Process) -> None:
    """Have the agent killed if it is still there; the shell ends after it."""
    with suppress(ProcessLookupError):
        shell.terminate()
    if shell.stdin:
        shell.stdin.close()
    try:
        async with asyncio.timeout(END_S):
            await shell.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        await shell.wait()
