"""Base and global part beside their laws: defaults, what is passed over, what must not be stored."""

import pytest

from offhook.core import base, dialplan
from offhook.core.base import Base, Reprovisioning
from offhook.core.dialplan import GlobalPart, QuickDial, QuickDials, Removal
from offhook.core.errors import Invalid
from offhook.core.mergeable import PORTAL, PROVIDER, Value, settle


def test_an_empty_base_has_defaults() -> None:
    """Reprovisioning is on, at least daily, with a button (D9)."""
    read = base.loads("<provisioning/>")

    assert read == Base("", 0, {}, {}, {}, Reprovisioning(enabled=True, interval_s=86_400, button=True))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('enabled="0" interval="3600" button="0"', Reprovisioning(enabled=False, interval_s=3600, button=False)),
        ('enabled="1" interval="0" button="1"', Reprovisioning(interval_s=0)),
        ('enabled="yes" interval="-5"', Reprovisioning()),
        ('interval="²"', Reprovisioning()),
        ('interval="9999999999"', Reprovisioning()),
    ],
)
def test_reprovisioning(written: str, read: Reprovisioning) -> None:
    """Only 0 switches off, and an interval that is no whole number is the default."""
    assert base.loads(f"<provisioning><reprovisioning {written}/></provisioning>").reprovisioning == read


def test_a_base_is_read_by_its_nodes() -> None:
    """Account, services, features and the global part; what nobody knows is passed over, for a newer portal."""
    read = base.loads(
        """<provisioning cloudId="ACME" version="7">
          <account><title>ACME</title><n:x xmlns:n="n"/></account>
          <initialProvisioningUrl>https://prov.example.net/</initialProvisioningUrl>
          <extProvUrl>https://elsewhere.example/</extProvUrl>
          <features><push>1</push><n:x xmlns:n="n"/></features>
          <quickDial><item id="help" priority="5"><uri>100</uri></item></quickDial>
          <tomorrow/>
        </provisioning>"""
    )

    assert [read.cloud_id, read.version, read.features] == ["ACME", 7, {"push": "1"}]
    assert read.services == {"initialProvisioningUrl": "https://prov.example.net/"}
    assert read.account == {"title": Value("ACME", PORTAL, "portal")}
    assert read.common.quick_dials.items == (QuickDial("help", uri="100", rank=5, source="portal"),)
    assert [remark.place for remark in read.diagnostics] == ["{n}x"]


def test_a_base_has_its_root() -> None:
    """Another document is refused, even when an account is in it."""
    with pytest.raises(Invalid, match="base configuration: has another root than <provisioning>"):
        base.loads("<account/>")


def test_a_base_may_carry_secrets() -> None:
    """So its representation is its name."""
    assert repr(Base("ACME", 7, {}, {"InitialProvisioningAuthPassword": "hunter2"}, {})) == "Base(ACME, version 7)"


@pytest.mark.parametrize(
    "key", ["InitialProvisioningUrl", "initialProvisioningUrl", "wsContactsRefresh", "DialActionWsUrl"]
)
def test_services_of_the_portal(key: str) -> None:
    """These stand beside the account, with a first letter of either case."""
    assert base.is_service_key(key)


@pytest.mark.parametrize("key", ["extProvUrl", "InitialProvisioning", "initialprovisioningUrl", "Url", ""])
def test_other_keys(key: str) -> None:
    """These do not."""
    assert not base.is_service_key(key)


def test_what_a_base_cannot_carry_is_named() -> None:
    """All faults together, by place."""
    faulty = Base(
        "AC\x01ME",
        1,
        {"a": Value("\x01", PORTAL, "portal")},
        {"extProvUrl": "", "wsContactsUrl": "\x01"},
        {"a b": "1", "push": "\x01"},
        common=GlobalPart(preferences={"p": Value("\x01", PORTAL, "portal")}),
    )

    places = [fault.place for fault in base.faults(faulty)]

    assert places == ["extProvUrl", "a b", "cloud id", "wsContactsUrl", "push", "a", "p"]
    assert base.faults(Base("ACME", 1, {}, {}, {})) == []


def test_what_a_global_part_cannot_carry_is_named() -> None:
    """Items without an id, and characters that XML cannot carry."""
    faulty = GlobalPart(
        QuickDials((QuickDial("lab", "\x01", "\x02"), QuickDial("")), (Removal("\x01", PROVIDER, "provider"),)),
        {"": {}, "fax": {"title": Value("\x01", PROVIDER, "provider")}},
        {"volume": Value("\x01", PROVIDER, "provider")},
    )

    places = [fault.place for fault in dialplan.faults(faulty)]

    assert places == [
        "volume",
        "dial action ",
        "title",
        "quick dial \x01",
        "quick dial lab",
        "quick dial lab",
        "quick dial ",
    ]
    assert dialplan.faults(GlobalPart()) == []


def test_refusals_of_dial_actions_are_listed() -> None:
    """Each with its action and key."""
    mine = {"callback": settle({"title": Value("Mine", 40, "user"), "icon": Value("phone", 20, "provider")})}

    merged = dialplan.merge_dial_actions(mine, {"callback": {"title": Value("Theirs", 20, "provider")}})

    assert [(action, key, refusal.value.content) for action, key, refusal in dialplan.refusals(merged)] == [
        ("callback", "title", "Theirs")
    ]
