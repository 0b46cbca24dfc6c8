"""Checks of texts."""

import pytest

from redrock.config.text_checks import (
    aof_directory_name_refusal,
    aof_file_name_refusal,
    db_file_name_refusal,
    host_name_refusal,
    shutdown_options_refusal,
    statsd_refusal,
    title_template_refusal,
)


def test_file_names_are_no_paths() -> None:
    assert db_file_name_refusal("dump.rdb") is None
    assert db_file_name_refusal("") is None
    assert db_file_name_refusal("a/b") == "dbfilename can't be a path, just a filename"
    assert db_file_name_refusal("a\\b") == "dbfilename can't be a path, just a filename"
    assert aof_file_name_refusal("a") is None
    assert aof_file_name_refusal("") == "appendfilename can't be empty"
    assert aof_file_name_refusal("/a") == "appendfilename can't be a path, just a filename"
    assert aof_directory_name_refusal("a") is None
    assert aof_directory_name_refusal("") == "appenddirname can't be empty"
    assert aof_directory_name_refusal("a/") == "appenddirname can't be a path, just a dirname"


def test_host_names() -> None:
    assert host_name_refusal("") is None
    assert host_name_refusal("Node-1.example.org") is None
    assert host_name_refusal("a" * 255) is None
    assert host_name_refusal("a" * 256) == "Hostnames must be less than 256 characters"
    for name in ("a_b", "a b", "ä", "a:1"):
        assert host_name_refusal(name) == "Hostnames may only contain alphanumeric characters, hyphens or dots"


def test_shutdown_cannot_both_save_and_not_save() -> None:
    assert shutdown_options_refusal(frozenset(("save", "now", "force"))) is None
    assert shutdown_options_refusal(frozenset(("save", "nosave"))) is not None


@pytest.mark.parametrize("template", ["{title} {port}", "redrock", "x{{y", "{config-file}x", "}", "{listen-addr}"])
def test_title_templates(template: str) -> None:
    assert title_template_refusal(template) is None


@pytest.mark.parametrize("template", ["", "  ", "{title}", "{nosuch}", "{title", "a {", "{}", "{Title}x"])
def test_bad_title_templates(template: str) -> None:
    assert title_template_refusal(template) == "template format is invalid or contains unknown variables"


def test_statsd_targets() -> None:
    for target in ("", "localhost:8125", "10.0.0.1:8125:redrock.", "h:1:"):
        assert statsd_refusal(target) is None
    for target in ("localhost", "localhost:", ":8125", "localhost:0", "localhost:65536", "localhost:x:prefix"):
        assert statsd_refusal(target) == "argument must be host:port or host:port:prefix"
