"""Attacks: documents, templates and packages made to read files, to exhaust, or to get out of their place."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from offhook.core import accountxml, base, dialplan, theme, webservice, xml
from offhook.core.errors import Invalid
from offhook.core.mergeable import PROVIDER
from offhook.core.placeholders import MAX_TEMPLATE, Scope, Target, expand
from offhook.core.theme import Manifest, Theme

# Each attack takes milliseconds; this leaves room for a slow machine, and none for anything quadratic.
PATIENCE_S: Final = 3


@contextmanager
def in_good_time() -> Iterator[None]:
    """What happens inside must end soon, by the time that it computes: others may use the machine meanwhile."""
    began = os.times().user
    yield
    assert os.times().user - began < PATIENCE_S


def account(content: str) -> str:
    return f"<account>{content}</account>"


def marks(count: int, name: str = "a") -> str:
    """That many attributes."""
    return " ".join(f'{name}{n}="1"' for n in range(count))


def read(document: bytes | str) -> accountxml.Reading:
    with in_good_time():
        return accountxml.loads(document, PROVIDER, "provider")


LAUGHS: Final = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(12))
REFUSED: Final = {
    "billion laughs": f'<!DOCTYPE a [<!ENTITY a0 "ha">{LAUGHS}]>' + account("<t>&a12;</t>"),
    "billion laughs in an attribute": f'<!DOCTYPE a [<!ENTITY a0 "ha">{LAUGHS}]>' + account('<t a="&a12;"/>'),
    "billion laughs, not used": f'<!DOCTYPE a [<!ENTITY a0 "ha">{LAUGHS}]>' + account("<t/>"),
    "quadratic blow-up": f'<!DOCTYPE a [<!ENTITY a "{"x" * 50_000}">]>' + account(f"<t>{'&a;' * 50_000}</t>"),
    "an entity of itself": '<!DOCTYPE a [<!ENTITY a "&b;"><!ENTITY b "&a;">]>' + account("<t>&a;</t>"),
    "an entity of the network": '<!DOCTYPE a [<!ENTITY a SYSTEM "http://127.0.0.1:9/">]>' + account("<t>&a;</t>"),
    "a DTD of the network": '<!DOCTYPE account SYSTEM "http://127.0.0.1:9/account.dtd">' + account(""),
    "a public DTD": '<!DOCTYPE account PUBLIC "-//A//B" "http://127.0.0.1:9/account.dtd">' + account(""),
    "a DOCTYPE alone": "<!DOCTYPE account>" + account("<t>1</t>"),
    "an empty DOCTYPE": "<!DOCTYPE account []>" + account("<t>1</t>"),
    "an unknown entity": account("<t>&nbsp;</t>"),
    "too deep for us": account("<a>" * 32 + "</a>" * 32),
    "200,000 levels": "<a>" * 200_000,
    "140,000 closed levels": "<a>" * 140_000 + "</a>" * 140_000,
    "a control character": account("<t>&#1;</t>"),
    "a NUL": account("<t>\0</t>"),
    "a single surrogate": account("<t>\ud800</t>"),
    "a reference to a surrogate": account("<t>&#xD800;</t>"),
    "two accounts": "<a><account/><account/></a>",
    "no account": "<a><b/></a>",
    "an account in an account": "<a><account><b><account/></b></account></a>",
    "2,001 keys": account("".join(f"<k{n}/>" for n in range(2001))),
    "150,000 keys": account("<k/>" * 150_000),
    "60,000 attributes": account(f"<k {marks(60_000)}/>"),
    "60,000 attributes below": account(f"<k><b {marks(60_000)}/></k>"),
    "60,000 attributes in a namespace": account(f'<k xmlns:n="n" {marks(60_000, "n:a")}/>'),
    "an attribute twice": account('<k a="1" a="2"/>'),
    "a name of 60,000 letters that never ends": f"<{'a' * 60_000}",
    "nothing": "",
    "blanks": " \n",
    "not XML": "{}",
}


@pytest.mark.parametrize("document", REFUSED.values(), ids=REFUSED)
def test_a_hostile_document_is_refused_quickly(document: str) -> None:
    """Nothing is expanded, fetched or recursed into; there is a place and a reason."""
    with pytest.raises(Invalid) as refusal:
        read(document)

    assert all(fault.place and fault.text for fault in refusal.value.faults)


@pytest.mark.parametrize("document", [REFUSED["billion laughs"], REFUSED["a DOCTYPE alone"], REFUSED["200,000 levels"]])
def test_every_door_is_the_same(document: str) -> None:
    """Global part and base refuse what the account refuses, and an error document then has no message."""
    with pytest.raises(Invalid):
        dialplan.loads(document, PROVIDER, "provider")
    with pytest.raises(Invalid):
        base.loads(document)
    assert accountxml.read_error(document.encode()) is None


@pytest.mark.parametrize(
    "subset",
    [
        '<!ENTITY x SYSTEM "{file}">',
        '<!ENTITY % outer SYSTEM "{file}"> %outer;',
        "<!ENTITY % outer \"<!ENTITY x SYSTEM '{file}'>\"> %outer;",
    ],
    ids=["general", "parameter", "through a parameter"],
)
def test_a_file_is_never_read(tmp_path: Path, subset: str) -> None:
    """An entity that names a file is refused, and nothing of the file is in the message."""
    secret = tmp_path / "secret"
    secret.write_text('<!ENTITY x "the secret">')
    document = f"<!DOCTYPE account [{subset.format(file=secret.as_uri())}]>" + account("<title>&x;</title>")

    with pytest.raises(Invalid) as refusal:
        read(document)

    assert "the secret" not in str(refusal.value)


def test_an_include_is_not_followed(tmp_path: Path) -> None:
    """XInclude is a namespace like any other: its key is ignored with a remark."""
    (tmp_path / "secret").write_text("the secret")
    include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{tmp_path}/secret" parse="text"/>'

    reading = read(account(f"<title>{include}</title><host>sip.example.net</host>"))

    assert list(reading.values) == ["host"]
    assert [remark.place for remark in reading.diagnostics] == ["title"]


def test_a_password_is_not_quoted() -> None:
    """A server that forgets to escape a password does not find it in our message, and so in nobody's log."""
    for password in ("x<hunter2", "x&hunter2;", "<hunter2 a=hunter2>", "]]>hunter2\x01"):
        with pytest.raises(Invalid) as refusal:
            read(account(f"<password>{password}</password>"))

        assert "hunter2" not in str(refusal.value)


