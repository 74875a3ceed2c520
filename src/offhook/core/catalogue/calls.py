"""Keys that say how calls come in, go out and sound."""
# A table, to be read as one: a key takes one line or two.
# fmt: off

from typing import Final

from offhook.core.keys import Key, Section
from offhook.core.kinds import Choice, Listing, Switch, Text, Tree, WebAddress, Whole, Word

_METHOD: Final = Choice(("GET", "POST", "PUT", "HEAD", "DELETE"))
_IDENTITY: Final = Listing(Word(("pai", "from", "to", "rpid", "ppi")))

INCOMING: Final = Section("Incoming Calls", (
    Key("icm", Word(("auto", "push", "off", "localPush")), "seen",
        "How calls reach the app: chosen by itself, by push, by push in the local network, or not at all.", "auto"),
    Key("incomingDisabled", Switch(), "inferred", "The account takes no calls.", "0"),
    Key("callWaiting", Switch(), "inferred", "A second call may come in during a call.", "1"),
))

AUTO_ANSWER: Final = Section("Auto Answer", (
    Key("autoAnswerEnabled", Switch(), "inferred", "Calls are answered by themselves.", "0"),
    Key("autoAnswerTimeoutInSeconds", Whole(0, unit="seconds"), "inferred", "The wait before that.", "5"),
    Key("pagingAudioRoute", Word(), "inferred", "Where the sound of paging calls goes.", "Speaker"),
))

VOICEMAIL: Final = Section("Voicemail", (
    Key("voiceMailNumber", Text(), "seen", "The number to call for one's voicemail."),
    Key("subscribeForVoicemail", Switch(), "seen", "The app subscribes to the indication of waiting messages."),
))

DTMF: Final = Section("DTMF", (
    Key("dtmfOrder", Listing(Choice(("rfc2833", "info", "audio"))), "seen", "Ways to send digits, the preferred first.",
        "rfc2833,info,audio"),
    Key("dtmfAll", Switch(), "inferred", "Digits go out in all these ways, not only in the first that works.", "0"),
    Key("rfc2833Volume", Whole(0, 63), "inferred", "The volume named in RFC 2833 telephone events.", "10"),
))

REWRITING: Final = Section("Number Rewriting", (
    Key("rewriting", Tree(), "documented",
        "Rules for dialled numbers. All of them are one value: whoever sends one, replaces the user's too."),
))

SERVICES_OF_CALLS: Final = Section("Call Through and Web Callback", (
    Key("cth_ws_url", WebAddress(), "documented", "The service that gives the access number of a call through."),
    Key("cth_ws_method", _METHOD, "inferred", "HTTP method of the call-through service."),
    Key("createCallthroughContact", Switch(), "inferred", "The access number becomes a contact of the device.", "1"),
    Key("wcb_url", WebAddress(), "inferred", "The service that calls both sides back."),
    Key("wcb_method", _METHOD, "inferred", "HTTP method of the callback service."),
    Key("customActionUrl", WebAddress(), "seen", "The service behind a dial action of the provider's own."),
))

BUSY_LAMPS: Final = Section("Busy Lamp Field", (
    Key("blf", Tree(), "seen", "The extensions to watch, each in a `uri` element."),
))

TONES: Final = Section("Call Tones", (
    Key("ringingTone", Text(), "seen", "What the caller hears while it rings: `periodic(sine(…),silence(…))`."),
    Key("busyTone", Text(), "seen", "What the caller hears when the other side is busy, in the same notation."),
    Key("endCallTone", Text(), "seen", "The tone at the end of a call, in the same notation."),
    Key("callWaitingTone", Text(), "seen", "The tone that announces a second call, in the same notation."),
    Key("periodicRingtone", Text(), "inferred", "A sound file that repeats while a call rings.", "sil.wav"),
    Key("periodicRingtonePeriod", Whole(0, unit="seconds"), "inferred", "How often it repeats.", "4"),
))

IDENTITY: Final = Section("Identity of the Other Side", (
    Key("remoteContact", _IDENTITY, "inferred", "Headers that name a caller, the most trusted first.",
        "pai,from,rpid,ppi"),
    Key("outgoingRemoteContact", _IDENTITY, "inferred", "Headers that name a callee, the most trusted first.",
        "pai,to,rpid,ppi"),
    Key("allowToHeaderMismatch", Switch(), "inferred", "Requests may be addressed to somebody else.", "1"),
    Key("ignoreRemoteUserDomain", Switch(), "inferred", "Numbers are compared without their domain.", "1"),
    Key("minNumberLengthToIgnoreRemoteUserDomain", Whole(0, unit="digits"), "inferred",
        "Shorter numbers are compared with their domain all the same.", "6"),
))
