"""A server that makes users until it is killed; what it told whom, it prints. Its SIP system is a folder of files."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from offhook import wiring
from offhook.config import DataFolder
from offhook.core.errors import NotFound, OffhookError
from offhook.core.secret import Secret
from offhook.provider import saga as moves
from offhook.provider.saga import Activate, Enter, MakeSip, Stage
from offhook.provider.sipaccounts import Address, KeptAccount, SipAccount
from offhook.provider.siplines import Settling
from offhook.provider.subscriber import Argon2, State, Subscriber
from offhook.provider.tenant import Sip, Tenant
from offhook.storage.database import Database

STEPS = (Enter(), MakeSip(), Activate())
SIP = Sip("files", "sip.example.org")


class FileSip:
    """A SIP system that survives whoever asks it: a file for each account, replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def ensure(self, account: SipAccount, key: str) -> None:
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".", delete=False) as file:
            file.write(msgspec.json.encode([one.reveal() for one in account.ha1s()]))
        Path(file.name).replace(self._path(account.address))

    def rotate(self, account: SipAccount, key: str) -> None:
        if not self._path(account.address).exists():
            raise NotFound("There is no such account.")
        self.ensure(account, key)

    def disable(self, address: Address, key: str) -> None:
        self.remove(address, key)

    def remove(self, address: Address, key: str) -> None:
        self._path(address).unlink(missing_ok=True)

    def look_up(self, address: Address) -> KeptAccount | None:
        path = self._path(address)
        if not path.exists():
            return None
        return KeptAccount(address, True, tuple(map(Secret, msgspec.json.decode(path.read_bytes()))))

    def registered(self, addresses: Collection[Address]) -> Mapping[Address, bool]:
        return {}

    def there(self) -> set[str]:
        return {path.name for path in self.folder.iterdir() if not path.name.startswith(".")}

    def _path(self, address: Address) -> Path:
        return self.folder / str(address)


class Server:
    """The parts of a server on a data folder."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.parts = wiring.Parts(DataFolder(folder).make(), database)
        self.sip = FileSip(folder / "sip")
        systems: Any = {"files": self.sip}
        self.parts.elsewhere.lines.systems = systems
        self.parts.tenants.put(Tenant("EXAMPLE", sip=SIP))

    def makes(self, name: str) -> bool:
        """Whether the user was told yes."""
        sagas, now_s = self.parts.elsewhere.sagas, self.parts.clock.now_s()
        pending = Subscriber("EXAMPLE", name, Argon2("x"), State.PENDING, created_s=now_s, changed_s=now_s)
        found = sagas.store.enter(pending, moves.to_make(sagas.new_id(), "EXAMPLE", 0, name, STEPS, now_s))
        if found.saga is None:
            return found.subscriber.state is State.ACTIVE
        ran = sagas.run(found.saga.id)
        return ran is not None and ran.stage is Stage.DONE

    def goes_round(self) -> None:
        for chore in (Settling(self.parts.elsewhere.lines, self.parts.clock), *self.parts.elsewhere.chores().values()):
            for name in chore.due(100):
                chore.do(name)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(folder: Path, first: int) -> None:
    with closing(Database(DataFolder(folder).make().database)) as database:
        server = Server(folder, database)
        say("ready")
        for number in range(first, first + 1000):
            name = f"user{number}"
            try:
                if server.makes(name):
                    say(name)
                if number % 3 == 0:
                    server.parts.subscribers.remove("EXAMPLE", name, server.parts.clock.now_s())
                    say(f"-{name}")
                server.goes_round()
            except OffhookError as error:
                say(f"# {error.text}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
