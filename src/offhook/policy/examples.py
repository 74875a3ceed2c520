"""One example of each kind of thing that a policy can hold, and what expressions can read and call, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SEGMENT: Final = """\
[[segments]]
id = "headquarters"
title = "Whoever works in Prague"
when = { if = "attribute", name = "city", is = "Praha" }
"""
RULE: Final = """\
[[rules]]
id = "gold-codecs"
title = "Better codecs for gold"
when = { if = "attribute", name = "tier", is = "gold" }
rollout = { percent = 10 }
then = [
  { do = "set", key = "codecOrder", value = "24,9,8,0" },
]
"""

CONDITIONS: Final[Mapping[str, str]] = {
    "attribute": '{ if = "attribute", name = "tier", one_of = ["gold", "platinum"] }',
    "in_group": '{ if = "in_group", group = "sales" }',
    "in_segment": '{ if = "in_segment", segment = "headquarters" }',
    "platform": '{ if = "platform", one_of = ["ios", "android"] }',
    "app_version": '{ if = "app_version", at_least = "9.1", below = "10" }',
    "os_version": '{ if = "os_version", below = "14" }',
    "locale": '{ if = "locale", one_of = ["cs", "sk"] }',
    "version": '{ if = "version", editable = true }',
    "installs": '{ if = "installs", at_least = 2 }',
    "during": '{ if = "during", days = ["mon", "fri"], from = "08:00", to = "18:00", zone = "Europe/Prague" }',
    "occasion": '{ if = "occasion", is = "sign_in" }',
    "from_network": '{ if = "from_network", one_of = ["10.0.0.0/8", "2001:db8::/32"] }',
    "expression": """{ if = "expression", cel = 'user.tier == "gold" && installs < 3' }""",
    "all": '{ if = "all", of = [{ if = "in_group", group = "sales" }, { if = "platform", one_of = ["ios"] }] }',
    "any": '{ if = "any", of = [{ if = "in_group", group = "sales" }, { if = "in_group", group = "support" }] }',
    "not": '{ if = "not", of = { if = "in_group", group = "sales" } }',
}
EFFECTS: Final[Mapping[str, str]] = {
    "set": '{ do = "set", key = "allowVideo", value = "0", strength = "enforced" }',
    "blank": '{ do = "blank", key = "X-panel" }',
    "add_quick_dial": (
        '{ do = "add_quick_dial", id = "reception", uri = "sip:200@sip.example", display_name = "Reception" }'
    ),
    "remove_quick_dial": '{ do = "remove_quick_dial", id = "reception" }',
    "add_dial_action": '{ do = "add_dial_action", id = "record", values = { title = "Record" } }',
    "remove_dial_action": '{ do = "remove_dial_action", id = "record" }',
    "at_most_devices": '{ do = "at_most_devices", count = 2, then = "end_oldest", message = "One phone too many." }',
    "refuse": '{ do = "refuse", message = "Your contract has ended. Call 800 123 456." }',
    "log_out": '{ do = "log_out", message = "This phone was reported lost." }',
}
ROLLOUTS: Final[Mapping[str, str]] = {
    "rollout": '{ percent = 10, of = "installs", salt = "spring" }',
    "stage": (
        "{ stages = [{ since = 2027-01-11T08:00:00+01:00, percent = 1 },"
        " { since = 2027-01-13T08:00:00+01:00, percent = 25 }] }"
    ),
    "guard": (
        "{ stages = [{ since = 2027-01-11T08:00:00+01:00, percent = 5 }],"
        " guard = { phones = 50, excess = 3, window_s = 7200 } }"
    ),
}

# What an expression can read.
VARIABLES: Final[Mapping[str, str]] = {
    "user": "the user's attributes, such as `user.tier`; ask `has(user.tier)` first: what is missing is not known",
    "username": "the user's name, without the Cloud ID",
    "groups": "the user's groups",
    "platform": "what the app runs on, as it says itself",
    "app_version": "the numbers of the app's version: of 9.10, `app_version[0]` is 9 and `app_version[1]` is 10",
    "os_version": "the numbers of the system's version, likewise",
    "locale": "the language of the app, such as cs-CZ",
    "editable": "whether the phone uses the Editable version of the Cloud ID",
    "installs": "how many active installs the user has, this one included",
    "occasion": '`"sign_in"`, or `"again"`',
    "network": "the address from which the request comes",
}
# What an expression can be made of, and an example.
FUNCTIONS: Final[Mapping[str, str]] = {
    "`==` `!=` `<` `<=` `>` `>=`": "installs >= 2",
    "`&&` `||` `!`": 'editable || !(platform == "ios")',
    "`+` `-` `*` `/` `%`": "installs % 2 == 1",
    "`a ? b : c`": 'editable ? installs < 5 : user.tier == "gold"',
    "`in`": '"sales" in groups',
    "`has(user.name)`": 'has(user.city) && user.city == "Praha"',
    "`size`": "size(groups) > 2",
    "`startsWith` `endsWith` `contains`": 'username.startsWith("test-")',
    "`matches`, a regular expression (RE2)": 'username.matches("^[0-9]{3}$")',
    "`int` `double` `string`": "has(user.desk) && int(user.desk) < 200",
    "`all` `exists` `exists_one` `filter` `map`, one of them in an expression": 'groups.exists(g, g.startsWith("vip"))',
}
