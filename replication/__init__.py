"""PSYNC replication, both roles."""
