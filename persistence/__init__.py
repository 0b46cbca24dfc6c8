"""RDB, AOF and snapshots."""