SLOW: Final = {
    "40,000 elements": account(f"<k>{'<a/>' * 40_000}</k>"),
    "40,000 elements at the bottom": account("<b>" * 29 + "<a/>" * 40_000 + "</b>" * 29),
    "blanks between 40,000 elements, and a letter": account(f"<k>{'<a/> ' * 40_000}x</k>"),
    "40,000 texts between 40,000 elements": account(f"<k>{'<a>x</a>y' * 40_000}</k>"),
    "a million characters to escape": account(f"<k>{'>' * 1_000_000}</k>"),
    "an attribute of a million characters": account(f'<k a="{"x" * 1_000_000}"/>'),
    "20,000 namespaces": account(f"<k {marks(20_000, 'xmlns:n')}>{'<n1:a/>' * 20_000}</k>"),
    "2,000 times the same key": account("<k/>" * 2000),
    "a priority of 900,000 digits": account(f'<k priority="{"9" * 900_000}"/>'),
    "140,000 comments": account("<!---->" * 140_000),
    "200,000 references": account(f"<k>{'&lt;' * 200_000}</k>"),
}


@pytest.mark.parametrize("document", SLOW.values(), ids=SLOW)
def test_a_large_document_is_read_in_good_time(document: str) -> None:
    """Within the limit of size, no document takes long: reading, checking and writing are linear."""
    values = read(document).values

    with in_good_time():
        assert accountxml.faults(values) == []
        written = accountxml.dumps(values)

    assert written.startswith("<account>")


def test_32_levels_are_allowed() -> None:
    """The limits are what they say: 32 levels, and not 33."""
    assert xml.parse("<a>" * 32 + "</a>" * 32).tag == "a"

    with pytest.raises(Invalid, match="deeper than 32"):
        xml.parse("<a>" * 33 + "</a>" * 33)


def test_2000_keys_are_allowed() -> None:
    """2,000 keys, and not 2,001."""
    reading = read(account("".join(f"<k{n}/>" for n in range(2000))))

    assert len(reading.values) == 2000


def test_64_attributes_are_allowed() -> None:
    """64 attributes, and not 65."""
    assert len(read(account(f"<k {marks(64)}/>")).values["k"].attributes) == 64

    with pytest.raises(Invalid, match="more than 64 attributes"):
        read(account(f"<k {marks(65)}/>"))


