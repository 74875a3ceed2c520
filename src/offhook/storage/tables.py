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
