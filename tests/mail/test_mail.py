"""Mail: what is written into it, how it gets to a mail server, and that a crash neither loses nor repeats many."""

from __future__ import annotations

import io
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import trustme
import zxingcpp
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from lxml import html
from PIL import Image

from offhook.core.errors import Refused, Unavailable
from offhook.core.login import parse_link
from offhook.core.secret import Secret
from offhook.mail.letters import Letters
from offhook.mail.settings import Security, Smtp
from offhook.mail.smtp import SmtpMailer
from offhook.provider.invitation import Inviting, State
from offhook.provider.invitations import Made, Wanted
from offhook.provider.mail import Mail, is_address
from offhook.provider.onboarding import ByInvitation, SignUp
from offhook.provider.posting import LEASE_S, Deliveries, MailedCodes, Post
from offhook.provider.tenant import Tenant
from offhook.provider.wordings import Wordings
from tests.world_newcomers import Onboarding

SENDER = "phones@example.com"
PLAIN = Mail("ann@example.com", "Grüße", "Text: ä", "<p>ä</p>", (("code", b"\x89PNG"),))


class FreePort(Controller):
    """It asks itself whether it has begun, on the port that it was given, which is none."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # the library's own


class Mailbox:
    """Takes what a mail server takes, and says what it is told to."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.says = "250 Taken"
        self.users: list[str] = []

    async def handle_MAIL(  # noqa: N802 - the library's own name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("stranger"):
            return "550 Not from here"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - the library's own name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not address.startswith("nobody"):
            envelope.rcpt_tos.append(address)
            return "250 OK"
        return "550 No such mailbox"

    async def handle_DATA(  # noqa: N802 - the library's own name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.says.startswith("250"):
            assert isinstance(envelope.content, bytes)
            found = message_from_bytes(envelope.content, policy=policy.default)
            self.mails.append(found)
        return self.says


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextmanager
def receiving(
    authority: trustme.CA, folder: Path, security: Security = Security.STARTTLS
) -> Iterator[tuple[Mailbox, Smtp]]:
    """A mail server on loopback with a certificate of its own, and the settings that reach it."""
    box = Mailbox()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))

    def knows(server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: LoginPassword) -> AuthResult:
        box.users.append(login.login.decode())
        return AuthResult(success=login.password == b"right")

    extra: dict[str, Any] = {"authenticator": knows, "auth_require_tls": security is Security.STARTTLS}
    if security is Security.STARTTLS:
        extra |= {"tls_context": context, "require_starttls": True}
    over_tls: dict[str, Any] = {"ssl_context": context} if security is Security.TLS else {}
    server = FreePort(box, hostname="127.0.0.1", port=0, **over_tls, **extra)
    server.start()
    try:
        yield (
            box,
            Smtp("localhost", SENDER, server.port, security=security, ca_file=str(folder / "ca.pem"), timeout_s=5),
        )
    finally:
        server.stop()


@pytest.mark.parametrize("security", list(Security))
def test_a_mail_arrives_whole(authority: trustme.CA, tmp_path: Path, security: Security) -> None:
    """Over STARTTLS, TLS, or on this machine without, with a user name where one is given."""
    with receiving(authority, tmp_path, security) as (box, settings):
        named = Smtp(**{**fields(settings), "username": "us", "password": Secret("right"), "sender_name": "Löwe, Inc."})

        SmtpMailer(named).send(PLAIN, "key-1")
        SmtpMailer(named).send(PLAIN, "key-1")

    first, second = box.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert (first["To"], first["Subject"]) == ("ann@example.com", "Grüße")
    assert first["From"] == '"Löwe, Inc." <phones@example.com>'
    assert text_of(first, "plain").strip() == "Text: ä"
    assert text_of(first, "html").strip() == "<p>ä</p>"
    (picture,) = [part for part in first.walk() if part.get_content_type() == "image/png"]
    assert (picture["Content-ID"], picture.get_content()) == ("<code>", b"\x89PNG")
    assert set(box.users) == {"us"}


def test_a_server_that_nobody_vouches_for_gets_nothing(authority: trustme.CA, tmp_path: Path) -> None:
    """Nor one that does not offer STARTTLS, nor one that does not know our password."""
    stranger = Smtp("localhost", SENDER, 1)
    with receiving(authority, tmp_path) as (box, settings):
        unknown = Smtp(**{**fields(settings), "ca_file": ""})
        wrong = Smtp(**{**fields(settings), "username": "us", "password": Secret("super-secret")})
        with receiving(authority, tmp_path, Security.NONE) as (open_box, open_settings):
            plain = Smtp(**{**fields(open_settings), "security": Security.STARTTLS})

            for one in (unknown, wrong, plain, stranger):
                with pytest.raises(Unavailable) as raised:
                    SmtpMailer(one).send(PLAIN, "k")
                assert "super-secret" not in raised.value.text

    assert box.mails == open_box.mails == []


