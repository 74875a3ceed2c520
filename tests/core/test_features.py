"""Features: read from a table, and asked whether an override may pass."""

import pytest

from offhook.core.catalogue import KEYS
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Invalid
from offhook.core.features import FEATURES, Features, gate, gating
from offhook.core.mergeable import PORTAL, PROVIDER, USER, Value, merge, settle


def override(content: str, rank: int = PROVIDER) -> Value:
    return Value(content, rank, "provider")


def test_a_missing_feature_keeps_an_override_out() -> None:
    """The portal's value stays, and the document remembers why."""
    base = settle({"allowMessage": override("1", PORTAL)})

    merged = merge(base, {"allowMessage": override("0"), "title": override("Ann")}, gate(Features()))

    assert merged.text("allowMessage") == "1"
    assert merged.text("title") == "Ann"
    assert merged.kept_out["allowMessage"][0].reason == "needs the feature messaging, which this app does not have"


@pytest.mark.parametrize("rank", [0, PORTAL, PROVIDER, USER, 50])
def test_no_rank_gets_around_a_licence(rank: int) -> None:
    """Whatever priority a provider writes, the licence decides."""
    assert gate(Features())("conferencingEnabled", override("1", rank)) is not None


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("linkupMessagingEnabled", ["linkup_messaging"]),
        ("genericSmsFetchUrl", ["messaging"]),
        ("videoCodecOrder3G", ["video"]),
        ("pushTokenReporterUrl", ["push"]),
        ("host", ["open_white_label", "unlimited_subdomains"]),
        ("sdesOutgoing", []),
        ("X-install-id", []),
    ],
)
def test_the_table_says_what_a_key_needs(key: str, names: list[str]) -> None:
    """Features gate keys by name or by how a name begins; encryption and parameters of one's own are free."""
    assert [feature.name for feature in gating(key)] == names


def test_every_gated_key_is_a_known_key() -> None:
    """No feature covers a key that does not exist, and no prefix covers nothing."""
    for feature in FEATURES:
        assert all(KEYS.find(key) for key in feature.keys)
        assert all(any(name.startswith(prefix) for name in KEYS.by_name) for prefix in feature.prefixes)


@pytest.mark.parametrize(
    ("table", "host", "said"),
    [
        (
            {},
            "sip.example.com",
            "needs the feature open_white_label or unlimited_subdomains, which this app does not have",
        ),
        ({"open_white_label": True}, "sip.anywhere.example", None),
        ({"unlimited_subdomains": "example.com"}, "sip.example.com:5080", None),
        ({"unlimited_subdomains": "*.Example.COM."}, "SIP.example.com.", None),
        ({"unlimited_subdomains": "example.com"}, "example.com", None),
        (
            {"unlimited_subdomains": "example.com"},
            "evilexample.com",
            "must lie under example.com, the domain that this app is licensed for",
        ),
        (
            {"unlimited_subdomains": "example.com"},
            "evil.example#.example.com",
            "must lie under example.com, the domain that this app is licensed for",
        ),
        ({"unlimited_subdomains": "example.com", "open_white_label": True}, "sip.anywhere.example", None),
    ],
)
def test_a_host_needs_a_licence_for_its_domain(table: dict[str, object], host: str, said: str | None) -> None:
    """An open white label may use any host, unlimited subdomains only those under one domain."""
    admit = gate(Features.parse(table))

    assert admit("host", override(host)) == said


def test_features_are_read_from_a_table() -> None:
    """True and its like switch a feature on, false leaves it off, and a domain stands where one is needed."""
    table: dict[str, object] = {"messaging": True, "video": "yes", "push": False, "unlimited_subdomains": "example.com"}

    features = Features.parse(table)

    assert features == Features(frozenset({"messaging", "video", "unlimited_subdomains"}), "example.com")


def test_every_fault_of_a_table_is_told_at_once() -> None:
    """Whoever wrote the table reads all that is wrong with it, and where."""
    with pytest.raises(Invalid) as caught:
        Features.parse({"mesaging": True, "sms": True, "video": 2, "unlimited_subdomains": True})

    assert [str(fault) for fault in caught.value.faults] == [
        "mesaging: is not a feature; did you mean messaging?",
        f"sms: is not a feature; there are {', '.join(feature.name for feature in FEATURES)}",
        'video: is either true or false, not "2"',
        'unlimited_subdomains: needs the domain under which hosts may lie, like example.com, not "true"',
    ]


def test_a_phone_takes_what_it_understands() -> None:
    """A feature from a newer portal does not stop a sign-in: it counts as off and is remarked upon."""
    features, remarks = Features.received({"video": "1", "unlimited_subdomains": "0", "teleport": "1"})

    assert features == Features(frozenset({"video"}))
    assert [type(remark) for remark in remarks] == [Diagnostic]
    assert remarks[0].place == "features.teleport"


def test_features_survive_the_way_to_the_phone() -> None:
    """What the portal writes, the phone reads as the same."""
    features = Features.parse({"unlimited_subdomains": "example.com", "messaging": True})

    assert features.table() == {"messaging": "1", "unlimited_subdomains": "example.com"}
    assert Features.received(features.table()) == (features, ())
