"""Keys for codecs and for the encryption of media. A name with 3G is for cellular networks, its twin for Wi-Fi."""
# A table, to be read as one: a key takes one line or two.
# fmt: off

from typing import Final

from offhook.core.keys import Key, Section
from offhook.core.kinds import Listing, Switch, Tree, Whole, Word

_PAYLOADS: Final = Listing(Whole(0, 127))
_BAND: Final = Word(("nb", "wb"))
_POLICY: Final = Word(("disabled", "enabled", "required"))
_KBPS: Final = Whole(0, unit="kbit/s")
_MS: Final = Whole(1, unit="milliseconds")

AUDIO: Final = Section("Audio Codecs", (
    Key("codecOrder", _PAYLOADS, "seen", "RTP payload numbers, the preferred first, on Wi-Fi.", "0,8,9,103,102,18,3"),
    Key("codecOrder3G", _PAYLOADS, "seen", "The same on cellular networks.", "18,103,102,3,0,8,9"),
    Key("honorTheirCodecListWiFi", Switch(), "inferred", "The other side's order counts, on Wi-Fi.", "1"),
    Key("honorTheirCodecList3G", Switch(), "inferred", "The same on cellular networks.", "0"),
    Key("ptime", _MS, "inferred", "Length of a packet on Wi-Fi.", "20"),
    Key("ptime3G", _MS, "inferred", "Length of a packet on cellular networks.", "30"),
    Key("forcePtime", Switch(), "inferred", "That length is kept to whatever the other side asks, on Wi-Fi.", "0"),
    Key("forcePtime3G", Switch(), "inferred", "The same on cellular networks.", "0"),
    Key("codec2Mode", Whole(0), "inferred", "Mode of Codec 2 on Wi-Fi.", "1"),
    Key("codec2Mode3G", Whole(0), "inferred", "Mode of Codec 2 on cellular networks.", "1"),
    Key("sendAudioBack", Switch(), "inferred", "A switch of the audio stream that nobody describes.", "1"),
))

OPUS: Final = Section("Opus", (
    Key("opusOptions", Tree(), "inferred", "Options of the Opus codec on Wi-Fi, one element each."),
    Key("opusOptions.class", _BAND, "seen", "Profile: narrow band or wide band.", "wb"),
    Key("opusOptions.bandwidth", _BAND, "inferred", "Audio bandwidth.", "wb"),
    Key("opusOptions.complexity", Whole(0, 10), "inferred", "Effort of the encoder."),
    Key("opusOptions.bitrate", Whole(6000, 510000, "bit/s"), "inferred", "Bit rate."),
    Key("opusOptions.expectedPacketLoss", Whole(0, 100, "%"), "inferred", "Packet loss to prepare for.", "5"),
    Key("opusOptions.fec", Switch(), "inferred", "Forward error correction."),
    Key("opusOptions.dtx", Switch(), "inferred", "Silence is not sent."),
    Key("opusOptions.vbr", Switch(), "inferred", "Variable bit rate."),
    Key("opusOptions3G", Tree(), "inferred", "Options of the Opus codec on cellular networks, one element each."),
    Key("opusOptions3G.class", _BAND, "seen", "Profile: narrow band or wide band.", "nb"),
    Key("opusOptions3G.bandwidth", _BAND, "inferred", "Audio bandwidth.", "nb"),
    Key("opusOptions3G.complexity", Whole(0, 10), "inferred", "Effort of the encoder."),
    Key("opusOptions3G.bitrate", Whole(6000, 510000, "bit/s"), "inferred", "Bit rate."),
    Key("opusOptions3G.expectedPacketLoss", Whole(0, 100, "%"), "inferred", "Packet loss to prepare for.", "5"),
    Key("opusOptions3G.fec", Switch(), "inferred", "Forward error correction.", "1"),
    Key("opusOptions3G.dtx", Switch(), "inferred", "Silence is not sent.", "1"),
    Key("opusOptions3G.vbr", Switch(), "inferred", "Variable bit rate.", "1"),
))

VIDEO: Final = Section("Video Codecs", (
    Key("allowVideo", Switch(), "seen", "The account may make video calls.", "1"),
    Key("videoCodecOrder", _PAYLOADS, "inferred", "RTP payload numbers, the preferred first, on Wi-Fi.", "108,34,99"),
    Key("videoCodecOrder3G", _PAYLOADS, "inferred", "The same on cellular networks.", "108,34,99"),
    Key("videoMinKbpsWifi", _KBPS, "inferred", "Least bit rate on Wi-Fi.", "64"),
    Key("videoMaxKbpsWifi", _KBPS, "inferred", "Highest bit rate on Wi-Fi.", "384"),
    Key("videoMinKbps3G", _KBPS, "inferred", "Least bit rate on cellular networks.", "64"),
    Key("videoMaxKbps3G", _KBPS, "inferred", "Highest bit rate on cellular networks.", "192"),
    Key("videoDimsWifi", Word(), "inferred", "Size of the picture on Wi-Fi.", "qcif"),
    Key("videoDims3G", Word(), "inferred", "Size of the picture on cellular networks.", "qcif"),
))

CONFERENCING: Final = Section("Conferencing", (
    Key("conferencingEnabled", Switch(), "documented", "The user may hold conferences."),
))

SECURE_CALLS: Final = Section("Secure Calls", (
    Key("sdesIncoming", _POLICY, "seen", "SRTP with keys in the signalling, for incoming calls.", "enabled"),
    Key("sdesOutgoing", _POLICY, "seen", "SRTP with keys in the signalling, for outgoing calls.", "disabled"),
    Key("zrtpIncoming", _POLICY, "inferred", "ZRTP for incoming calls.", "disabled"),
    Key("zrtpOutgoing", _POLICY, "inferred", "ZRTP for outgoing calls.", "disabled"),
    Key("dtlsIncoming", _POLICY, "seen", "SRTP with keys by DTLS, for incoming calls.", "disabled"),
    Key("dtlsOutgoing", _POLICY, "seen", "SRTP with keys by DTLS, for outgoing calls.", "disabled"),
    Key("freeswitchZrtpCompatibility", Switch(), "inferred", "ZRTP the way FreeSWITCH likes it.", "0"),
))
