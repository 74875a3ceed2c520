-- Numbers and names that ring at one account or at several, which the dial plan of the guide reads.
CREATE TABLE offhook_aliases (
    alias VARCHAR(64) NOT NULL,
    domain VARCHAR(255) NOT NULL,
    endpoint VARCHAR(255) NOT NULL,
    PRIMARY KEY (alias, domain, endpoint)
);

CREATE INDEX offhook_aliases_endpoint ON offhook_aliases (endpoint);
