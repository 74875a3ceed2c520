"""A baresip that runs: its folder, its process, the two ways in which it is told things, and how all of them end.

The account goes through a pipe. Commands and news go through a connection that the agent makes to us, and that it opens
with a word which only its folder holds: there is no socket of the agent's to which anybody could connect.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

from offhook.sipagent import baresip, mqtt, told
from offhook.sipagent.baresip import Control, Listen, Program
from offhook.sipagent.told import Answer, Told

START_S: Final = 5.0
ANSWER_S: Final = 5.0
END_S: Final = 5.0
_PIECE: Final = 65536
# What the agent subscribes to ends with a wildcard.
_TOPIC: Final = "/baresip/command/phone"
# baresip puts a command and its words into 256 bytes, and cuts what is longer.
_MAX_COMMAND_BYTES: Final = 255
# Who knocks says its word at once; those that say nothing make room for the next.
_MAX_WORD_BYTES: Final = 1024
_MAX_STRANGERS: Final = 16
# A shell between us and the agent: the pipe that it reads ends when we end, however that happens. Then the agent is
# told to un-register and leave, and its folder is removed. SIGTERM has the agent killed: one wait ends with the signal,
# another with the agent, which nobody else would bury. What the agent prints holds the account: nobody keeps it. Its
# pipe comes as our standard error; it opens it for writing too, so that its end does not come before ours.
_GUARD: Final = """\
trap 'kill -9 "$agent"' TERM
exec 3<&0
"$1" -f "$2" 0<>/proc/self/fd/2 >/dev/null 2>&1 3<&- &
agent=$!
exec 2>/dev/null
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

    def __init__(self, pid: int, line: int, guest: Guest) -> None:
        self.pid = pid
        self._line, self._guest = line, guest
        self._tokens = count(1)
        self._asked: dict[str, asyncio.Future[bool]] = {}

    async def heard(self) -> AsyncIterator[Told]:
        """What it tells, until it is gone, with the answers for which `do` does not wait; `do` needs who listens."""
        try:
            async for packet in self._guest.packets():
                if packet.kind == mqtt.PING:
                    self._guest.writer.write(mqtt.PONG)
                if packet.kind != mqtt.PUBLISH:
                    continue
                match told.parse(mqtt.published(packet)):
                    case None:
                        pass
                    case Answer(token=token, good=good) if asked := self._asked.pop(token, None):
                        if not asked.done():
                            asked.set_result(good)
                    case news:
                        yield news
        except (OSError, mqtt.Garbled):
            return

    def register(self, account: str) -> None:
        """Have an account registered: the news begin with `Began`, or there are none. Raises Broken."""
        try:
            os.write(self._line, f"/uanew {account}\n".encode())
        except OSError as error:
            raise Broken(f"the SIP agent cannot be driven: {error.strerror}") from None

    async def do(self, command: str, words: str = "") -> bool:
        """Carry out a command; whether it could. Raises Broken when it is too long, or there is no answer."""
        if len(f"{command} {words}".encode()) > _MAX_COMMAND_BYTES:
            raise Broken(f"the SIP agent takes {_MAX_COMMAND_BYTES} bytes and no more")
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
        self._guest.writer.write(mqtt.publish(_TOPIC, json.dumps(message, ensure_ascii=False).encode()))