@pytest.mark.parametrize(
    ("said", "kind"),
    [("550 No", Refused), ("554 Spam", Refused), ("451 Later", Unavailable), ("530 Who are you", Unavailable)],
)
def test_what_is_refused_for_good_is_told_from_what_has_to_wait(
    authority: trustme.CA, tmp_path: Path, said: str, kind: type[Exception]
) -> None:
    """A refusal of ourselves is not one of the mail."""
    with receiving(authority, tmp_path) as (box, settings):
        box.says = said

        with pytest.raises(kind):
            SmtpMailer(settings).send(PLAIN, "k")

        with pytest.raises(Unavailable, match="550 Not from here"):
            SmtpMailer(Smtp(**{**fields(settings), "sender": "stranger@example.com"})).send(PLAIN, "k")
        with pytest.raises(Refused, match="550 No such mailbox"):
            SmtpMailer(settings).send(Mail("nobody@example.com", "s", "t", "h"), "k")


def test_no_header_can_be_smuggled_in() -> None:
    """Neither by an address nor by the name of an app."""
    mailer = SmtpMailer(Smtp("localhost", SENDER))
    wording = Wordings(*no_tenants("Evil\r\nBcc: all@example.com")).of("EXAMPLE")

    mail = Letters().code("ann@example.com", Secret("123456"), 15, wording)
    written = mailer.written(mail, "k\r\nBcc: x").as_bytes()

    head = written.partition(b"\r\n\r\n")[0]
    assert not re.search(rb"^bcc", head, re.MULTILINE | re.IGNORECASE)
    for address in ("a@example.com\nBcc: b@example.com", "a@example.com, b@example.com", "<a@example.com>", "a b@c.d"):
        assert not is_address(address)
        with pytest.raises(Refused):
            mailer.written(Mail(address, "s", "t", "h"), "k")


# --- what is written ---


def test_the_mail_of_an_invitation_has_all_that_is_needed(tmp_path: Path) -> None:
    """In text and in HTML, with the QR code as a picture of its own and nothing from elsewhere."""
    with world_of(tmp_path) as world:
        made = world.invited("Ann & <Bob>", "ann@example.com")
        world.post.do(made.invitation.id)

        (mail,) = world.sent

    page = html.fromstring(mail.html)
    link = f"https://prov.example.net/invite/{made.token.reveal()}"
    assert page.xpath("//a/@href") == [link]
    assert page.xpath("//img/@src") == [f"cid:{mail.pictures[0][0]}"]
    assert "http" not in mail.html.replace(link, "")
    for content in (mail.text, page.text_content()):
        for part in ("Ann & <Bob>", "EXAMPLE", made.token.reveal(), "Lines & Co", "Call <us>"):
            assert part in content
    assert link in mail.text
    assert mail.subject == "Your invitation to Lines & Co"
    (code,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(mail.pictures[0][1])))
    assert parse_link(code.text, "acme").password == made.token
    assert "prefers-color-scheme: dark" in mail.html
    assert made.token.reveal() not in repr(mail)


def test_a_code_comes_by_mail(tmp_path: Path) -> None:
    """With the minutes for which it is good, in the words of the Cloud ID."""
    with world_of(tmp_path) as world:
        world.has_tenant(Tenant("EXAMPLE", onboarding=SignUp(code_s=600)))
        codes = MailedCodes(world, Letters(), world.wordings, world.tenants)

        codes.send("EXAMPLE", "ann@example.com", Secret("012345"), "k")

        (mail,) = world.sent
    assert mail.to == "ann@example.com"
    for content in (mail.text, mail.html):
        assert "012345" in content
        assert "10 minutes" in content
        assert "Lines & Co" in content.replace("&amp;", "&")


# --- what is left to be sent ---


def test_a_mail_that_was_sent_leaves_no_token(tmp_path: Path) -> None:
    """Then there is nothing more to send, and only its hash is kept."""
    with world_of(tmp_path) as world:
        made = world.invited("ann", "ann@example.com")
        assert world.post.due(9) == [made.invitation.id]

        world.post.do(made.invitation.id)

        kept = world.invitations.newest("EXAMPLE", "ann")
        assert (kept.state(world.clock.now_s()), kept.sealed, world.post.due(9)) == (State.MAILED, "", [])


def test_a_server_that_is_down_delays_mails(tmp_path: Path) -> None:
    """They are tried again, less and less often, until the invitation is over; a refusal for good is kept as such."""
    with world_of(tmp_path) as world:
        one, two = world.invited("ann", "ann@example.com"), world.invited("bob", "bob@example.com")
        world.trouble = Unavailable("down")
        for _ in range(3):
            with pytest.raises(Unavailable):
                world.post.do(one.invitation.id)
            assert one.invitation.id not in world.post.due(9)
            world.clock.time_s += 3600
        world.trouble = Refused("550 No such mailbox")

        world.post.do(two.invitation.id)

        refused = world.invitations.newest("EXAMPLE", "bob")
        assert (refused.state(world.clock.now_s()), refused.error) == (State.UNDELIVERED, "550 No such mailbox")
        assert refused.sealed == ""
        world.trouble = None
        world.post.do(one.invitation.id)
        assert [mail.to for mail in world.sent] == ["ann@example.com"]
        assert world.invitations.newest("EXAMPLE", "ann").state(world.clock.now_s()) is State.MAILED


