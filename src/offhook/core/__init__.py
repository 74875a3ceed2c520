"""What provisioning means: login, Account XML, merging, placeholders and web services, computed and never performed."""
