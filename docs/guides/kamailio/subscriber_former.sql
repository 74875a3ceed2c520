-- The second table of kamailio.cfg: the HA1 that was good before a rotation, for as long as phones may still use it.
-- It has the columns that auth_db reads; PostgreSQL and SQLite take it as it stands.
CREATE TABLE subscriber_former (
    username VARCHAR(64) DEFAULT '' NOT NULL,
    domain VARCHAR(64) DEFAULT '' NOT NULL,
    password VARCHAR(64) DEFAULT '' NOT NULL,
    ha1 VARCHAR(128) DEFAULT '' NOT NULL,
    ha1b VARCHAR(128) DEFAULT '' NOT NULL,
    PRIMARY KEY (username, domain)
);

INSERT INTO version (table_name, table_version) VALUES ('subscriber_former', 7);
