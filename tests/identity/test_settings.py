"""What an operator writes of upstreams: read whole, with all its faults, and without showing a secret."""

from __future__ import annotations

import pytest

from offhook.connections import loads
from offhook.core.errors import Invalid
from offhook.identity.sources import open_upstream

GOOD = b"""
[upstream.corp]
kind = "ldap"
servers = ["ldaps://dc1.example.com", "ldaps://dc2.example.com:3269"]
base = "dc=example,dc=com"
bind_name = "offhook@example.com"
bind_password = "hidden"
username = "sAMAccountName"
found_by = ["sAMAccountName", "userPrincipalName", "mail"]
attributes = { email = "mail", phone = "telephoneNumber" }
nested = true

[upstream.crm]
kind = "http"
url = "https://crm.example.com/login"
headers = { x-api-key = "hidden" }
groups = "user.groups"

[upstream.shop]
kind = "sql"
database = "postgresql+psycopg://offhook:hidden@192.0.2.1/shop"
query = "SELECT login::text AS username, password FROM users WHERE login = :username"
"""
LDAP = 'kind = "ldap"\nservers = ["ldaps://ldap.example.com"]\nbase = "dc=x"\n'
HTTP = 'kind = "http"\nurl = "https://crm.example.com"\n'
SQL = 'kind = "sql"\ndatabase = "sqlite:////x"\n'


def test_every_kind_is_read_and_opened() -> None:
    """Without asking any of them; what is shown of them has no secret."""
    found = loads(GOOD, "connections.toml").upstream

    opened = [open_upstream(one) for one in found.values()]

    assert [str(one) for one in found.values()] == [
        "ldaps://dc1.example.com, ldaps://dc2.example.com:3269",
        "https://crm.example.com",
        "postgresql 192.0.2.1 shop",
    ]
    assert "hidden" not in f"{found} {found!r}"
    for one in opened:
        one.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "hidden"', "Invalid value - at"),
        ('kind = "ldap"\nservers = []\nbase = "dc=x"', "servers must name one"),
        ('kind = "ldap"\nservers = ["ldap.example.com"]\nbase = "dc=x"', "is no address"),
        ('kind = "ldap"\nservers = ["ldaps://x:y"]\nbase = "dc=x"', "is no address"),
        ('kind = "ldap"\nservers = ["ldap://ldap.example.com"]\nbase = "dc=x"\nstart_tls = false', "readable"),
        ('kind = "ldap"\nservers = ["ldaps://x"]\nbase = ""', "base must say"),
        (LDAP + 'username = "uid)("', "is no name of an attribute"),
        (LDAP + 'bind_name = "cn=x"', "bind_password must be there"),
        (LDAP + 'direct = "uid=x"', "direct must say"),
        (LDAP + 'only = "objectClass=person"', "only must be a filter"),
        (LDAP + 'group_search = "member"', "group_search must be a filter"),
        (LDAP + 'nested = true\ngroup_search = "(member={dn})"', "nested needs no"),
        (LDAP + "timeout_s = 90", "timeout_s must be"),
        (LDAP + "at_once = 0", "at_once must be"),
        (LDAP + "wrong_s = -1", "wrong_s must be"),
        (LDAP + 'colour = "red"', "colour"),
        ('kind = "http"\nurl = "http://crm.example.com"', "readable"),
        ('kind = "http"\nurl = "https://a:hidden@crm.example.com"', "must not hold a password"),
        ('kind = "http"\nurl = "https://crm.example.com/{username}"', "anything of the user"),
        ('kind = "http"\nurl = "https://[x"', "must begin with https"),
        (HTTP + 'look_up_url = "https://crm.example.com/users"', "must hold {username}"),
        (HTTP + 'fields = { login = "{username}" }', "fields must hold"),
        (HTTP + 'headers = { "a b" = "hidden" }', "is no name of one"),
        (HTTP + "no = [200, 401]", "200 cannot mean two things"),
        (HTTP + "no = [403]", "403 cannot mean two things"),
        (HTTP + "yes = []", "yes must name"),
        ('kind = "sql"\ndatabase = "hidden"\nquery = "SELECT :username"', "database is no address"),
        ('kind = "sql"\ndatabase = "mysql://hidden@x/y"\nquery = "SELECT :username"', "must begin with postgresql"),
        ('kind = "sql"\ndatabase = "sqlite://"\nquery = "SELECT :username"', "names no database"),
        (SQL + 'query = "SELECT 1"', "query must hold :username"),
        (SQL + 'query = "SELECT :username, :colour"', "what :colour is to be"),
        (SQL + 'query = "DELETE FROM users WHERE login = :username"', "must begin with SELECT"),
        (SQL + 'query = "SELECT :username"\ngroups = "SELECT :password, :username"', "what :password is to be"),
        (SQL + 'query = "SELECT :username"\nlook_up = "SELECT 1"', "look_up must hold"),
    ],
)
def test_faults_say_how_to_mend_them(text: str, said: str) -> None:
    """And show no secret."""
    with pytest.raises(Invalid) as raised:
        loads(f"[upstream.x]\n{text}".encode(), "connections.toml")

    assert said in raised.value.text
    assert "hidden" not in raised.value.text
