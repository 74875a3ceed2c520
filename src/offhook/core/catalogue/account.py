"""Keys that say who the user is and where the SIP server stands."""
# A table, to be read as one: a key takes one line or two.
# fmt: off

from typing import Final

from offhook.core.keys import Key, Section
from offhook.core.kinds import Address, Choice, Switch, Text, Whole, Word

_TRANSPORT: Final = Choice(("udp", "tcp", "tls", "tls+sip:"), any_case=True)
_PORT: Final = Whole(1, 65535)

CREDENTIALS: Final = Section("Credentials", (
    Key("title", Text(), "documented", "The account's name in the app. Without one the account is not saved.",
        required=True),
    Key("username", Text(), "documented", "The user part of the SIP address.", required=True),
    Key("password", Text(), "documented", "The SIP password. A web service gets it over https only."),
    Key("cloud_username", Text(), "documented", "The name the user signed in with, apart from the SIP user."),
    Key("cloud_password", Text(), "documented",
        "What re-provisioning authenticates with, apart from the SIP password: a token, or what the user typed."),
    Key("networkId", Text(), "documented", "The tenant within the vendor's conferencing and messaging services."),
    Key("userDisplayName", Text(), "documented", "The name that callees see, quoted before the SIP address."),
    Key("acrobitsDisplayName", Text(), "inferred", "A display name that the vendor's sample template returns."),
    Key("authUsername", Text(), "documented", "The name for SIP authentication where it is not the username."),
    Key("host", Address(), "documented",
        "The SIP domain, and the server too when there is no proxy. Port 5060 unless given, 5061 for TLS.",
        required=True),
    Key("transport", _TRANSPORT, "documented",
        "How SIP travels. `tls` puts sips: into addresses; `tls+sip:`, with its colon, keeps sip: over TLS.", "udp"),
    Key("userCallerId", Text(), "documented", "The caller's identity in the From of outgoing calls."),
    Key("userCallerIdMethod", Word(), "inferred", "Where the caller's identity is put.", "from"),
    Key("expires", Whole(30, unit="seconds"), "seen", "The life of a SIP registration that is asked for.", "600"),
    Key("requiresRegistrationForOutgoingCalls", Switch(), "seen", "Calls can be made only while registered.", "1"),
    Key("sendAuthenticationPreemptively", Switch(), "inferred", "SIP credentials go out before they are asked for.",
        "0"),
    Key("rememberRegistrationState", Switch(), "inferred", "The state of the registration outlives a restart.", "1"),
))

PROXIES: Final = Section("Proxies", (
    Key("proxy", Address(), "documented", "The server that is contacted, while host stays the SIP domain."),
    Key("outboundProxy_enabled", Switch(), "seen", "The outbound proxy is used."),
    Key("outboundProxy_host", Address(), "seen", "Address of the outbound proxy."),
    Key("outboundProxy_port", _PORT, "inferred", "Port of the outbound proxy."),
    Key("outboundProxy_transport", _TRANSPORT, "seen", "Transport to the outbound proxy."),
    Key("bgrOutboundProxy_port", _PORT, "inferred", "Port of the outbound proxy while the app is in the background."),
    Key("bgrTransport", _TRANSPORT, "inferred", "Transport while the app is in the background."),
))
