"""What an operator writes of SIP systems: read whole, with all its faults, and without showing a secret."""

from __future__ import annotations

import pytest

from offhook.connections import loads
from offhook.core.errors import Invalid
from offhook.sip.systems import open_system

GOOD = b"""
[sip.a]
kind = "kamailio"
database = "postgresql+psycopg://offhook:hidden@192.0.2.1/kamailio"
control = "unix:/run/kamailio/kamailio_rpc.sock"
registrations = "control"

[sip.b]
kind = "kamailio"
database = "sqlite:////var/lib/kamailio/kamailio.sqlite"
control = "udp:192.0.2.1:8090"

[sip.c]
kind = "asterisk"
database = "postgresql+psycopg://offhook:hidden@192.0.2.1/asterisk"
context = "phones"
endpoint = { transport = "transport-tls", direct_media = "no" }
aor = { max_contacts = "3" }

[sip.d]
kind = "freeswitch"
username = "freeswitch"
password = "hidden-password"
networks = ["192.0.2.0/24", "2001:db8::/32"]
control = "tcp:192.0.2.1:8021"
control_password = "hidden"

[sip.e]
kind = "webhook"
url = "https://pbx.example.com/hidden-token"
secret = "whsec_aGlkZGVuIGhpZGRlbiBoaWRkZW4gaGlkZGVu"
"""


def test_every_kind_is_read_and_opened() -> None:
    """Without asking any of them; what is shown of them has no secret."""
    found = loads(GOOD, "connections.toml").sip

    opened = [open_system(one) for one in found.values()]

    assert [type(one).__name__ for one in opened] == ["Kamailio", "Kamailio", "Asterisk", "FreeSwitch", "Webhook"]
    assert "hidden" not in f"{found} {[str(one) for one in found.values()]}"
    for one in opened:
        one.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "kamailio"\ndatabase = "hidden"\ncontrol = "unix:/x"', "database is no address"),
        ('kind = "kamailio"\ndatabase = "mysql://hidden@x/y"\ncontrol = "unix:/x"', "must begin with"),
        ('kind = "kamailio"\ndatabase = "sqlite://"\ncontrol = "unix:/x"', "names no database"),
        ('kind = "kamailio"\ndatabase = "sqlite:////hidden"\ncontrol = "unix:x"', "control must be"),
        ('kind = "kamailio"\ndatabase = "sqlite:////hidden"\ncontrol = "udp:host"', "control must be"),
        ('kind = "kamailio"\ndatabase = "sqlite:////hidden"\ncontrol = "udp:host:99999"', "control must be"),
        ('kind = "kamailio"\ndatabase = "hidden"\ncontrol = "x"', "address.*control must be"),
        ('kind = "kamailio"\ndatabase = "sqlite:////hidden"\ncontrol = "unix:/x"\ntimeout_s = 0.0', "timeout_s"),
        ('kind = "kamailio"\ndatabase = "sqlite:////hidden"', "control"),
        ('kind = "asterisk"\ndatabase = "sqlite:////hidden"\nendpoint = { auth = "x" }', "'auth' is no column"),
        ('kind = "asterisk"\ndatabase = "sqlite:////hidden"\naor = { "a b" = "x" }', "'a b' is no column"),
        ('kind = "asterisk"\ndatabase = "sqlite:////hidden"\ncontext = ""', "context"),
        ('kind = "freeswitch"\nusername = "a:b"\npassword = "hidden-password"', "username"),
        ('kind = "freeswitch"\nusername = "a"\npassword = "hidden"', "12 characters"),
        ('kind = "freeswitch"\nusername = "a"\npassword = "hidden-password"\nnetworks = ["x"]', "'x' is no network"),
        ('kind = "freeswitch"\nusername = "a"\npassword = "hidden-password"\ncontrol = "esl:x"', "event socket"),
        ('kind = "freeswitch"\nusername = "a"\npassword = "hidden-password"\ncontrol = "tcp:h:1"', "control_password"),
        ('kind = "freeswitch"\nusername = "a"\npassword = "hidden-password"\nprofile = "a b"', "profile"),
        ('kind = "webhook"\nurl = "ftp://x"\nsecret = "hidden"', "https://"),
        ('kind = "hidden"', "Invalid value - at"),
        ('kind = "webhook"\nurl = "https://ann:hidden@x"\nsecret = "hidden"', "url must not hold a user name"),
        ('kind = "webhook"\nurl = "https://[::1/hidden"\nsecret = "hidden"', "url must begin with https://"),
        ('kind = "kamailio"\ndatabase = "sqlite:////x"\ncontrol = "http://[::1/hidden"', "control must begin with"),
        ('kind = "kamailio"\ndatabase = "sqlite:////x"\ncontrol = "http://a:hidden@x/"', "control must not hold"),
    ],
)
def test_a_fault_says_what_to_write_instead(text: str, said: str) -> None:
    """All faults of a system are told together, and none of them shows a value that may be a secret."""
    with pytest.raises(Invalid, match=said) as error:
        loads(f"[sip.a]\n{text}\n".encode(), "connections.toml")

    assert "hidden" not in error.value.text
