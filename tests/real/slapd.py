"""A directory of the tests' own, OpenLDAP on loopback; as fixture `slapd`."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import ldap3
import msgspec
import pytest
import trustme

from tests.real.programs import free_port, program, running

BASE = "dc=example,dc=com"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
ADMIN, ADMIN_PASSWORD = f"cn=admin,{BASE}", "admin-secret-3Vx"
SERVICE, SERVICE_PASSWORD = f"cn=offhook,{BASE}", "service-secret-8Kd"
SCHEMAS = Path("/etc/ldap/schema")
MODULES = Path("/usr/lib/ldap")

CONFIGURATION = """
{schemas}
pidfile {folder}/slapd.pid
modulepath {modules}
moduleload back_mdb
moduleload memberof
moduleload ppolicy
TLSCertificateFile {folder}/certificate.pem
TLSCertificateKeyFile {folder}/key.pem
TLSCACertificateFile {folder}/ca.pem
disallow bind_anon
require authc
sizelimit 500
database mdb
maxsize 67108864
suffix "{base}"
rootdn "{admin}"
rootpw {admin_password}
directory {folder}/db
index objectClass,uid,mail,member eq
access to attrs=userPassword by anonymous auth by * none
access to * by users read
overlay memberof
memberof-refint TRUE
overlay ppolicy
ppolicy_default "cn=policy,{base}"
ppolicy_use_lockout
"""


class Slapd(msgspec.Struct, frozen=True):
    """A directory that answers, without a word and within TLS; `ca` vouches for its certificate (127.0.0.1)."""

    host: str
    port: int
    tls_port: int
    ca: Path
    folder: Path

    @property
    def url(self) -> str:
        return f"ldap://{self.host}:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"ldaps://{self.host}:{self.tls_port}"

    @property
    def log(self) -> Path:
        return self.folder / "slapd.log"

    def binds(self, dn: str) -> int:
        """How often somebody tried to bind as this one, by the directory's own log."""
        return len(re.findall(rf'BIND dn="{re.escape(dn)}" method=128', self.log.read_text(errors="replace")))

    def answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), 0.2):
                return True
        except OSError:
            return False

    @contextmanager
    def administered(self) -> Iterator[ldap3.Connection]:
        """As its administrator, who may do everything."""
        server = ldap3.Server(self.host, port=self.port, get_info=ldap3.NONE)
        connection = ldap3.Connection(server, ADMIN, ADMIN_PASSWORD, auto_bind=True, raise_exceptions=True)
        try:
            yield connection
        finally:
            connection.unbind()

    def add(self, dn: str, kinds: list[str], attributes: Mapping[str, str | list[str]]) -> None:
        with self.administered() as connection:
            connection.add(dn, kinds, dict(attributes))  # type: ignore[no-untyped-call] # the library says so of some only

    def person(self, uid: str, password: str, **attributes: str) -> str:
        """Add somebody; returns where they are."""
        dn = f"uid={uid},{PEOPLE}"
        self.add(dn, ["inetOrgPerson"], {"cn": uid, "sn": uid, "userPassword": password, **attributes})
        return dn

    def group(self, name: str, *members: str) -> str:
        """Add a group; returns where it is."""
        dn = f"cn={name},{GROUPS}"
        self.add(dn, ["groupOfNames"], {"member": list(members)})
        return dn

    def takes_out(self, member: str, group: str) -> None:
        """Somebody is in a group no more."""
        with self.administered() as connection:
            connection.modify(group, {"member": [(ldap3.MODIFY_DELETE, [member])]})  # type: ignore[no-untyped-call] # as above

    def remove(self, dn: str) -> None:
        """Somebody is gone."""
        with self.administered() as connection:
            connection.delete(dn)  # type: ignore[no-untyped-call] # as above


@contextmanager
def started(folder: Path) -> Iterator[tuple[Slapd, subprocess.Popen[bytes]]]:
    """An empty directory, with a service that may read it; everything is in the folder. Ends with the block."""
    # A copy, since what is installed may be confined to the folders of the installation (AppArmor).
    copy = folder / "slapd"
    shutil.copy(program("slapd", "slapd"), copy)
    ca = trustme.CA()
    certificate = ca.issue_cert("127.0.0.1", "localhost")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "certificate.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    (folder / "db").mkdir()
    schemas = "\n".join(f"include {SCHEMAS}/{name}.schema" for name in ("core", "cosine", "inetorgperson"))
    (folder / "slapd.conf").write_text(
        CONFIGURATION.format(
            schemas=schemas, folder=folder, modules=MODULES, base=BASE, admin=ADMIN, admin_password=ADMIN_PASSWORD
        )
    )
    made = Slapd("127.0.0.1", free_port(), free_port(), folder / "ca.pem", folder)
    listening = f"ldap://{made.host}:{made.port} ldaps://{made.host}:{made.tls_port}"
    # `stats` writes a line for each operation to the standard error, and the program stays where it is.
    command = [str(copy), "-f", str(folder / "slapd.conf"), "-h", listening, "-d", "stats", *_unprivileged(folder)]
    with running(command, made.log, made.answers) as process:
        yield made, process


def _unprivileged(folder: Path) -> list[str]:
    """As root it lets go of what it may, once it has begun."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("nobody")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)
    return ["-u", "nobody", "-g", str(user.pw_gid)]


def populate(slapd: Slapd) -> None:
    """A few people, and groups."""
    slapd.add(BASE, ["dcObject", "organization"], {"dc": "example", "o": "Example"})
    for name in ("people", "groups"):
        slapd.add(f"ou={name},{BASE}", ["organizationalUnit"], {"ou": name})
    policy = {"cn": "policy", "pwdAttribute": "userPassword", "pwdLockout": "TRUE", "pwdMaxFailure": "5"}
    slapd.add(f"cn=policy,{BASE}", ["device", "pwdPolicy"], policy)
    service = {"cn": "offhook", "userPassword": SERVICE_PASSWORD}
    slapd.add(SERVICE, ["organizationalRole", "simpleSecurityObject"], service)
    ann = slapd.person("ann", "ann-right", mail="ann@example.com", telephoneNumber="+49301234", title="Sales, North")
    ben = slapd.person("ben", "ben-right", mail="ben@example.com")
    slapd.group("sales", ann)
    slapd.group("office, north", ann, ben)


@pytest.fixture(scope="session")
def slapd() -> Iterator[Slapd]:
    """One directory for all tests of this process; a test adds people of its own."""
    folder = Path(tempfile.mkdtemp(prefix="offhook-ldap-"))
    try:
        with started(folder) as (made, _):
            populate(made)
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def mortal_slapd() -> Iterator[tuple[Slapd, subprocess.Popen[bytes]]]:
    """One that a test may stop, with signals."""
    folder = Path(tempfile.mkdtemp(prefix="offhook-ldap-"))
    try:
        with started(folder) as (made, process):
            populate(made)
            yield made, process
            process.send_signal(signal.SIGCONT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
