"""Forms that are written in odd ways; what is ordinary about parameters is shown with the provider's face."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.core.errors import Invalid
from offhook.core.webservice import FORM
from offhook.web import parameters
from offhook.web.http import Call


def read(form: str) -> dict[str, str]:
    return parameters.read(Call("POST", "/prov", "", {"content-type": FORM}, form.encode(), "192.0.2.1"))


@given(st.lists(st.sampled_from(["a", "b", "=", "&", "+", "%20", "%C3%A9", "ü"]), max_size=12).map("".join))
def test_a_form_is_read_as_everybody_reads_it(form: str) -> None:
    """However a form is written, its fields are those that the standard library finds."""
    pairs = parse_qsl(form, keep_blank_values=True, errors="strict")
    if len(dict(pairs)) < len(pairs):
        with pytest.raises(Invalid, match="more than once"):
            read(form)
    else:
        assert read(form) == dict(pairs)


@pytest.mark.parametrize("form", ["a=%FF", "%FF=a", "a=%C3"])
def test_escaped_bytes_that_are_no_text_are_refused(form: str) -> None:
    """A form whose escapes are not UTF-8 cannot be read, and the error repeats nothing of it."""
    with pytest.raises(Invalid, match="its body: cannot be read"):
        read(form)


def test_a_form_has_no_endless_fields() -> None:
    """More fields than anybody needs are refused, however many there are."""
    for count in (parameters.MAX_PARAMETERS + 1, parameters.MAX_PARAMETERS * 5):
        with pytest.raises(Invalid, match="more than 200 parameters"):
            read("&".join(f"n{number}=1" for number in range(count)))