def test_a_crash_loses_no_mail_and_repeats_only_the_one_under_way(tmp_path: Path) -> None:
    """The repeated one has the same link and Message-ID; a hundred others are sent once."""
    with world_of(tmp_path) as world:
        for number in range(100):
            world.invited(f"u{number}", f"u{number}@example.com")
        names = world.post.due(1000)
        for name in names[:50]:
            world.post.do(name)
        world.crash = True
        with pytest.raises(KeyboardInterrupt):
            world.post.do(names[50])
        world.crash = False

        other = world.new_post()
        assert names[50] not in other.due(1000)
        for name in other.due(1000):
            other.do(name)
        world.clock.time_s += LEASE_S
        for name in other.due(1000):
            other.do(name)

        sent = [(mail.to, mail.text) for mail in world.sent]
        assert len(sent) == 101
        assert len(set(sent)) == 100
        assert world.keys.count(f"invitation-{names[50]}") == 2


def test_two_servers_send_each_mail_once(tmp_path: Path) -> None:
    """Both look at the same moment."""
    with world_of(tmp_path) as world:
        names = [world.invited(f"u{number}", f"u{number}@example.com").invitation.id for number in range(20)]
        posts = world.post, world.new_post()

        def go(post: Post) -> None:
            for name in names:
                post.do(name)

        threads = [threading.Thread(target=go, args=(post,)) for post in posts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(mail.to for mail in world.sent) == sorted(f"u{number}@example.com" for number in range(20))


def test_a_server_that_is_down_is_not_asked_for_every_mail(tmp_path: Path) -> None:
    """The first one that fails makes the others wait, untried; then they go out a few at a time."""
    with world_of(tmp_path) as world:
        for number in range(12):
            world.invited(f"u{number}", f"u{number}@example.com")
        chore = Deliveries(world.post, world.clock)
        world.trouble = Unavailable("down")
        lanes = chore.due(50)
        with pytest.raises(Unavailable):
            chore.do(lanes[0])
        assert chore.due(50) == ()
        world.trouble = None
        world.clock.time_s += 30

        rounds = 0
        while lanes := chore.due(50):
            rounds += 1
            for lane in lanes:
                chore.do(lane)
        tried = [one.tries for one in world.invitations.of_cloud_id("EXAMPLE")]

        assert (len(world.sent), rounds, max(tried)) == (11, 2, 1)
        world.clock.time_s += 30
        chore.do("one")
        assert len(world.sent) == 12


def test_what_is_withdrawn_or_expired_is_not_sent(tmp_path: Path) -> None:
    """Nor is one of before, when a newer one is sent."""
    with world_of(tmp_path) as world:
        for name in ("ann", "bob", "eve"):
            world.invited(name, f"{name}@example.com")
        world.invitations.revoke("EXAMPLE", "ann")
        newer = world.invitations.again("EXAMPLE", "bob")
        world.clock.time_s += 6 * 86400
        assert len(world.post.due(9)) == 2
        world.clock.time_s += 2 * 86400

        for name in world.post.due(9):
            world.post.do(name)

        assert world.sent == []
        assert world.post.due(9) == []
        assert newer.invitation.version == 2


# --- the world ---


class Posting(Onboarding):
    """A provider whose mails land here."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.has_tenant(
            Tenant("EXAMPLE", onboarding=ByInvitation(), inviting=Inviting(scheme="acme", support="Call <us>"))
        )
        self.wordings = Wordings(self.tenants, lambda cloud_id: "Lines & Co")
        self.sent, self.keys = list[Mail](), list[str]()
        self.trouble: Exception | None = None
        self.crash = False
        self.post = self.new_post()

    def new_post(self) -> Post:
        return Post(
            store=self.invitation_store,
            mailer=self,
            letters=Letters(),
            wordings=self.wordings,
            sealer=self.sealer,
            clock=self.clock,
            chance=self.dice,
            public_url=lambda: "https://prov.example.net",
        )

    def send(self, mail: Mail, key: str) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.sent.append(mail)
        self.keys.append(key)
        if self.crash:
            raise KeyboardInterrupt

    def invited(self, username: str, address: str) -> Made:
        return self.invitations.invite("EXAMPLE", Wanted(username, address))


@contextmanager
def world_of(folder: Path) -> Iterator[Posting]:
    with closing(Posting(folder)) as world:
        yield world


def no_tenants(app: str) -> tuple[Any, Callable[[str], str]]:
    class NoTenants:
        def get(self, cloud_id: str) -> Tenant:
            return Tenant(cloud_id)

    return NoTenants(), lambda cloud_id: app


def fields(settings: Smtp) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__struct_fields__}


def text_of(message: EmailMessage, subtype: str) -> str:
    (part,) = [part for part in message.walk() if part.get_content_type() == f"text/{subtype}"]
    return str(part.get_content())
