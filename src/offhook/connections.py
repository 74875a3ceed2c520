"""The file of connections: SIP systems, upstreams, hooks and the mail server of one installation, each under a name.

public_url = "https://prov.example.net"

[sip.berlin]
kind = "kamailio"
database = "postgresql+psycopg://offhook:secret@127.0.0.1/kamailio"
control = "unix:/run/kamailio/kamailio_rpc.sock"
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from offhook.core.errors import Invalid
from offhook.core.secret import Discreet, Secret
from offhook.identity.settings import AnyUpstream
from offhook.mail.settings import Smtp
from offhook.outgoing import webhook
from offhook.sip.settings import AnySystem

_VALUE: Final = re.compile(r"^(Invalid (?:enum )?value) '.*'(?= - at `)", re.DOTALL)
FILE: Final = "connections.toml"
MAX_BYTES: Final = 256 * 1024
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_URL: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?")


class Connections(Discreet, frozen=True, forbid_unknown_fields=True):
    """What this installation is connected with; settings of a Cloud ID speak of it by name.

    `public_url` is how phones and browsers reach the provider service, for links in mails and on paper.
    """

    sip: Mapping[str, AnySystem] = {}
    upstream: Mapping[str, AnyUpstream] = {}
    hook: Mapping[str, webhook.Settings] = {}
    mail: Smtp | None = None
    public_url: str = ""

    def __str__(self) -> str:
        return ", ".join((*self.sip, *self.upstream, *self.hook)) or "none"


def read(path: Path) -> Connections:
    """The connections of a file; none where there is no file. Raises Invalid, which shows no secret."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return Connections()
    except OSError as error:
        raise Invalid.at(path.name, f"cannot be read: {error.strerror}") from None
    return loads(text, path.name)


def exposed(path: Path) -> tuple[str, ...]:
    """In words, that anybody on this machine may read the file, or nothing: its folder may keep them out."""
    try:
        open_to_all = path.stat().st_mode & stat.S_IROTH and path.parent.stat().st_mode & stat.S_IXOTH
    except OSError:
        return ()
    return (f"may be read by everybody on this machine, and holds passwords: chmod o= {path}",) if open_to_all else ()


def loads(text: bytes, place: str) -> Connections:
    """Read a TOML text. Raises Invalid at `place`."""
    if len(text) > MAX_BYTES:
        raise Invalid.at(place, f"is longer than {MAX_BYTES:,} bytes")
    try:
        found = msgspec.toml.decode(text, type=Connections, dec_hook=_secret)
    except UnicodeDecodeError:
        raise Invalid.at(place, "is not UTF-8") from None
    except msgspec.DecodeError as error:
        # It shows the value, which may be a password that stands in the wrong place.
        raise Invalid.at(place, _VALUE.sub(r"\1", str(error))) from None
    for name in (*found.sip, *found.upstream, *found.hook):
        if not _NAME.fullmatch(name):
            raise Invalid.at(place, f"{name[:40]!r} is no name: it has 1 to 32 of a-z, 0-9 and -")
    if found.public_url and not _URL.fullmatch(found.public_url):
        raise Invalid.at(place, "public_url is not of the form https://prov.example.net, perhaps with a path")
    return found


def _secret(kind: type, text: object) -> object:
    if kind is Secret and isinstance(text, str):
        return Secret(text)
    raise NotImplementedError
