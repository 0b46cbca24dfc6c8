"""Names and bytes of the format, as redis-server 7.0.15 makes them."""

import pytest

from persistence.aof import format as aof_format


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (aof_format.manifest_name("appendonly.aof"), "appendonly.aof.manifest"),
        (aof_format.temp_manifest_name("appendonly.aof"), "temp-appendonly.aof.manifest"),
        (aof_format.base_name("a", 2, True), "a.2.base.rdb"),
        (aof_format.base_name("a", 2, False), "a.2.base.aof"),
        (aof_format.increment_name("a", 13), "a.13.incr.aof"),
        (aof_format.temp_increment_name("a"), "temp-a.incr"),
        (aof_format.temp_base_name(77), "temp-rewriteaof-bg-77.aof"),
    ],
)
def test_names(made, expected):
    assert made == expected


def test_timestamp_annotation():
    assert aof_format.timestamp_annotation(1700000000) == b"#TS:1700000000\r\n"
