"""Web services of the app: the rule of their keys (a prefix, a suffix), and the keys that go beyond it."""
# A table, to be read as one: a key takes one line or two.
# fmt: off

from typing import Final

from offhook.core.keys import Key, Section, Service
from offhook.core.kinds import Choice, Text, WebAddress, Whole

_METHOD: Final = Choice(("GET", "POST", "PUT", "HEAD", "DELETE"))
_FORM: Final = "application/x-www-form-urlencoded"

SUFFIXES: Final = (
    Key("Url", WebAddress(), "documented", "Address of the service, with its query; empty switches the service off."),
    Key("Method", _METHOD, "documented", "HTTP method; POST when there is a body, else GET."),
    Key("PostData", Text(), "documented", "Template of the body; a GET has none."),
    Key("ContentType", Text(), "documented", "Content-Type of the body.", _FORM),
    Key("CustomHeaders", Text(), "documented", "Further headers, `Name: value`, one a line."),
    Key("AuthUsername", Text(), "documented", "User name for HTTP authentication."),
    Key("AuthPassword", Text(), "documented", "Password for HTTP authentication."),
    Key("Timeout", Whole(0, unit="seconds"), "seen", "The wait for an answer."),
)

# The prefixes accountRemovalReporter (D14) and extGlobalProv (D24) are decisions of ours; so is interval 0 (D9).
SERVICES: Final = (
    Service("InitialProvisioning", "documented", "The account, when the user signs in.", portal_only=True),
    Service("initialGlobalProvisioning", "documented", "Quick dials and dial actions, when the user signs in.",
            portal_only=True),
    Service("extProv", "documented", "The account again, later on."),
    Service("extGlobalProv", "inferred", "Quick dials and dial actions again, later on."),
    Service("dialActionWs", "documented", "Dial actions again, later on.", portal_only=True),
    Service("accountRemovalReporter", "inferred", "Told when an account is removed or logged out."),
    Service("pushTokenReporter", "documented", "Told the push tokens at each fresh start of the app."),
    Service("pushNotificationReporter", "documented", "Told of every push that arrives."),
    Service("wsContacts", "documented", "A source of contacts."),
    Service("genericBalanceCheck", "documented", "The user's balance."),
    Service("genericRateCheck", "documented", "What a call to a number costs."),
    Service("genericSmsSend", "documented", "Sends a message.", also=("genericSmsPostData", "genericSmsContentType")),
    Service("genericSmsFetch", "documented", "Hands out new messages."),
    Service("genericMediaUpload", "documented", "Takes pictures."),
    Service("genericMediaUploader", "seen", "Takes pictures, by its other name."),
    Service("vpnStartup", "inferred", "Asked before the app registers."),
    Service("customAction", "seen", "Behind a dial action of the provider's own."),
)

EXTERNAL_PROVISIONING: Final = Section("External Provisioning", (
    Key("extProvUrl", WebAddress(("http", "https", "lua")), "documented",
        "The service that gives the account again. In it, only `%account[…]%` stands for values of the account."),
    Key("extProvMethod", _METHOD, "documented", "HTTP method; POST when there is a body, else GET."),
    Key("extProvPostData", Text(), "documented", "Template of the body; a GET has none."),
    Key("extProvContentType", Text(), "documented", "Content-Type of the body.", _FORM),
    Key("extProvCustomHeaders", Text(), "documented", "Further headers, `Name: value`, one a line."),
    Key("extProvTimeout", Whole(0, unit="seconds"), "inferred", "The wait for an answer."),
    Key("extProvAuthUsername", Text(), "documented", "User name for HTTP authentication."),
    Key("extProvAuthPassword", Text(), "documented", "Password for HTTP authentication."),
    Key("extProvInterval", Whole(0, unit="seconds"), "documented",
        "The time between two checks; 0 means only when an account is created or edited.", "0"),
    Key("extGlobalProvInterval", Whole(0, unit="seconds"), "inferred",
        "The time between two checks of the global part; 0 means never by itself.", "0"),
    Key("extProvLogoutStatusCode", Whole(300, 599), "documented", "The HTTP status that logs the user out."),
    Key("vpnStartupUrl", WebAddress(), "inferred", "A service that is asked before the app registers."),
))

BALANCE_AND_RATES: Final = Section("Balance and Rates", (
    Key("genericBalanceCheckUrl", WebAddress(), "documented", "The service that knows the user's balance."),
    Key("genericBalanceCheckPostData", Text(), "seen", "Body of the request for the balance."),
    Key("genericRateCheckUrl", WebAddress(), "documented", "The service that knows what a call costs, asked while the "
        "user types."),
    Key("genericRateCheckPostData", Text(), "documented", "Body of the request for the rate."),
    Key("rateCheckMinNumberLength", Whole(0, unit="digits"), "documented", "No rate is asked for shorter numbers."),
))
