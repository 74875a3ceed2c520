"""Keys for messages, push notifications and contacts."""
# A table, to be read as one: a key takes one line or two.
# fmt: off

from typing import Final

from offhook.core.keys import Key, Section
from offhook.core.kinds import Choice, Switch, Text, WebAddress, Whole, Word

_METHOD: Final = Choice(("GET", "POST", "PUT", "HEAD", "DELETE"))
_FORM: Final = "application/x-www-form-urlencoded"

MESSAGING: Final = Section("Messaging", (
    Key("allowMessage", Switch(), "documented", "The user may send text messages.", "0"),
    Key("linkupMessagingEnabled", Switch(), "documented", "The user may use Linkup messaging."),
    Key("maxMessageBodySize", Whole(0, unit="bytes"), "inferred", "The largest message that is sent.", "8000"),
    Key("isComposingRefreshInterval", Whole(0, unit="seconds"), "inferred", 'How often "is typing" is repeated.',
        "0"),
    Key("msrpUsesSipAuth", Switch(), "inferred", "MSRP uses the SIP credentials.", "1"),
    Key("genericSmsSendUrl", WebAddress(), "documented",
        "The service that sends a message, asked once for each recipient."),
    Key("genericSmsPostData", Text(), "documented", 'Body of the request to send. The documented name lacks "Send".'),
    Key("genericSmsContentType", Text(), "seen", "Content-Type of that body."),
    Key("genericSmsSendPostData", Text(), "seen", "The same body by its regular name."),
    Key("genericSmsSendContentType", Text(), "seen", "Its Content-Type by its regular name."),
    Key("genericSmsFetchUrl", WebAddress(), "documented", "The service that hands out new messages."),
    Key("genericSmsFetchPostData", Text(), "seen", "Body of the request for new messages."),
    Key("genericSmsFetchContentType", Text(), "seen", "Content-Type of that body."),
    Key("genericMediaUploadUrl", WebAddress(), "documented", "The service that takes pictures, as documented."),
    Key("genericMediaUploaderUrl", WebAddress(), "seen", "The service that takes pictures, as the shipped defaults "
        "spell it."),
))

PUSH: Final = Section("Push", (
    Key("pushNAT", Switch(), "inferred", "The push server copes with NAT.", "1"),
    Key("pushDebug", Switch(), "inferred", "Traces of push.", "0"),
    Key("pushVoicemail", Switch(), "inferred", "New voicemail comes as a push notification.", "0"),
    Key("saveAndNotifyCallsAnsweredElseWhere", Switch(), "inferred",
        "Calls taken on another device are remembered and announced.", "1"),
    Key("messagePreview", Word(), "inferred", "How much of a message a notification shows.", "full"),
    Key("pushTokenReporterUrl", WebAddress(), "documented", "Told the push tokens at each fresh start of the app."),
    Key("pushTokenReporterPostData", Text(), "documented", "Body of that report."),
    Key("pushTokenReporterContentType", Text(), "seen", "Content-Type of that body."),
    Key("pushNotificationReporterUrl", WebAddress(), "documented", "Told of every push that arrives."),
    Key("pushNotificationReporterPostData", Text(), "documented", "Body of that report."),
    Key("pushNotificationReporterContentType", Text(), "inferred", "Content-Type of that body."),
    Key("pushNotificationReporterCustomHeaders", Text(), "inferred", "Further headers of that report, one a line."),
    Key("pushNotificationReporterMethod", _METHOD, "inferred", "HTTP method of that report."),
    Key("pushNotificationReporterTimeout", Whole(0, unit="seconds"), "inferred", "The wait for its answer.", "30"),
))

CONTACTS: Final = Section("Contacts", (
    Key("wsContactsUrl", WebAddress(), "documented",
        "A source of contacts. Documented as a setting of the app, and seen in accounts all the same."),
    Key("wsContactsMethod", _METHOD, "documented", "HTTP method of that service.", "GET"),
    Key("wsContactsPostData", Text(), "documented", "Body of the request for contacts."),
    Key("wsContactsContentType", Text(), "documented", "Content-Type of that body.", _FORM),
    Key("wsContactsAuthUsername", Text(), "documented", "User name for HTTP authentication."),
    Key("wsContactsAuthPassword", Text(), "documented", "Password for HTTP authentication."),
    Key("wsContactsXPath", Text(), "documented", "Where the contacts stand in an answer of another form."),
    Key("contactListStorage", Word(), "inferred", "Where the list of buddies is kept.", "local"),
    Key("xcapUsesSipAuth", Switch(), "inferred", "XCAP uses the SIP credentials.", "1"),
    Key("presenceMethod", Word(), "inferred", "How presence is exchanged.", "off"),
    Key("smartContactsEnabled2", Switch(), "inferred", "The app finds out which contacts use it too.", "0"),
))
