"""The ledger in a PostgreSQL server: one for all hosts, which its own writers cannot change."""
