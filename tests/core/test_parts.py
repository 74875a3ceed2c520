"""Base and global part beside their laws: defaults, what is passed over, what must not be stored."""

import pytest

from offhook.core import accountxml, base, dialplan, mergeable, xml
from offhook.core.base import Base, Reprovisioning
from offhook.core.dialplan import GlobalPart, QuickDial, QuickDials, Removal
from offhook.core.errors import Invalid
from offhook.core.lint import lint
from offhook.core.mergeable import PORTAL, PROVIDER, Value, settle
from offhook.core.numbers import whole


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
    """Account, services, features and the global part; what a newer portal says is told and passed over."""
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
    assert [remark.place for remark in read.diagnostics] == ["extProvUrl", "tomorrow", "{n}x"]


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


def test_what_is_tolerated_in_a_base_is_told() -> None:
    """Services, accounts and switches that are not quite as they should be: what counts, and what was left out."""
    read = base.loads(
        """<provisioning>
          <account><title>One</title></account><account><title>Two</title></account>
          <InitialProvisioningUrl>https://one.example/</InitialProvisioningUrl>
          <initialProvisioningUrl>https://two.example/</initialProvisioningUrl>
          <reprovisioning enabled="false" interval="daily" button="0"/>
        </provisioning>"""
    )

    assert [str(remark) for remark in read.diagnostics] == [
        "initialProvisioningUrl: stands more than once; the last one counts",
        "account: stands more than once; the first one counts",
        "reprovisioning: its interval is no number of seconds; 86400 counts instead",
        'reprovisioning: enabled is "false", which is neither 1 (on) nor 0 (off); 1 counts instead',
    ]
    assert read.services == {"initialProvisioningUrl": "https://two.example/"}
    assert (read.reprovisioning.enabled, read.reprovisioning.button) == (True, False)


@pytest.mark.parametrize(
    ("written", "digits", "number"),
    [
        ("0", 9, 0),
        (" -999999999\n", 9, -999_999_999),
        ("999999999", 9, 999_999_999),
        ("1000000000", 9, None),
        ("-1000000000", 9, None),
        ("1000000000", 18, 1_000_000_000),
        ("9" * 5000, 9, None),
        ("٣", 9, None),
        ("--1", 9, None),
        ("", 9, None),
        (None, 9, None),
    ],
)
def test_whole_numbers_are_read_in_one_way(written: str | None, digits: int, number: int | None) -> None:
    """Digits that everybody can read, and not more of them than the place bears."""
    assert whole(written, digits) == number


def test_a_sub_tree_that_grows_by_escaping_has_the_limit_too() -> None:
    """What was read can be read again, to the last byte; what could not is refused at the door."""
    most = (xml.MAX_BYTES - 100) // len("&gt;")
    document = "<account><key><a>{}</a></key></account>".format
    value = accountxml.loads(document(">" * most), 20, "provider").values["key"]

    assert len(value.children()[0].text or "") == most
    with pytest.raises(Invalid, match="key: is larger than 1,048,576 bytes when everything in it is escaped"):
        accountxml.loads(document(">" * (most + 100)), 20, "provider")
    exact = mergeable.Value("<a>" + "x" * (xml.MAX_BYTES - 7) + "</a>", 20, "provider", markup=True)
    assert len(exact.children()) == 1


@pytest.mark.parametrize("digits", ["9" * 5000, "³", "٣"])
def test_numbers_of_any_length_can_be_linted(digits: str) -> None:
    """A linter is for documents that nobody has looked at yet."""
    rule = f"<rule><conditions><condition type='longerThan' param='{digits}'/></conditions></rule>"
    shorter = rule.replace("longer", "shorter")
    pairs = f"<rtpPortRangeStart>{digits}</rtpPortRangeStart><rtpPortRangeEnd>1</rtpPortRangeEnd>"
    document = (
        f"<account><extProvInterval>{digits}</extProvInterval>{pairs}<rewriting>{rule}{shorter}</rewriting></account>"
    )

    found = lint(accountxml.loads(document, 20, "provider").values)

    assert any(finding.key == "extProvInterval" and "whole number" in finding.what for finding in found)


def test_the_linter_knows_the_passwords_that_the_phone_masks() -> None:
    """A password by any name is told on its way over http."""
    document = "<account><extProvUrl>http://p.example/?a=%account[sip_Password]%</extProvUrl></account>"

    found = lint(accountxml.loads(document, 20, "provider").values)

    assert any("sends %account[sip_Password]% to an http address" in finding.what for finding in found)
