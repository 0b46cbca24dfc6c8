"""CONFIG REWRITE. tests/differential/test_config.py lets redis-server rewrite the same files."""

import os
from pathlib import Path

import pytest

from redrock.config.directives import DIRECTIVES
from redrock.config.file import ConfigReader
from redrock.config.rewrite import SIGNATURE, rewrite_config_file, rewritten
from redrock.config.settings import Settings

SIGN = SIGNATURE + b"\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose directory is the test's own."""
    made = Settings(lambda path: os.stat(path) and None)
    made.dir = os.path.realpath(tmp_path)
    return made


def after(old: bytes, *changes: tuple[bytes, bytes], users: tuple[bytes, ...] = ()) -> bytes:
    """``old`` loaded, then the changes, then rewritten; without the three lines that every file gets."""
    settings = Settings(lambda path: None)
    settings.dir = "/"
    ConfigReader(settings, declare_user=lambda words: None).load(options=old)
    settings.set_many(changes)
    always = (
        b'dir "/"',
        b"latency-tracking-info-percentiles 50 99 99.9",
        b"save 3600 1",
        b"save 300 100",
        b"save 60 10000",
    )
    lines = rewritten(old, settings, users).split(b"\n")
    return b"\n".join(line for line in lines if line not in always)


def test_values_change_in_their_place_and_comments_stay() -> None:
    old = b"# my server\nport 7000\n\n# memory\nmaxmemory 1mb\nhz 10\n"
    assert after(old, (b"maxmemory", b"3gb")) == b"# my server\nport 7000\n\n# memory\nmaxmemory 3gb\nhz 10\n\n" + SIGN


def test_new_values_are_appended_below_the_signature() -> None:
    assert after(b"port 1", (b"timeout", b"5"), (b"requirepass", b'a"b')) == (
        b"port 1\n" + SIGN + b'timeout 5\nrequirepass "a\\"b"\n'
    )
    assert after(b"port 1\n" + SIGN + b"hz 20\n", (b"timeout", b"5")) == (b"port 1\n" + SIGN + b"hz 20\n\ntimeout 5\n")


def test_defaults_are_written_only_where_they_stand_already() -> None:
    assert after(b"hz 10\nport 6379", (b"hz", b"12")) == b"hz 12\nport 6379\n" + SIGN
    assert after(b"hz 12", (b"hz", b"10")) == b"hz 10\n" + SIGN


def test_directives_given_twice_keep_their_first_line() -> None:
    assert after(b"hz 1\n# between\nhz 2\nport 1") == b"hz 2\n# between\n\nport 1\n" + SIGN


def test_aliases_become_primary_names() -> None:
    assert after(b"slave-priority 7\n") == b"replica-priority 7\n\n" + SIGN


def test_save_lines_are_used_one_by_one() -> None:
    assert after(b"save 1 2\n# x\nsave 3 4\nsave 5 6", (b"save", b"7 8 9 10")) == (
        b"save 7 8\n# x\nsave 9 10\n\n" + SIGN
    )
    assert after(b"save 1 2\nsave 3 4", (b"save", b"")) == b'save ""\n\n' + SIGN
    assert after(b"save 1 2", (b"save", b"1 2 3 4")) == b"save 1 2\n" + SIGN + b"save 3 4\n"


def test_unset_directives_leave_the_file() -> None:
    assert after(b"masterauth x\nbind 1.2.3.4\nport 1", (b"masterauth", b""), (b"bind", b"* -::*")) == (
        b"\nport 1\n" + SIGN
    )


def test_output_buffer_lines_keep_their_places() -> None:
    old = b"client-output-buffer-limit normal 0 0 0\nclient-output-buffer-limit slave 1mb 1mb 1\n"
    assert after(old, (b"client-output-buffer-limit", b"pubsub 1 2 3")) == (
        b"client-output-buffer-limit normal 0 0 0\nclient-output-buffer-limit replica 1mb 1mb 1\n\n"
        + SIGN
        + b"client-output-buffer-limit pubsub 1 2 3\n"
    )


