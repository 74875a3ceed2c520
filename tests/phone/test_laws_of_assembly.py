"""A law of putting together: a sign-in and re-provisioning make the same of the same documents (D5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from offhook.core import accountxml, mergeable
from offhook.core.base import Base
from offhook.core.dialplan import GlobalPart
from offhook.core.mergeable import Document, Value
from offhook.phone import news
from offhook.phone.assembly import Received, assemble
from offhook.phone.news import News
from offhook.phone.saved import Saved, Validator
from tests.core.law import law
from tests.phone.play import ANN, NOW

KEYS: Final = ("codecOrder", "allowMessage", "host")
# One rank for each key, the same in all documents: what gave way to a higher rank stays when that rank is no more.
RANKS: Final = st.fixed_dictionaries({key: st.sampled_from([10, 20, 40, 50]) for key in KEYS})
TEXTS: Final = st.dictionaries(st.sampled_from(KEYS), st.sampled_from("xyz"))
FULL: Final = st.fixed_dictionaries({key: st.sampled_from("xyz") for key in KEYS})
FEATURES: Final = st.sampled_from([{}, {"messaging": "1", "open_white_label": "1"}])
WHOLE: Final = {key: Value("1", 10, "portal") for key in ("title", "username")}


def values(texts: Mapping[str, str], ranks: Mapping[str, int], source: str) -> dict[str, Value]:
    return {key: Value(text, ranks[key], source) for key, text in texts.items()}


def base_of(texts: Mapping[str, str], ranks: Mapping[str, int], features: dict[str, str]) -> Base:
    common = GlobalPart(preferences=values(texts, ranks, "portal"))
    return Base("DEMO", 1, {**WHOLE, **values({"host": "h", **texts}, ranks, "portal")}, {}, features, common=common)


def provided(texts: Mapping[str, str], ranks: Mapping[str, int]) -> tuple[GlobalPart, accountxml.Reading]:
    own = values(texts, ranks, "provider")
    return GlobalPart(preferences=own), accountxml.Reading(own)


def saved_of(base: Base, texts: Mapping[str, str], ranks: Mapping[str, int], earlier: Saved | None) -> Saved:
    made = assemble(Received(base, b"", *provided(texts, ranks)), earlier)
    return Saved(
        ANN.cloud_id, "ann", "p", "k", NOW, account=made.account, preferences=made.preferences, features=base.features
    )


def edited(saved: Saved, texts: Mapping[str, str]) -> Saved:
    own = {key: Value(text, mergeable.USER, "user") for key, text in texts.items()}
    return msgspec.structs.replace(
        saved, account=mergeable.merge(saved.account, own), preferences=mergeable.merge(saved.preferences, own)
    )


def shown(document: Document) -> dict[str, tuple[str, int, str]]:
    return {key: (value.content, value.rank, value.source) for key, value in document.values().items()}


DOCUMENTS: Final = st.tuples(FULL, FULL)


@law
@given(RANKS, DOCUMENTS, TEXTS, DOCUMENTS, FEATURES)
def test_a_sign_in_and_re_provisioning_come_to_the_same(
    ranks: dict[str, int],
    first: tuple[dict[str, str], dict[str, str]],
    changes: dict[str, str],
    second: tuple[dict[str, str], dict[str, str]],
    features: dict[str, str],
) -> None:
    """Whatever the ranks, whoever comes first: base, then the user, then the provider decides between equals."""
    before = edited(saved_of(base_of(first[0], ranks, features), first[1], ranks, None), changes)
    app = base_of(second[0], ranks, features)
    common, own = provided(second[1], ranks)

    anew = saved_of(app, second[1], ranks, before)

    for parts in (({"app": app, "common": common, "own": own},), ({"app": app}, {"common": common, "own": own})):
        after = before
        for part in parts:
            after = news.apply(after, News(validators={"base": Validator()}, **part), "en").saved
        assert shown(after.account) == shown(anew.account)
        assert shown(after.preferences) == shown(anew.preferences)


def test_a_base_that_comes_alone_does_not_undo_what_lies_over_it() -> None:
    """A portal's value of the rank of another source counts beneath it, also when it comes last."""
    ranks = dict.fromkeys(KEYS, 40)
    before = saved_of(base_of({}, ranks, {}), {"codecOrder": "x"}, ranks, None)
    changed = edited(before, {"allowMessage": "y"})
    texts = {"codecOrder": "z", "allowMessage": "z"}

    after = news.apply(changed, News(base_of(texts, ranks, {}), validators={"base": Validator()}), "en").saved

    assert after.account.text("codecOrder") == after.preferences.text("codecOrder") == "x"
    assert after.preferences.text("allowMessage") == "y"


def test_a_service_does_not_speak_as_the_user() -> None:
    """The user's rank alone does not make a value the user's: it does not outlive the service that gave it."""
    ranks = dict.fromkeys(KEYS, 40)
    before = saved_of(base_of({}, ranks, {}), {"codecOrder": "x"}, ranks, None)

    after = saved_of(base_of({}, ranks, {}), {}, ranks, before)

    assert after.account.get("codecOrder") is None
    assert after.preferences.get("codecOrder") is None
