"""Tables of Asterisk that the back-end uses, as two states of its Alembic migrations: the first, and a recent one."""

from __future__ import annotations

import sqlalchemy as sa

from offhook.sip.asterisk import ALIASES


def make(url: str, *, recent: bool) -> None:
    """Make the tables in an empty database."""
    engine = sa.create_engine(url)
    _metadata(recent=recent).create_all(engine)
    engine.dispose()


def _metadata(*, recent: bool) -> sa.MetaData:
    metadata = sa.MetaData()
    name = sa.String(255 if recent else 40)
    yes_no = (
        sa.Enum("0", "1", "off", "on", "false", "true", "no", "yes", name="ast_bool_values", metadata=metadata)
        if recent
        else sa.Enum("yes", "no", name="yesno_values", metadata=metadata)
    )
    auth_type = sa.Enum(
        "md5", "userpass", *(("google_oauth",) if recent else ()), name="pjsip_auth_type_values", metadata=metadata
    )
    sa.Table(
        "ps_endpoints",
        metadata,
        sa.Column("id", name, nullable=False, unique=True),
        sa.Column("transport", sa.String(40)),
        sa.Column("aors", sa.String(2048 if recent else 200)),
        sa.Column("auth", name),
        sa.Column("context", sa.String(40)),
        sa.Column("disallow", sa.String(200)),
        sa.Column("allow", sa.String(200)),
        sa.Column("direct_media", yes_no),
        sa.Column("device_state_busy_at", sa.Integer),
        sa.Column("callerid", sa.String(40)),
    )
    sa.Table(
        "ps_auths",
        metadata,
        sa.Column("id", name, nullable=False, unique=True),
        sa.Column("auth_type", auth_type),
        sa.Column("nonce_lifetime", sa.Integer),
        sa.Column("md5_cred", sa.String(40)),
        sa.Column("password", sa.String(80)),
        sa.Column("realm", name),
        sa.Column("username", sa.String(40)),
    )
    sa.Table(
        "ps_aors",
        metadata,
        sa.Column("id", name, nullable=False, unique=True),
        sa.Column("contact", name),
        sa.Column("max_contacts", sa.Integer),
        sa.Column("remove_existing", yes_no),
    )
    sa.Table(
        "ps_contacts",
        metadata,
        sa.Column("id", name, unique=True),
        sa.Column("uri", sa.String(511 if recent else 40)),
        sa.Column("expiration_time", sa.BigInteger if recent else sa.String(40)),
    )
    sa.Table(
        ALIASES,
        metadata,
        sa.Column("alias", sa.String(64), primary_key=True),
        sa.Column("domain", sa.String(255), primary_key=True),
        sa.Column("endpoint", sa.String(255), primary_key=True),
    )
    return metadata
