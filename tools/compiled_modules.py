"""The list of modules that mypyc compiles: the synchronous ones on the hot path, and those they call."""

from pathlib import Path

COMPILED: tuple[str, ...] = (
    "redrock/errors.py",
    "redrock/interfaces.py",
    "redrock/datatypes/*.py",
    "redrock/util/crc.py",
    "redrock/util/lzf.py",
    "redrock/resp/*.py",
    "redrock/util/numbers.py",
    "redrock/util/glob.py",
    "redrock/util/long_double.py",
    "redrock/util/quoting.py",
    "redrock/util/random.py",
    "redrock/util/clock.py",
    # Neither what the store process imports, which is to stay small, nor what tasks implement.
    "redrock/cold/layout.py",
    "redrock/cold/owner.py",
    "redrock/cold/record.py",
    "redrock/cold/tier.py",
    "redrock/keyspace/*.py",
    "redrock/clients/*.py",
    "redrock/config/settings.py",
    "redrock/config/values.py",
    "redrock/monitoring/stats.py",
    "redrock/monitoring/slowlog.py",
    "redrock/monitoring/latency_histogram.py",
    "redrock/monitoring/monitor.py",
    "redrock/commands/*.py",
    "redrock/commands/generic/*.py",
    "redrock/server/poller.py",
    "redrock/server/propagation.py",
    "redrock/server/execution.py",
    "redrock/server/dispatcher.py",
    "redrock/server/serving.py",
    "redrock/server/throttle.py",
    "persistence/aof/*.py",
    "persistence/append_only.py",
    "persistence/files.py",
    "persistence/loader.py",
    "persistence/rdb/*.py",
    "persistence/rdb/values/*.py",
    "persistence/snapshot/engine.py",
    "persistence/status.py",
    "replication/backlog.py",
    "replication/feed.py",
    "replication/follower/apply.py",
    "replication/hooks.py",
    "replication/identity.py",
    "replication/leader/acks.py",
    "replication/protocol/stream.py",
)


def compiled_modules(root: Path) -> list[str]:
    """Paths relative to ``root``, package markers left out."""
    return sorted(
        {
            str(path.relative_to(root))
            for pattern in COMPILED
            for path in root.glob(pattern)
            if path.name != "__init__.py"
        }
    )
