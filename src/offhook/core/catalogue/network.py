"""Keys for the way through networks: NAT, ports, keep-alives."""
# A table, to be read as one: a key takes one line or two.
# fmt: off

from typing import Final

from offhook.core.keys import Key, Section
from offhook.core.kinds import Address, Listing, Switch, Text, Tree, Whole, Word

_PORT: Final = Whole(1, 65535)

NETWORK: Final = Section("NAT Traversal", (
    Key("natTraversal", Word(("auto", "ice")), "seen", "How the app finds its way through NAT.", "auto"),
    Key("STUN", Address(), "seen", "The STUN server. Mind the capitals."),
    Key("STUNUsername", Text(), "seen", "User name at the STUN or TURN server."),
    Key("STUNPassword", Text(), "seen", "Password at the STUN or TURN server."),
    Key("contactIP", Word(), "inferred", "Which of its addresses the app puts into its SIP Contact.", "internal"),
    Key("ignoreSymmetricNat", Switch(), "inferred", "A symmetric NAT is not treated as such."),
    Key("forcedContact", Text(), "inferred", "The SIP Contact to use whatever the network says."),
    Key("symmetricNatSubstituteAddress", Text(), "inferred", "The address to name behind a symmetric NAT.",
        "10.20.30.40"),
    Key("iceDefaultCandidateOrder", Listing(Word(("relay", "srflx", "host"))), "inferred",
        "Kinds of ICE candidates, the preferred first.", "relay,srflx,host"),
    Key("keepAlive", Switch(), "inferred", "The app keeps its way through NAT open.", "1"),
    Key("keepAlivePeriod", Whole(5, unit="seconds"), "inferred", "How often it does so.", "30"),
    Key("listeningPort", _PORT, "inferred", "The local SIP port; any when empty."),
    Key("rtpPortRangeStart", _PORT, "inferred", "First port for media.", "10000"),
    Key("rtpPortRangeEnd", _PORT, "inferred", "Last port for media.", "65535"),
    Key("networkUse", Word(), "inferred", "The networks that the account may use.", "auto"),
    Key("overrideGlobalSsidLists", Switch(), "inferred", "The account has its own lists of Wi-Fi networks.", "0"),
))

MISCELLANEOUS: Final = Section("Miscellaneous", (
    Key("broadsoft", Tree(), "inferred", "Settings for BroadSoft servers, one element each."),
    Key("broadsoft.automaticHoldRetrieve", Whole(0), "inferred", "BroadSoft's setting for getting held calls back.",
        "20"),
    Key("X-install-id", Text(), "documented",
        "Which installation this is: the provider makes it up, and gets it back at re-provisioning."),
))
