"""Settings of a Cloud ID are looked at before they are stored."""

from __future__ import annotations

import pytest

from offhook.core.errors import Invalid
from offhook.provider import tenancy
from offhook.provider.tenant import Names, Tenant


def test_everything_wrong_is_said_at_once() -> None:
    """Names, status, template and common part are all looked at."""
    tenant = Tenant(
        "SHOP",
        template="<account><a></account>",
        common="<x",
        names=Names(username="a b", password="login", device="login"),
        logout_status=403,
    )

    with pytest.raises(Invalid) as caught:
        tenancy.check(tenant)

    assert [fault.place.partition(",")[0] for fault in caught.value.faults] == [
        "name of username",
        "names",
        "logout status",
        "template",
        "global provisioning",
    ]


@pytest.mark.parametrize("status", [200, 304, 399, 400, 403, 404, 429, 500, 503])
def test_a_logout_status_means_nothing_else(status: int) -> None:
    """What a phone meets when something is merely wrong must not log it out."""
    with pytest.raises(Invalid, match="logout status"):
        tenancy.check(Tenant("SHOP", logout_status=status))


def test_what_is_odd_is_tolerated() -> None:
    """Unknown placeholders and strange children are remarked upon, with their place."""
    tenant = Tenant("SHOP", template="<account><title>{naem}</title></account>", common="<g><odd/></g>")

    remarks = [str(remark) for remark in tenancy.check(tenant, ["name"])]

    assert remarks == [
        "template, title: {naem} is none of the columns and stays as it is; did you mean {name}?",
        "odd: does not belong into the global part and was kept out",
    ]


def test_usual_settings_are_fine() -> None:
    """A new Cloud ID needs nothing."""
    assert tenancy.check(Tenant("SHOP")) == ()


def test_values_of_the_wrong_kind_are_remarked_upon() -> None:
    """They go to every phone, which takes them for the default: said before that, unless a placeholder stands there."""
    template = "<account><codecOrder>abc</codecOrder><expires>{expires}</expires><hots>x</hots></account>"

    remarks = [str(remark) for remark in tenancy.check(Tenant("SHOP", template=template), ["expires"])]

    assert [remark.partition(". ")[0] for remark in remarks] == [
        'template, codecOrder: "abc" is not a whole number',
        "template, hots: is not a known key",
    ]
