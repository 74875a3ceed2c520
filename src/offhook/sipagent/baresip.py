"""Where baresip is on this machine, and how it is set up for one phone."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Final

import msgspec

from offhook.core.errors import Invalid
from offhook.core.secret import Discreet

NAME: Final = "baresip"
_MODULES: Final = (
    "/usr/lib/baresip/modules",
    "/usr/local/lib/baresip/modules",
    "/usr/lib64/baresip/modules",
    "/usr/lib/*/baresip/modules",
)
# What a phone without microphone, loudspeaker and keyboard needs: a codec, a wire from its one to its other, commands
# from a pipe, and commands and news through a connection that it makes itself. Never one of those that listen for
# commands (ctrl_tcp, cons, httpd): they ask nobody who they are, and `insmod` is one of the commands.
_NEEDED: Final = ("g711.so", "aubridge.so", "stdio.so", "menu.so", "mqtt.so")
_AUTHORITIES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_LISTEN: Final = re.compile(r"(?P<host>[0-9.]{7,15}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>\d{1,5}))?")
# baresip 1.0.0 never asks its TLS library to look at the server's certificate; this makes the library do it unasked.
OPENSSL: Final = """\
openssl_conf = all
[all]
ssl_conf = tls
[tls]
system_default = verified
[verified]
MinProtocol = TLSv1.2
VerifyMode = Peer
"""


class Program(msgspec.Struct, frozen=True):
    """A baresip that is installed."""

    path: str
    modules: str


def find() -> Program | None:
    """The baresip of this machine; None where there is none that can be used."""
    path = shutil.which(NAME)
    # The pipe through which the agent is told of an account is opened again here.
    if path is None or not Path("/proc/self/fd").exists():
        return None
    root = Path("/")
    for pattern in _MODULES:
        for folder in sorted(root.glob(pattern[1:])):
            if all((folder / name).is_file() for name in _NEEDED):
                return Program(path, str(folder))
    return None


class Control(Discreet, frozen=True):
    """Where the agent connects to be driven, and the word that it says there."""

    host: str
    port: int
    word: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Listen(msgspec.Struct, frozen=True):
    """The address and port on which SIP is taken; port 0 is any that is free."""

    host: str
    port: int = 0

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_listen(text: str) -> Listen:
    """Read `ADDRESS` or `ADDRESS:PORT`. Raises Invalid."""
    found = _LISTEN.fullmatch(text)
    port = int(found["port"] or 0) if found else 0
    # TLS is taken on the port after it.
    if found is None or not 0 <= port < 65535:
        raise Invalid.at("--sip-listen", f"{text[:60]!r} is no address, such as 127.0.0.1 or [::1]:5070")
    return Listen(found["host"], port)


def authorities() -> str:
    """The file with the authorities that this machine trusts; empty where there is none."""
    named = os.environ.get("SSL_CERT_FILE", "")
    return next((path for path in (named, *_AUTHORITIES) if path and Path(path).is_file()), "")


def settings(program: Program, control: Control, listen: Listen | None, ca: str) -> str:
    """The file `config`."""
    lines = [
        "poll_method epoll",
        f"module_path {program.modules}",
        "module g711.so",
        "module aubridge.so",
        "module stdio.so",
        "module_app menu.so",
        "module_app mqtt.so",
        f"mqtt_broker_host {control.host}",
        f"mqtt_broker_port {control.port}",
        "mqtt_broker_user phone",
        f"mqtt_broker_password {control.word}",
        "audio_source aubridge,phone",
        "audio_player aubridge,phone",
        "audio_alert aubridge,bell",
        "audio_path /nonexistent",
        "call_max_calls 4",
        "menu_bell no",
        "redial_attempts 0",
    ]
    if listen is not None:
        lines.append(f"sip_listen {listen}")
    if ca:
        lines.append(f"sip_cafile {ca}")
    if any("\n" in line or "\r" in line for line in lines):
        raise Invalid.at("SIP agent", "a path with a line break cannot be used")
    return "".join(f"{line}\n" for line in lines)
