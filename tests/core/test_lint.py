"""The linter: a folder of documents with what is said of them, and laws that hold for all."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core import accountxml
from offhook.core.catalogue import KEYS
from offhook.core.features import Features
from offhook.core.keys import is_secret
from offhook.core.lint import SEVERITIES, lint
from offhook.core.mergeable import PROVIDER, USER, Value

GOLDEN = sorted((Path(__file__).parent.parent / "golden" / "lint").glob("*.txt"))
DASHES = "-" * 40 + "\n"


def features_of(line: str) -> Features:
    items = (item.strip().partition("=") for item in line.split(",") if item.strip())
    return Features.parse({name: domain or True for name, _, domain in items})


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: str(path.stem))
def test_documents_and_what_is_said_of_them(path: Path) -> None:
    """Each file holds a document, dashes and the findings; a first line may name the features of the app."""
    document, _, expected = path.read_text(encoding="utf-8").partition(DASHES)
    heading, _, rest = document.partition("\n")
    features = features_of(heading.removeprefix("features:")) if heading.startswith("features:") else None
    reading = accountxml.loads(rest if features is not None else document, PROVIDER, "provider")

    findings = lint(reading.values, features=features, account_id=reading.account_id)

    assert "".join(f"{finding}\n" for finding in findings) == expected


def test_the_example_of_the_documents_is_sound() -> None:
    """The answer to a sign-in that everybody starts from passes without a remark."""
    answer = (
        "<account><username>B63349F4EE</username><password>45F4BF5F0E191F5DCC27</password>"
        "<allowMessage>0</allowMessage><X-install-id>AD4535EF902BB13</X-install-id></account>"
    )

    assert lint(accountxml.loads(answer, PROVIDER, "provider").values) == ()


def test_what_the_user_chose_is_the_users() -> None:
    """A stored account, in which the user's own values rank as such, is not blamed for it."""
    assert lint({"icm": Value("push", USER, "user")}) == ()


def test_a_document_full_of_strangers_is_read_in_time() -> None:
    """Near names are looked for a hundred times at most, so that nobody can keep the linter busy."""
    strangers = {f"usernam{number}": Value("", PROVIDER, "provider") for number in range(2000)}

    findings = lint(strangers)

    assert len(findings) == 2000
    assert [finding.severity for finding in findings].count("warning") == 100


KNOWN = sorted(KEYS.by_name)
TEXTS = st.text() | st.sampled_from(["%username%", "%account[password]%", "http://x/?%password%", "0", "true", "{x}"])


@given(st.dictionaries(st.sampled_from(KNOWN), TEXTS), st.sampled_from([None, Features()]))
def test_any_texts_can_be_looked_at(texts: dict[str, str], features: Features | None) -> None:
    """Whatever the values, the answer is a list with the worst first, and each finding says what and how."""
    findings = lint({key: Value(text, PROVIDER, "provider") for key, text in texts.items()}, features=features)

    assert [SEVERITIES.index(finding.severity) for finding in findings] == sorted(
        SEVERITIES.index(finding.severity) for finding in findings
    )
    assert all(finding.what and finding.how.endswith((".", "?")) for finding in findings)


@given(st.sampled_from([key for key in [*KNOWN, "X-token", "apiPass"] if is_secret(key)]), st.text("ÄÖÜ", min_size=4))
def test_no_finding_gives_a_secret_away(key: str, secret: str) -> None:
    """The value of a secret key is in no finding, whatever is wrong with it."""
    findings = lint({key: Value(f" {secret}\n", 50, "provider")})

    assert findings
    assert all(secret not in str(finding) for finding in findings)