def test_one_mebibyte_is_allowed() -> None:
    """1 MiB, and not a byte more, counted as it travels."""
    filling = "ž" * ((xml.MAX_BYTES - len(account("<k></k>"))) // 2)
    document = account(f"<k>{filling}</k>").encode()
    document += b"\n" * (xml.MAX_BYTES - len(document))
    assert read(document).values["k"].content == filling

    for one_more in (document + b"\n", (document + b"\n").decode()):
        with pytest.raises(Invalid, match="larger than 1,048,576 bytes"):
            read(one_more)


@pytest.mark.parametrize(
    "document",
    [b"<account><k>\xff</k></account>", b"<account><k>\xc3</k></account>", b"<account><k>\xed\xa0\x80</k></account>",
     b"<account><k>\xc0\xaf</k></account>", b'<?xml version="1.0" encoding="klingon"?><account/>',
     b'<?xml version="1.0" encoding="utf-16"?><account/>', b"\xff\xfe<", b"\x1f\x8b\x08\x00"],
    ids=["a stray byte", "half a letter", "a surrogate", "too long", "an unknown encoding", "not the declared encoding",
         "half a mark", "compressed"],
)  # fmt: skip
def test_bytes_that_are_no_text_are_refused(document: bytes) -> None:
    """Nothing is guessed: bytes fit their encoding, or the document is refused."""
    with pytest.raises(Invalid):
        read(document)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_tells_the_encoding(encoding: str) -> None:
    """UTF-16 needs no declaration when it has its mark."""
    assert read(account("<k>ž</k>").encode(encoding)).values["k"].content == "ž"


def test_an_item_list_has_a_limit() -> None:
    """2,000 quick dials, and not 2,001; the same for dial actions."""
    items = "".join(f'<item id="{n}"/>' for n in range(2001))
    actions = items.replace("item", "dialAction")

    for node in (f"<quickDial>{items}</quickDial>", f"<dialActions>{actions}</dialActions>"):
        with in_good_time(), pytest.raises(Invalid, match="more than 2,000 items"):
            dialplan.loads(f"<p>{node}</p>", PROVIDER, "provider")


# --- templates -------------------------------------------------------------------------------------------------------

TEMPLATES: Final = {
    "percent signs": "%" * MAX_TEMPLATE,
    "open functions": "%sha1(" * (MAX_TEMPLATE // 6),
    "nested functions": "%md5(" * (MAX_TEMPLATE // 7) + ")%" * (MAX_TEMPLATE // 7),
    "closing brackets": ")%" * (MAX_TEMPLATE // 2),
    "texts in an open function": "%sha1(" + "a%" * (MAX_TEMPLATE // 2 - 6),
    "known names": "%a%" * (MAX_TEMPLATE // 3),
    "unknown names": "".join(f"%u{n}%" for n in range(8000)),
    "a name without an end": "%" + "a" * (MAX_TEMPLATE - 1),
    "brackets without an end": "%a[" * (MAX_TEMPLATE // 3),
    "many hosts": "://" * (MAX_TEMPLATE // 3),
    "names in a host": "http://" + "%a%" * (MAX_TEMPLATE // 3 - 3),
}


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
@pytest.mark.parametrize("target", [Target.URL, Target.RAW])
def test_a_hostile_template_is_filled_in_quickly(template: str, target: Target) -> None:
    """Each character of a template is looked at once, however brackets and names are nested."""
    with in_good_time(), suppress(Invalid):
        expand(template, Scope({"a": "x"}), target, "place")


def test_a_template_has_a_limit() -> None:
    """64 KiB, and not a character more."""
    assert expand("x" * MAX_TEMPLATE, Scope(), Target.RAW, "place").text == "x" * MAX_TEMPLATE

    with pytest.raises(Invalid, match="longer than 65,536 characters"):
        expand("x" * (MAX_TEMPLATE + 1), Scope(), Target.RAW, "place")


def test_a_filled_in_template_has_a_limit() -> None:
    """A short template and a long value do not fill the memory."""
    with in_good_time(), pytest.raises(Invalid, match="becomes longer than"):
        expand("%a%" * 20_000, Scope({"a": "x" * 1_000_000}), Target.RAW, "place")


def test_headers_have_a_limit() -> None:
    """100 headers are enough."""
    definition = webservice.Definition("extProv", "https://prov.example.net/", custom_headers="X-A: 1\n" * 101)

    with pytest.raises(Invalid, match="more than 100 lines"):
        webservice.prepare(definition, Scope())


# --- packages --------------------------------------------------------------------------------------------------------


def package(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A theme as somebody else would pack it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(theme.MANIFEST, "{}")
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


def lying(honest: bytes, size: int) -> bytes:
    """The same package, which says that its largest file has another size than it has."""
    with zipfile.ZipFile(io.BytesIO(honest)) as archive:
        true_size = max(entry.file_size for entry in archive.infolist())
    return honest.replace(struct.pack("<L", true_size), struct.pack("<L", size))


def encrypted(plain: bytes) -> bytes:
    """The same package, which says that its files need a password."""
    return plain.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")


def far_away(offset: int) -> bytes:
    """A package that says of a file that it begins there."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(theme.MANIFEST, "{}")
        archive.filelist[0].header_offset = offset
    return buffer.getvalue()


ZEROS: Final = bytes(64 * 1024 * 1024)
PACKAGES: Final[dict[str, Callable[[], bytes]]] = {
    "a bomb": lambda: package(("a.png", ZEROS)),
    "a bomb that calls itself small": lambda: lying(package(("a.png", ZEROS)), 10),
    "a bomb of another method": lambda: package(("a.png", ZEROS), method=zipfile.ZIP_BZIP2),
    "a small file of another method": lambda: package(("a.png", b"x"), method=zipfile.ZIP_LZMA),
    "201 files": lambda: package(*((f"{n}.png", b"") for n in range(201))),
    "too large as it is": lambda: bytes(theme.MAX_BYTES + 1),
    "a password": lambda: encrypted(package(("a.png", b"x"))),
    "a file behind the end": lambda: far_away(2**32),
    "a file behind the end of all files": lambda: far_away(2**64 - 1),
    "no manifest": lambda: theme.pack(Theme()).replace(b"manifest.json", b"manifest.jsom"),
    "a manifest of another kind": lambda: theme.pack(Theme()).replace(b"{}", b"[]"),
    "no zip": lambda: b"PK\x03\x04",
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("build", PACKAGES.values(), ids=PACKAGES)
def test_a_hostile_package_is_refused(build: Callable[[], bytes]) -> None:
    """A package unpacks to what it says and no more, by two known methods, within its limits and in little memory."""
    hostile = build()
    tracemalloc.start()

    with in_good_time(), pytest.raises(Invalid, match="theme"):
        theme.unpack(hostile)

    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4 * 1024 * 1024


@pytest.mark.parametrize(
    "name",
    ["../a.png", "/a.png", "a/../b.png", "a//b.png", "./a.png", ".a.png", "a\\b.png", "C:a.png", "a/b/c/d/e/f.png",
     "a.exe", "a.png/", "ž.png", f"{'a' * 65}.png", "a b.png", "a\n.png", "manifest.json/a.png "],
)  # fmt: skip
def test_a_path_stays_in_its_folder(name: str) -> None:
    """A path names an image below the theme's folder, in plain letters."""
    with pytest.raises(Invalid, match="plain path to an image"):
        theme.unpack(package((name, b"x")))
    with pytest.raises(Invalid, match="plain path to an image"):
        theme.pack(Theme(files={name: b"x"}))


def test_two_files_of_one_name_are_refused() -> None:
    """Readers would differ in which of the two they take."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        double = package(("a.png", b"one"), ("a.png", b"two"))

    with pytest.raises(Invalid, match="two files of one name"):
        theme.unpack(double)


def test_a_manifest_is_checked() -> None:
    """Colours, images and unknown words are reported together, with their places."""
    manifest = Manifest(colours={"accent": "blue", "text": "#0B5FFF"}, images={"logo": "logo.png"})

    with pytest.raises(Invalid) as refusal:
        theme.pack(Theme(manifest, {"a.png": b""}))

    assert [fault.place for fault in refusal.value.faults] == ["colours.accent", "images.logo"]


def test_a_theme_has_limits() -> None:
    """199 images beside the manifest, 10 MiB when packed, and not a byte more."""
    left = theme.MAX_BYTES - theme.size_bytes(Theme(files={"a.png": b""}))
    for most in (Theme(files={f"{n}.png": b"" for n in range(199)}), Theme(files={"a.png": bytes(left)})):
        assert theme.unpack(theme.pack(most)) == most

    for too_much in (Theme(files={f"{n}.png": b"" for n in range(200)}), Theme(files={"a.png": bytes(left + 1)})):
        with pytest.raises(Invalid, match="more than 199 images, or 10,485,760 bytes when it is packed"):
            theme.pack(too_much)


def test_entities_and_files_are_never_resolved(tmp_path: Path) -> None:
    """Nothing is put in the place of an entity, and no file is read, whatever a document asks for."""
    secret = tmp_path / "secret.xml"
    secret.write_text("<x>hunter2</x>")
    asks = f'<!DOCTYPE a [<!ENTITY e SYSTEM "{secret.as_uri()}">]><account><k>&e;</k></account>'

    with pytest.raises(Invalid, match="DTD") as refused:
        xml.parse(asks)

    assert "hunter2" not in refused.value.text


def test_one_value_of_ten_million_characters_is_refused() -> None:
    """The parser's own limit holds, too, where somebody allows larger documents."""
    with pytest.raises(Invalid, match="too deep or too large"):
        xml.parse(f"<a>{'x' * 10_000_001}</a>", limit_bytes=1 << 30)
