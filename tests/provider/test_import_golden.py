"""Imports of the vendor sample's files, played: files, what is done with them, a line of dashes, what came of it.

A new case is a new file under tests/golden/import; nothing else is needed. A heading begins with `==`: a file's name
gives its content (behind `escaped`, with escapes as Python writes them), the others are done one after another.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec
import pytest

from offhook.core.errors import Invalid
from offhook.provider import settling
from offhook.provider.imports import Manner
from offhook.provider.planning import Plan
from offhook.provider.subscriber import Subscriber
from offhook.provider.tenant import Credential
from tests.world_directory import importer_of
from tests.world_provider import Provider

GOLDEN: Final = Path(__file__).parents[1] / "golden" / "import"
_DASHES: Final = "-" * 40
_HEADING: Final = re.compile(r"^== (.+)\n", re.MULTILINE)
_MADE: Final = re.compile(r"(?<=>)[A-Za-z0-9_-]{32,}(?=<)")


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with closing(Provider(tmp_path)) as provider:
        yield provider


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.txt")), ids=lambda path: str(path.stem))
def test_imports(path: Path, provider: Provider) -> None:
    """Each file says what it shows, and importing does what it says."""
    above, expected = path.read_text(encoding="utf-8").split(f"{_DASHES}\n")

    played = "\n".join(_Playing(provider).play(above))

    assert played == expected.rstrip("\n")


class _Playing:
    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.files: dict[str, bytes] = {}

    def play(self, text: str) -> Iterator[str]:
        sentence, *pieces = _HEADING.split(text)
        assert sentence.endswith(".\n\n")
        for heading, content in zip(pieces[::2], pieces[1::2], strict=True):
            name, *words = heading.split()
            match name:
                case "import":
                    yield from self.imports(*words)
                case "users":
                    for user in self.provider.subscribers.all_of(words[0]):
                        yield from self.described(user)
                case "sign-in":
                    for line in content.strip().splitlines():
                        yield from self.signs_in(words[0], *line.split(" ", 1))
                case _:
                    self.files[name] = _unescaped(content) if "escaped" in words else content.encode()

    def imports(self, cloud_id: str, *words: str) -> Iterator[str]:
        importer = importer_of(self.provider)
        template = self.files["template.xml"].decode() if "template.xml" in self.files else None
        credential = next((Credential(word) for word in words if word in set(Credential)), None)
        manner = Manner(replace_passwords="replace-passwords" in words)
        try:
            plan = importer.plan_vendor(io.BytesIO(self.files["users.csv"]), cloud_id, template, credential, manner)
        except Invalid as error:
            yield from ("refused", *(f"  {fault}" for fault in error.faults))
            return
        with closing(plan):
            importer.carry_out(plan)
        yield from self.report(plan)

    def report(self, plan: Plan) -> Iterator[str]:
        counts = msgspec.structs.asdict(plan.counts)
        counted = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
        yield f"{plan.tenant.cloud_id} is {plan.tenant_is}: {counted}"
        for remark in plan.remarks:
            yield f"  {remark}"

    def described(self, user: Subscriber) -> Iterable[str]:
        secrets = {name: text.reveal() for name, text in settling.open_secrets(user, self.provider.sealer).items()}
        yield f"{user.name} ({type(user.password).__name__ if user.password.text else 'nobody can sign in'})"
        for name, text in (*user.attributes.items(), *((f"secret {name}", text) for name, text in secrets.items())):
            yield f"  {name}: {text!r}"

    def signs_in(self, cloud_id: str, username: str, password: str) -> Iterator[str]:
        answer = self.provider.signs_in(username, password, cloud_id=cloud_id)
        yield f"{username}: {answer.status}"
        yield from (f"  {line}" for line in _MADE.sub("(made)", answer.body.decode()).splitlines())


def _unescaped(text: str) -> bytes:
    return text.removesuffix("\n").encode("latin-1").decode("unicode_escape").encode("latin-1")
