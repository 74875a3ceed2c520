"""What an account document holds besides keys: attributes, and the elements of a rewriting rule."""
# A table, to be read as one: a key takes one line or two.
# fmt: off

from typing import Final

from offhook.core.keys import Key
from offhook.core.kinds import Text, Whole, Word

# The words that stand in public documents or running services; those behind them are known to exist, not how to spell.
CONDITIONS: Final = Word((
    "doesntStartWith", "equals", "startsWith", "lengthEquals", "longerThan", "shorterThan", "contains", "numeric",
    "networkType", "SSID",
))
ACTIONS: Final = Word((
    "prepend", "overrideDialAction", "setHeader", "replace", "append", "continue", "callThrough", "dialOut",
    "recordCall", "rejectCall", "forwardCall", "answerImmediately", "overrideLocationPolicy", "showAlert",
))

PATTERNS: Final = (
    Key("account/@id", Text(), "seen", "Which account of the app this is. The app makes it up: leave it out."),
    Key("*/@priority", Whole(), "documented",
        "The rank of this value instead of its channel's: 10 portal, 20 external provisioning, 40 the user."),
    Key("*/@source", Text(), "documented", "Who set the value, for people to read."),
    Key("*/value/@lang", Text(), "seen", "Texts by language, one `value` each; the one without counts for all others."),
    Key("blf/uri", Text(), "seen", "An extension to watch."),
    Key("rewriting/rule/conditions/condition/@type", CONDITIONS, "seen", "What must be true; all of a rule's must."),
    Key("rewriting/rule/conditions/condition/@param", Text(), "documented", "What the number is compared with."),
    Key("rewriting/rule/actions/action/@type", ACTIONS, "seen", "What is then done."),
    Key("rewriting/rule/actions/action/@param", Text(), "seen",
        "What it is done with: a prefix, the id of a dial action, `Header: value`."),
)
