"""The global answer: the common part with one user's quick dials over it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core import dialplan
from offhook.core.dialplan import GlobalPart, QuickDial, QuickDials, Removal
from offhook.core.errors import Invalid
from offhook.core.mergeable import PROVIDER
from offhook.provider import globalpart

IDS = st.sampled_from(["desk", "lab", "bar"])
ITEMS = st.lists(
    st.builds(QuickDial, IDS, uri=st.just("9"), rank=st.sampled_from([20, 50])), unique_by=lambda one: one.id
)
REMOVALS = st.lists(st.builds(Removal, IDS, st.just(20), st.just("provider")), unique_by=lambda one: one.id)
DIALS = st.builds(QuickDials, ITEMS.map(tuple), REMOVALS.map(tuple), st.none() | st.just(21))


@given(common=DIALS, own=DIALS, known=ITEMS)
def test_one_answer_does_what_two_would(common: QuickDials, own: QuickDials, known: list[QuickDial]) -> None:
    """A phone that gets both parts in one answer ends up as one that got the common part and then the user's own."""
    together = globalpart.for_user(GlobalPart(quick_dials=common), own).part.quick_dials
    without_clearing = QuickDials(own.items, own.removals)

    at_once = dialplan.merge_quick_dials(known, together).items
    below = common.replace_below if own.replace_below is None else own.replace_below
    first = dialplan.merge_quick_dials(known, QuickDials(common.items, common.removals, below)).items
    one_by_one = dialplan.merge_quick_dials(first, without_clearing).items

    assert {item.id: item for item in at_once} == {item.id: item for item in one_by_one}


def test_nothing_common_and_nothing_own_is_an_empty_answer() -> None:
    """A user without quick dials gets a document all the same."""
    answer = globalpart.for_user(globalpart.parse(""), QuickDials())

    assert dialplan.loads(answer.dumps(), PROVIDER, "test") == GlobalPart()


def test_a_common_part_is_looked_at_before_it_is_kept() -> None:
    """What does not belong there is named (D23), and what is no XML is refused."""
    remarks = globalpart.validate("<x><tabs/><quickDial><item/></quickDial></x>")

    assert [remark.place for remark in remarks] == ["tabs", "quickDial"]
    with pytest.raises(Invalid, match="not well-formed"):
        globalpart.validate("<x>")