class Guest:
    """Who connected to us."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self._reader, self._packets = reader, mqtt.Reader(_MAX_WORD_BYTES)

    async def packets(self) -> AsyncGenerator[mqtt.Packet, None]:
        """What it sends, from where it was left, until it goes. Raises OSError, Garbled."""
        piece = b""
        while True:
            for packet in self._packets.packets(piece):
                yield packet
            if not (piece := await self._reader.read(_PIECE)):
                return

    async def is_ours(self, word: str) -> bool:
        """Whether it says the word, and then waits for commands. Raises OSError, Garbled."""
        async with aclosing(self.packets()) as packets:
            first = await anext(packets, None)
            if first is None or not hmac.compare_digest(mqtt.password(first), word.encode()):
                return False
            self._packets.most = mqtt.MAX_BYTES
            self.writer.write(mqtt.WELCOME)
            second = await anext(packets, None)
            if second is None:
                return False
            self.writer.write(mqtt.subscribed(second))
            return True


class Door:
    """Where the agent comes in, once. Others on this machine may knock, and do not know the word."""

    def __init__(self) -> None:
        self._word = secrets.token_hex(16)
        self.came: asyncio.Future[Guest] = asyncio.get_running_loop().create_future()
        self._strangers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def _knock(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Let somebody in, or send them away."""
        self._strangers.append(writer)
        if len(self._strangers) > _MAX_STRANGERS:
            self._strangers.pop(0).close()
        guest, ours = Guest(reader, writer), False
        with suppress(OSError, TimeoutError, mqtt.Garbled):
            async with asyncio.timeout(START_S):
                ours = await guest.is_ours(self._word)
        if writer in self._strangers:
            self._strangers.remove(writer)
        if ours and not self.came.done():
            self.came.set_result(guest)
        else:
            writer.close()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Control]:
        """The door, at an address of this machine. Raises Broken."""
        host = f"127.{secrets.randbelow(254) + 1}.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}"
        try:
            self._server = await asyncio.start_server(self._knock, host, 0)
        except OSError as error:
            raise Broken(f"there is no room for the SIP agent: {error.strerror}") from None
        try:
            yield Control(host, self._server.sockets[0].getsockname()[1], self._word)
        finally:
            self.close()

    def close(self) -> None:
        """Nobody else comes in, and nobody waits outside any longer."""
        if self._server is not None:
            self._server.close()
        for writer in self._strangers:
            writer.close()


@asynccontextmanager
async def started(
    program: Program, listen: Listen | None, ca: str, *, patience_s: float = START_S
) -> AsyncIterator[Running]:
    """A baresip of our own; when the block ends it is killed, and nothing of it is left. Raises Broken."""
    with _folder() as folder, _pipe() as (read, write):
        door = Door()
        async with door.opened() as control:
            _set_up(folder, baresip.settings(program, control, listen, ca))
            shell = await _shell(program, folder, read)
            try:
                pid = await _pid(shell)
                guest = await _guest(door, shell, patience_s)
                door.close()
                try:
                    yield Running(pid, write, guest)
                finally:
                    guest.writer.close()
            finally:
                await asyncio.shield(_end(shell))


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    """The pipe through which the agent is told of an account."""
    try:
        read, write = os.pipe()
    except OSError as error:
        raise Broken(f"there is no room for the SIP agent: {error.strerror}") from None
    try:
        yield read, write
    finally:
        os.close(read)
        os.close(write)


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


def _set_up(folder: Path, settings: str) -> None:
    try:
        (folder / "config").write_text(settings, "utf-8")
        (folder / "openssl.cnf").write_text(baresip.OPENSSL, "utf-8")
    except OSError as error:
        raise Broken(f"there is no room for the SIP agent: {error.strerror}") from None


async def _shell(program: Program, folder: Path, line: int) -> asyncio.subprocess.Process:
    """The guard and with it the agent, in a session of their own: Ctrl-C in a terminal is for us to hear."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    environment["OPENSSL_CONF"] = str(folder / "openssl.cnf")
    try:
        return await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", _GUARD, "sh", program.path, str(folder)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=line,
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


async def _guest(door: Door, shell: asyncio.subprocess.Process, patience_s: float) -> Guest:
    """The agent, when it has come in. Raises Broken when it does not, or is gone."""
    gone = asyncio.ensure_future(shell.wait())
    gone.add_done_callback(lambda _: door.came.cancel())
    try:
        await asyncio.wait([door.came], timeout=patience_s)
    finally:
        gone.cancel()
    if door.came.done() and not door.came.cancelled():
        return door.came.result()
    if shell.returncode is not None:
        raise Broken("the SIP agent ended as soon as it began")
    raise Broken(f"the SIP agent was not ready within {patience_s:.0f} s")


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