def test_other_lines_stay_and_unreadable_ones_become_comments(settings: Settings) -> None:
    old = b'include x.conf\nRENAME-command A b\n  port 1 \nnosuch directive\nport "1\n'
    text = rewritten(old, settings)
    assert text.startswith(b'include x.conf\nRENAME-command A b\nport 6379\n# ??? nosuch directive\n# ??? port "1\n')


def test_users_and_modules_become_what_is_in_force() -> None:
    old = b"user alice on\n# x\nuser bob on\nport 1"
    assert after(old, users=(b"default on nopass", b"carol off", b"dave off")) == (
        b"user default on nopass\n# x\nuser carol off\nport 1\n" + SIGN + b"user dave off\n"
    )
    assert after(old) == b"\n# x\n\nport 1\n" + SIGN
    assert b"user" not in after(old + b"\naclfile x", users=(b"default on",))


def test_the_leader_follows_the_server(settings: Settings) -> None:
    settings.replicaof = ("host", 6379)
    assert b"\nreplicaof host 6379\n" in rewritten(b"port 1\n", settings)
    settings.cluster_enabled = True
    assert b"replicaof" not in rewritten(b"replicaof a 1", settings)
    settings.cluster_enabled = False
    settings.replicaof = None
    assert b"replicaof" not in rewritten(b"slaveof a 1", settings)


def test_blank_lines_are_collapsed_and_rewriting_again_changes_nothing() -> None:
    once = after(b"\n\n\nport 1\n\n\n# x\n\n", (b"hz", b"20"))
    assert once == b"\nport 1\n\n# x\n\n" + SIGN + b"hz 20\n"
    assert after(once) == once + b"\n"
    assert after(once + b"\n") == once + b"\n"


def test_what_is_written_reads_back(settings: Settings) -> None:
    changes = [
        (b"requirepass", b"\xff \"'\\\n\x01"),
        (b"masteruser", b"a b"),
        (b"maxmemory", b"1234567890"),
        (b"maxmemory-clients", b"7%"),
        (b"notify-keyspace-events", b"KEA"),
        (b"shutdown-on-sigterm", b"nosave now"),
        (b"bind", b""),
        (b"save", b""),
        (b"oom-score-adj-values", b"-1 0 1"),
        (b"latency-tracking-info-percentiles", b""),
        (b"maxrockmem", b"1gb"),
        (b"maxpsmem", b"0"),
    ]
    settings.set_many(changes)
    again = Settings(lambda path: None)
    ConfigReader(again).load(options=rewritten(b"", settings))
    for directive in DIRECTIVES:
        name = directive.name.encode()
        assert again.get(name) == settings.get(name), name


def test_the_file_is_replaced_whole(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_bytes(b"port 7000\n")
    settings.config_file = str(path)
    settings.set_many([(b"hz", b"33")])
    (tmp_path / f"x.conf.rewrite-{os.getpid()}").write_bytes(b"left by a crash")
    old_mask = os.umask(0o027)
    try:
        rewrite_config_file(settings)
    finally:
        os.umask(old_mask)
    assert b"\nhz 33\n" in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.conf"]


def test_a_file_that_is_gone_is_written_anew(settings: Settings, tmp_path: Path) -> None:
    settings.config_file = str(tmp_path / "x.conf")
    rewrite_config_file(settings)
    assert (tmp_path / "x.conf").read_bytes().startswith(SIGN)


def test_a_failed_rewrite_leaves_the_old_file(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.mkdir()
    settings.config_file = str(path)
    with pytest.raises(IsADirectoryError):
        rewrite_config_file(settings)
    settings.config_file = str(tmp_path / "missing" / "x.conf")
    with pytest.raises(FileNotFoundError):
        rewrite_config_file(settings)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.conf"]
