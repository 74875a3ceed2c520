"""Account templates as in the vendor's sample: `{column}` stands for the user's value, filled in once and escaped."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from offhook.core import accountxml, lint, xml
from offhook.core.diagnostics import Diagnostic
from offhook.core.errors import Fault, Invalid
from offhook.core.keys import near
from offhook.core.mergeable import PROVIDER, Value
from offhook.core.secret import Discreet
from offhook.core.webservice import LOGOUT_STATUS_FAULT, LOGOUT_STATUS_KEY

SOURCE: Final = "template"
# Always there, whatever columns the users have; each beats a column of its name, as in the vendor's sample.
BUILT_IN: Final = ("cloud_username", "cloud_password", "cloud_id")
MAX_BYTES: Final = 256 * 1024
# A name as users' values have them; a JSON document is none.
_PLACEHOLDER: Final = re.compile(r"\{(\w[^{}\"%:;\x00-\x1f]{0,127})\}")


class Entry(Discreet, frozen=True):
    """One key of a template."""

    value: Value
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.value}, {len(self.columns)} placeholders"

    def fill(self, values: Mapping[str, str]) -> Value:
        """The value for one user; what is filled in is never looked at again, and unknown placeholders stay."""
        if not self.columns:
            return self.value
        write = xml.attribute if self.value.markup else str

        def filled(found: re.Match[str]) -> str:
            known = values.get(found[1])
            return found[0] if known is None else write(known)

        own = self.value
        return Value(_PLACEHOLDER.sub(filled, own.content), own.rank, own.source, own.markup, own.attributes)


class Template(msgspec.Struct, frozen=True):
    """A template taken apart: its keys in their order, and what was tolerated."""

    entries: dict[str, Entry]
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """All that it asks for."""
        return frozenset(column for entry in self.entries.values() for column in entry.columns)

    def only(self, keys: Collection[str]) -> Template:
        """The same without any other key."""
        return Template({key: entry for key, entry in self.entries.items() if key in keys})

    def fill(self, values: Mapping[str, str]) -> dict[str, Value]:
        """The keys for one user."""
        return {key: entry.fill(values) for key, entry in self.entries.items()}

    def unfilled(self, values: Mapping[str, str]) -> tuple[Diagnostic, ...]:
        """What stays as it is for one user, for there is no such value."""
        return tuple(
            Diagnostic(key, f"{{{column}}} is not known for this user and stays as it is")
            for key, entry in self.entries.items()
            for column in entry.columns
            if column not in values
        )


@lru_cache(maxsize=256)
def parse(text: str) -> Template:
    """Take a template apart; an empty one has no keys. Raises Invalid."""
    if not text.strip():
        return Template({})
    reading = accountxml.loads(text, PROVIDER, SOURCE)
    entries = {key: _entry(value) for key, value in reading.values.items()}
    remarks = [*reading.diagnostics]
    if reading.account_id is not None:
        remarks.append(Diagnostic("account", "its id is left out: the app makes it up"))
    return Template(entries, tuple(remarks))


def filled(value: Value, values: Mapping[str, str]) -> Value:
    """A value that is written as those of a template are, for one user."""
    return Entry(value, columns(value.content)).fill(values)


def columns(text: str) -> tuple[str, ...]:
    """What a text asks for, each once."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))


def _entry(value: Value) -> Entry:
    labels = () if value.source == SOURCE else (("source", value.source),)
    attributes = (*value.attributes, *labels)
    return Entry(Value(value.content, value.rank, SOURCE, value.markup, attributes), columns(value.content))


def validate(text: str, columns: Collection[str] = ()) -> tuple[Diagnostic, ...]:
    """Look at a template before it is stored: what was tolerated, and placeholders that none of the columns stands for.

    Without `columns`, nothing is said of placeholders. Raises Invalid with every fault.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise Invalid.at("template", f"has {size:,} bytes; at most {MAX_BYTES:,} are allowed")
    template = parse(text)
    Invalid.unless_empty(_faults(template))
    return (*template.diagnostics, *_strangers(template, columns), *_oddities(template))


def _oddities(template: Template) -> Iterator[Diagnostic]:
    """What the linter has against a template: values of the wrong kind, misspelt keys. Placeholders may be anything."""
    for finding in lint.lint({key: entry.value for key, entry in template.entries.items()}):
        if finding.severity != "note":
            yield Diagnostic(finding.key, f"{finding.what}. {finding.how}".strip())


def _faults(template: Template) -> Iterator[Fault]:
    if LOGOUT_STATUS_KEY in template.entries:
        yield Fault(LOGOUT_STATUS_KEY, LOGOUT_STATUS_FAULT)
    for key, entry in template.entries.items():
        for name, written in entry.value.attributes:
            if _PLACEHOLDER.search(written):
                yield Fault(key, f"has a placeholder in its attribute {name}, where none is filled in")


def _strangers(template: Template, columns: Collection[str]) -> Iterator[Diagnostic]:
    if not columns:
        return
    known = {*columns, *BUILT_IN}
    for key, entry in template.entries.items():
        for column in entry.columns:
            if column not in known:
                meant = near(column, known)
                hint = f"; did you mean {{{meant[0]}}}?" if meant else ""
                yield Diagnostic(key, f"{{{column}}} is none of the columns and stays as it is{hint}")
