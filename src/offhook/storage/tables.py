"""The tables, declared once; times are whole seconds since 1970, JSON is kept as text."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

metadata: Final = sa.MetaData()

# --- portal ---

app_version: Final = sa.Table(
    "app_version",
    metadata,
    sa.Column("cloud_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),  # editable, live or past
    sa.Column("app", sa.Text, nullable=False),  # JSON of portal.app.App
    sa.Column("theme", sa.Text, nullable=False),  # digest of the package
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("created_s", sa.Integer, nullable=False),
    sa.Column("changed_s", sa.Integer, nullable=False),
    sa.Column("published_s", sa.Integer, nullable=True),
    # D17: at most one Live and one Editable version of an app.
    sa.Index(
        "one_of_each_state",
        "cloud_id",
        "state",
        unique=True,
        sqlite_where=sa.text("state <> 'past'"),
        postgresql_where=sa.text("state <> 'past'"),
    ),
)

# What phones were last served at each address of the portal, so that its date only ever grows when it changes (D10).
served_part: Final = sa.Table(
    "served_part",
    metadata,
    sa.Column("cloud_id", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, primary_key=True),  # editable or live
    sa.Column("part", sa.Text, primary_key=True),  # base, theme or screen
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("moment_s", sa.Integer, nullable=False),
)

# --- provider ---

tenant: Final = sa.Table(
    "tenant",
    metadata,
    sa.Column("cloud_id", sa.Text, primary_key=True),
    sa.Column("settings", sa.Text, nullable=False),  # JSON of provider.tenant.Tenant
    sa.Column("created_s", sa.Integer, nullable=False),
    sa.Column("changed_s", sa.Integer, nullable=False),
    sa.Column("modified_s", sa.Integer, nullable=False, server_default="0"),  # as storage.revisions says
)

subscriber: Final = sa.Table(
    "subscriber",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("cloud_id", sa.Text, nullable=False),
    sa.Column("username", sa.Text, nullable=False),
    sa.Column("username_key", sa.Text, nullable=False),  # the username without regard to case
    sa.Column("password", sa.Text, nullable=False),  # "argon2:...", "bcrypt:..." or "sealed:..."
    sa.Column("state", sa.Text, nullable=False),  # active or suspended
    sa.Column("attributes", sa.Text, nullable=False),  # JSON object of texts
    sa.Column("secrets", sa.Text, nullable=False),  # JSON object of sealed texts, the SIP password among them
    sa.Column("overrides", sa.Text, nullable=False),  # JSON object: key -> override
    sa.Column("quick_dials", sa.Text, nullable=False),  # JSON of core.dialplan.QuickDials
    sa.Column("sip_generated", sa.Boolean, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),  # grows with every change
    sa.Column("created_s", sa.Integer, nullable=False),
    sa.Column("changed_s", sa.Integer, nullable=False),
    sa.Column("modified_s", sa.Integer, nullable=False, server_default="0"),  # as storage.revisions says
    sa.Column("expires_s", sa.Integer, nullable=True),
    sa.Column("suspended_by", sa.Integer, nullable=False, server_default="0"),  # the decision, 0 for none
    sa.Column("expired_by", sa.Integer, nullable=False, server_default="0"),  # likewise; 0 until anybody has noticed
    sa.Column("expired_before_s", sa.Integer, nullable=True),  # what expires_s was until it was set
    sa.Index("subscriber_by_name", "cloud_id", "username_key", unique=True),
    sa.Index("subscriber_by_modified", "cloud_id", "modified_s"),
    sa.Index("subscriber_by_expiry", "cloud_id", "expires_s"),
    # A number that is given again would give one user's phones to another one.
    sqlite_autoincrement=True,
)

install: Final = sa.Table(
    "install",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # the X-install-id
    sa.Column("cloud_id", sa.Text, nullable=False),
    sa.Column("subscriber_id", sa.Integer, nullable=False),
    # Keyed hashes of what it may come back with, one behind the other; the token itself is nowhere.
    sa.Column("token_hash", sa.LargeBinary, nullable=False),
    sa.Column("device", sa.Text, nullable=False),  # the app's own %installid%, or empty
    sa.Column("user_agent", sa.Text, nullable=False),
    sa.Column("created_s", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="active"),  # active or ended
    sa.Column("ended", sa.Text, nullable=False, server_default=""),  # as provider.ports.Ending
    sa.Column("ended_s", sa.Integer, nullable=False, server_default="0"),
    sa.Column("seen_s", sa.Integer, nullable=False, server_default="0"),  # when it last asked
    sa.Column("held_s", sa.Integer, nullable=False, server_default="0"),  # the Last-Modified that it said it had
    sa.Column("push_token", sa.Text, nullable=False, server_default=""),  # sealed
    sa.Column("ended_by", sa.Integer, nullable=False, server_default="0"),  # the decision, 0 for none
    # The hash of the user's password as the phone has it, when it is the user's no more.
    sa.Column("password", sa.Text, nullable=False, server_default=""),
    # JSON of provider.circumstances.Circumstances: what the phone said of itself when it last asked.
    sa.Column("circumstances", sa.Text, nullable=False, server_default="{}"),
    # What it was served last where answers vary by themselves: from what, with which bytes, under which date.
    sa.Column("variant", sa.Text, nullable=False, server_default=""),
    sa.Column("digest", sa.Text, nullable=False, server_default=""),
    sa.Column("dated_s", sa.Integer, nullable=False, server_default="0"),
    # As provider.evidence.Met: its last two questions for the account, the last refusal, what it was told to wait.
    sa.Column("asked_s", sa.Integer, nullable=False, server_default="0"),
    sa.Column("before_s", sa.Integer, nullable=False, server_default="0"),
    sa.Column("refused_s", sa.Integer, nullable=False, server_default="0"),
    sa.Column("interval_s", sa.Integer, nullable=True),
    sa.Index("install_by_subscriber", "cloud_id", "subscriber_id"),
)

policy_version: Final = sa.Table(
    "policy_version",
    metadata,
    sa.Column("cloud_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.Text, nullable=False),  # editable, live or past
    sa.Column("text", sa.Text, nullable=False),  # as policy.document writes it
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("approved_by", sa.Text, nullable=False),  # the second person, where one was needed
    sa.Column(
        "base", sa.Integer, nullable=False, server_default="0"
    ),  # what was Live when it was written, 0 when nothing was
    sa.Column("created_s", sa.Integer, nullable=False),
    sa.Column("changed_s", sa.Integer, nullable=False),
    sa.Column("published_s", sa.Integer, nullable=True),
    sa.Index(
        "one_policy_of_each_state",
        "cloud_id",
        "state",
        unique=True,
        sqlite_where=sa.text("state <> 'past'"),
        postgresql_where=sa.text("state <> 'past'"),
    ),
)

# Who published what had this moment, and who else approved of it; of what nobody published by hand, there is no row.
publication: Final = sa.Table(
    "publication",
    metadata,
    sa.Column("cloud_id", sa.Text, primary_key=True),
    sa.Column("published_s", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),  # of the machine, whatever name was given
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("approved_by", sa.Text, nullable=False),
    sa.Column("approved_account", sa.Text, nullable=False),
    sa.Column("approved_s", sa.Integer, nullable=True),
)

# Who approves of exactly what, as long as it is not published.
approval: Final = sa.Table(
    "approval",
    metadata,
    sa.Column("cloud_id", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("author", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("given_s", sa.Integer, nullable=False),
)

# Who logged which number of users out, and whether they may go (D22).
decision: Final = sa.Table(
    "decision",
    metadata,
    sa.Column("cloud_id", sa.Text, primary_key=True),
    sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("reason", sa.Text, nullable=False),  # suspended, expired, revoked, deleted or rule
    sa.Column("author", sa.Text, nullable=False),  # empty when an account came due by itself
    sa.Column("made_s", sa.Integer, nullable=False),
    sa.Column("users", sa.Integer, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),  # of policy.fleetguard.Stage
    sa.Column("burst", sa.Integer, nullable=False),  # the first of those that share its limit
    sa.Column("passed", sa.Integer, nullable=False),  # how many users went freely just before the burst
    sa.Column("rule", sa.Text, nullable=False, server_default=""),  # id and version of the rule that decided
    sa.Index("decision_by_time", "cloud_id", "made_s"),
    sa.Index("decision_by_burst", "cloud_id", "burst"),
    sa.Index("decision_by_rule", "cloud_id", "rule"),
)

# The users who went while their decision was counted.
departure: Final = sa.Table(
    "departure",
    metadata,
    sa.Column("cloud_id", sa.Text, primary_key=True),
    sa.Column("decision", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("subscriber_id", sa.Integer, primary_key=True, autoincrement=False),
)

# Users whom a rule refused at the sign-in, so that there is no install to note it with; the last time of each.
turned_away: Final = sa.Table(
    "turned_away",
    metadata,
    sa.Column("cloud_id", sa.Text, primary_key=True),
    sa.Column("subscriber_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at_s", sa.Integer, nullable=False),
    sa.Column("install_id", sa.Text, nullable=False),  # which was drawn for it, and never given
    sa.Column("circumstances", sa.Text, nullable=False),  # as with installs
    sa.Index("turned_away_by_time", "at_s"),
)

# When the guards of a Cloud ID's rollouts last looked at its phones, and what they found.
rollout_round: Final = sa.Table(
    "rollout_round",
    metadata,
    sa.Column("cloud_id", sa.Text, primary_key=True),
    sa.Column("at_s", sa.Integer, nullable=False),
    sa.Column("reports", sa.Text, nullable=False),  # JSON list of provider.rollouts.Report
)

# --- accounts elsewhere ---

# Every SIP account that was ever asked for, written before a SIP system hears of it.
sip_account: Final = sa.Table(
    "sip_account",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # made up, and never given again: operation keys begin with it
    sa.Column("cloud_id", sa.Text, nullable=False),
    sa.Column("subscriber_id", sa.Integer, nullable=False),
    sa.Column("install_id", sa.Text, nullable=False),  # empty for the account of all phones of a user
    sa.Column("system", sa.Text, nullable=False),  # its name in the file of connections
    sa.Column("domain", sa.Text, nullable=False),
    sa.Column("username", sa.Text, nullable=False),
    sa.Column("aliases", sa.Text, nullable=False),  # JSON list: what the system was told last
    sa.Column("display_name", sa.Text, nullable=False),  # likewise
    # Sealed, or empty: the one that phones get, the one of before it while it is good, the one that is being set.
    sa.Column("password", sa.Text, nullable=False),
    sa.Column("former", sa.Text, nullable=False),
    sa.Column("coming", sa.Text, nullable=False),
    # The rotation that is asked for: nothing, with an overlap, or at once.
    sa.Column("rotating", sa.Text, nullable=False),
    sa.Column("forgets", sa.Boolean, nullable=False),  # whether the password is kept only till the phone has it
    sa.Column("rotated_s", sa.Integer, nullable=False),  # the modified_s of answers that have the password
    sa.Column("former_until_s", sa.Integer, nullable=False),
    sa.Column("rotate_s", sa.Integer, nullable=False),  # when it is to be rotated next; 0 for never
    sa.Column("wanted", sa.Text, nullable=False),  # active, disabled or removed
    sa.Column("version", sa.Integer, nullable=False),  # grows with every wish
    sa.Column("done", sa.Integer, nullable=False),  # the version of the last wish that came true
    sa.Column("confirmed", sa.Boolean, nullable=False),  # whether its install was issued
    sa.Column("leaving_s", sa.Integer, nullable=False),  # when it gives way to one in another system; 0 for never
    sa.Column("created_s", sa.Integer, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("next_s", sa.Integer, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("runner", sa.Text, nullable=False),
    sa.Column("leased_s", sa.Integer, nullable=False),  # until when the runner has it
    sa.Index("sip_account_of_owner", "cloud_id", "subscriber_id", "install_id", "system", "domain", unique=True),
    sa.Index("sip_account_by_address", "system", "domain", "username", unique=True),
    sa.Index("sip_account_to_do", "next_s", sqlite_where=sa.text("done < version")),
    sa.Index("sip_account_by_rotation", "rotate_s", sqlite_where=sa.text("rotate_s > 0")),
    sa.Index("sip_account_overlapping", "former_until_s", sqlite_where=sa.text("former <> ''")),
)

saga: Final = sa.Table(
    "saga",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("cloud_id", sa.Text, nullable=False),
    sa.Column("subscriber_id", sa.Integer, nullable=False),
    sa.Column("install_id", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),  # JSON of provider.saga.Saga
    sa.Column("is_over", sa.Boolean, nullable=False),
    sa.Column("began_s", sa.Integer, nullable=False),
    sa.Column("next_s", sa.Integer, nullable=False),
    sa.Column("ended_s", sa.Integer, nullable=False),
    sa.Column("runner", sa.Text, nullable=False),
    sa.Column("leased_s", sa.Integer, nullable=False),  # until when the runner has it
    sa.Index(
        "one_saga_of_each",
        "cloud_id",
        "subscriber_id",
        "install_id",
        unique=True,
        sqlite_where=sa.text("is_over = 0"),
    ),
    sa.Index("saga_to_do", "next_s", sqlite_where=sa.text("is_over = 0")),
    sa.Index("saga_by_end", "ended_s", sqlite_where=sa.text("is_over = 1")),
)

# --- telephone numbers ---

number_pool: Final = sa.Table(
    "number_pool",
    metadata,
    sa.Column("cloud_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),  # e164 or extension
    sa.Column("quarantine_s", sa.Integer, nullable=False),
)

number_range: Final = sa.Table(
    "number_range",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("scope", sa.Text, nullable=False),  # as in `number`
    sa.Column("cloud_id", sa.Text, nullable=False),
    sa.Column("pool", sa.Text, nullable=False),
    sa.Column("first", sa.BigInteger, nullable=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("digits", sa.Integer, nullable=False),
    sa.Column("coming", sa.BigInteger, nullable=False),  # every number below it has been given at some time
    sa.Index("number_range_by_pool", "cloud_id", "pool"),
    sa.Index("number_range_by_number", "scope", "digits", "first"),
)

# A number of which something is known; one that was never used has no row.
number: Final = sa.Table(
    "number",
    metadata,
    sa.Column("scope", sa.Text, primary_key=True),  # the Cloud ID of an extension; empty for numbers of the whole world
    sa.Column("number", sa.Text, primary_key=True),
    sa.Column("cloud_id", sa.Text, nullable=False),
    sa.Column("pool", sa.Text, nullable=False),
    sa.Column("used", sa.Text, nullable=False),  # of provider.numbers.Use
    sa.Column("subscriber_id", sa.Integer, nullable=False),  # 0 for nobody
    sa.Column("username_key", sa.Text, nullable=False),  # for whom it is pinned
    sa.Column("attribute", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),  # of the operation that took it
    sa.Column("since_s", sa.Integer, nullable=False),
    sa.Column("until_s", sa.Integer, nullable=False),  # the end of its quarantine
    sa.Index(
        "one_number_of_each",
        "cloud_id",
        "subscriber_id",
        "attribute",
        unique=True,
        sqlite_where=sa.text("subscriber_id <> 0"),
        postgresql_where=sa.text("subscriber_id <> 0"),
    ),
    sa.Index(
        "one_number_of_an_operation",
        "key",
        unique=True,
        sqlite_where=sa.text("key <> ''"),
        postgresql_where=sa.text("key <> ''"),
    ),
    sa.Index("number_by_use", "cloud_id", "pool", "used", "until_s"),
)

# --- who vouches for users ---

# The last good answer of the upstream for each user whom it vouches for.
vouched: Final = sa.Table(
    "vouched",
    metadata,
    sa.Column("cloud_id", sa.Text, primary_key=True),
    sa.Column("subscriber_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("upstream", sa.Text, nullable=False),  # its name in the file of connections
    sa.Column("answer", sa.Text, nullable=False),  # JSON of provider.upstream.Vouched
    sa.Column("asked_s", sa.Integer, nullable=False),  # when it answered so
    sa.Column("next_s", sa.Integer, nullable=False),  # when it is to be asked again
    sa.Column("gone_s", sa.Integer, nullable=False),  # since when it says that there is no such user; 0 while there is
    sa.Index("vouched_to_ask", "next_s"),
)

# The newest code that was sent to each address, known only by its keyed hash.
sign_up_code: Final = sa.Table(
    "sign_up_code",
    metadata,
    sa.Column("cloud_id", sa.Text, primary_key=True),
    sa.Column("username_key", sa.Text, primary_key=True),
    sa.Column("code_hash", sa.LargeBinary, nullable=False),
    sa.Column("expires_s", sa.Integer, nullable=False),
    sa.Column("tried", sa.Text, nullable=False),  # JSON object: how often it was tried wrongly, by network
    sa.Column("used_by", sa.Text, nullable=False),  # the device that signed in with it, or empty
    sa.Column("used_s", sa.Integer, nullable=False),
    sa.Column("day_s", sa.Integer, nullable=False),  # when a day began, and how many codes there were in it
    sa.Column("in_day", sa.Integer, nullable=False),
    sa.Index("sign_up_code_by_end", "expires_s"),
)

# --- invitations ---

# Every invitation: its token only by its keyed hash, and sealed while the mail with it is yet to be sent.
invitation: Final = sa.Table(
    "invitation",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("cloud_id", sa.Text, nullable=False),
    sa.Column("username", sa.Text, nullable=False),
    sa.Column("username_key", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),  # the newest one of a user is the only one that counts
    sa.Column("token_hash", sa.LargeBinary, nullable=False),
    sa.Column("created_s", sa.Integer, nullable=False),
    sa.Column("expires_s", sa.Integer, nullable=False),
    sa.Column("attributes", sa.Text, nullable=False),  # JSON object of texts, for a user who is made
    sa.Column("subscriber_id", sa.Integer, nullable=False),  # 0 while there is no such user
    sa.Column("address", sa.Text, nullable=False),  # where a mail goes, or empty
    sa.Column("sealed", sa.Text, nullable=False),  # the token while it is to be mailed
    sa.Column("next_s", sa.Integer, nullable=False),  # when the mail is to be tried
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("mailed_s", sa.Integer, nullable=False),
    sa.Column("runner", sa.Text, nullable=False),
    sa.Column("leased_s", sa.Integer, nullable=False),  # until when the runner has the mail
    sa.Column("used_by", sa.Text, nullable=False),  # the device that came first, or empty
    sa.Column("used_s", sa.Integer, nullable=False),
    sa.Column("revoked_s", sa.Integer, nullable=False),
    sa.Column("replaced_s", sa.Integer, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Index("invitation_by_token", "token_hash", unique=True),
    sa.Index("invitation_by_user", "cloud_id", "username_key", "version", unique=True),
    sa.Index("invitation_by_age", "cloud_id", "created_s", "id"),
    sa.Index(
        "invitation_to_mail",
        "next_s",
        sqlite_where=sa.text("sealed <> ''"),
        postgresql_where=sa.text("sealed <> ''"),
    ),
)
