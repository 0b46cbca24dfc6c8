"""redis.conf: syntax, includes, lines that are no directives, and the report of what is wrong."""

import os
from pathlib import Path

import pytest

from redrock.config.file import INCLUDE_DEPTH_MAX, ConfigError, ConfigLineError, ConfigOpenError, ConfigReader
from redrock.config.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose directory is the test's own."""
    made = Settings(lambda path: os.stat(path) and None)
    made.dir = os.path.realpath(tmp_path)
    return made


def load(settings: Settings, text: bytes) -> None:
    """Read ``text`` as options: its first line is line 2 of the whole."""
    ConfigReader(settings).load(options=text)


def reason(settings: Settings, text: bytes) -> str:
    """Why ``text`` cannot be read."""
    with pytest.raises(ConfigLineError) as caught:
        load(settings, text)
    return caught.value.reason


def test_syntax(settings: Settings) -> None:
    load(
        settings,
        b"# port 1\n\n  \t\n  PORT 7000 \r\nrequirepass \"a \\x41\\n\"\n\ttimeout\t5\ndbfilename 'a b'\n  # end",
    )
    assert settings.port == 7000
    assert settings.requirepass == b"a A\n"
    assert settings.timeout == 5
    assert settings.dbfilename == "a b"


def test_later_lines_win_but_save_adds_up(settings: Settings) -> None:
    load(settings, b"port 1\nport 2\nsave 1 2\nsave 3 4\nslave-priority 5\nreplica-priority 6")
    assert settings.port == 2
    assert settings.save == ((1, 2), (3, 4))
    assert settings.replica_priority == 6


def test_several_words_may_be_one_argument(settings: Settings) -> None:
    load(settings, b'bind "127.0.0.1  ::1"\nsave "1 2 3 4"\nreplicaof "host 1"\nshutdown-on-sigint "now force"')
    assert settings.bind == ("127.0.0.1", "::1")
    assert settings.save == ((1, 2), (3, 4))
    assert settings.replicaof == ("host", 1)
    assert settings.shutdown_on_sigint == ("now", "force")


def test_one_class_of_output_buffers_per_line(settings: Settings) -> None:
    load(settings, b"client-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit pubsub 4 5 6")
    assert settings.get(b"client-output-buffer-limit") == b"normal 1 2 3 slave 268435456 67108864 60 pubsub 4 5 6"


def test_empty_save_and_retired_names(settings: Settings) -> None:
    load(settings, b'save ""\nlist-max-ziplist-entries 512\nlua-replicate-commands yes')
    assert settings.save == ()
    assert reason(settings, b"list-max-ziplist-entries 1 2") == "Bad directive or wrong number of arguments"


def test_what_follows_a_nul_is_not_read(settings: Settings) -> None:
    load(settings, b"port 1\n\0\nport 2")
    assert settings.port == 1


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"nosuch 1", "Bad directive or wrong number of arguments"),
        (b"port", "wrong number of arguments"),
        (b"port 1 2", "wrong number of arguments"),
        (b"port x", "argument couldn't be parsed into an integer"),
        (b'requirepass "x', "Unbalanced quotes in configuration line"),
        (b"save 1", "Invalid save parameters"),
        (b"replicaof host", "wrong number of arguments"),
        (b"include", "Bad directive or wrong number of arguments"),
        (b"rename-command A", "Bad directive or wrong number of arguments"),
        (b"loadmodule x.so", "Modules are not supported by RedRock"),
        (b"module.setting", "Module config specified without value"),
        (b"module.setting 1", "Module Configuration detected without loadmodule directive"),
        (b"sentinel monitor a b 1 1", "sentinel directive while not in sentinel mode"),
        (b"user default on", "User declarations are not supported by this version of RedRock"),
        (b"activedefrag yes", None),
    ],
)
def test_bad_lines(settings: Settings, line: bytes, text: str | None) -> None:
    found = reason(settings, line)
    assert found == text or text is None


def test_the_report_is_redis(settings: Settings) -> None:
    with pytest.raises(ConfigLineError) as caught:
        load(settings, b'port 1\n  nosuch "a b" \xff ')
    assert caught.value.report().encode("utf-8", "surrogateescape") == (
        b"\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n"
        b"Reading the configuration file, at line 3\n"
        b">>> 'nosuch \"a b\" \xff'\n"
        b"Bad directive or wrong number of arguments\n"
    )


def test_file_then_standard_input_then_options(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_bytes(b"port 1\nhz 11\ntimeout 1\n")
    ConfigReader(settings).load("a.conf", b"hz 12\ntimeout 2\n", b"timeout 3")
    assert (settings.port, settings.hz, settings.timeout) == (1, 12, 3)


def test_include(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.conf").write_bytes(b"port 1\ninclude b.conf\nhz 13")
    (tmp_path / "b.conf").write_bytes(b"port 2\nhz 12\ndir sub\ninclude c.conf")
    (tmp_path / "sub" / "c.conf").write_bytes(b"timeout 9")
    ConfigReader(settings).load(str(tmp_path / "a.conf"))
    assert (settings.port, settings.hz, settings.timeout) == (2, 13, 9)


def test_include_by_pattern_in_order_of_name(settings: Settings, tmp_path: Path) -> None:
    for name, port in (("2.conf", 2), ("10.conf", 10), ("1.conf", 1), (".hidden.conf", 7)):
        # No line end: the files are joined as they are.
        (tmp_path / name).write_bytes(b"\nport %d\n" % port)
    load(settings, b"include *.conf\ninclude nothing-*.conf\ninclude [x]?.conf")
    assert settings.port == 2


def test_line_numbers_are_those_of_the_included_file(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "b.conf").write_bytes(b"port 2\n\nnosuch\n")
    with pytest.raises(ConfigLineError) as caught:
        load(settings, b"\n\n\n\ninclude b.conf")
    assert (caught.value.line_number, caught.value.line) == (3, b"nosuch")


def test_include_of_itself_ends(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_bytes(b"include a.conf")
    assert reason(settings, b"include a.conf") == f"Files are included more than {INCLUDE_DEPTH_MAX} deep"


def test_a_file_that_cannot_be_read(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ConfigOpenError) as caught:
        load(settings, b"include missing.conf")
    assert str(caught.value) == "Fatal error, can't open config file 'missing.conf': No such file or directory"
    # Differs from Redis: a directory reads as an empty file there, and nobody learns that nothing was configured.
    with pytest.raises(ConfigOpenError, match="Is a directory"):
        ConfigReader(settings).load(str(tmp_path))
    assert caught.value.report() == str(caught.value) + "\n"


def test_log_file_must_be_writable(settings: Settings, tmp_path: Path) -> None:
    assert reason(settings, b"logfile missing/log") == "Can't open the log file: No such file or directory"
    load(settings, b"logfile log")
    assert (tmp_path / "log").read_bytes() == b""


def test_no_leader_in_cluster_mode(settings: Settings) -> None:
    with pytest.raises(ConfigLineError) as caught:
        load(settings, b"cluster-enabled yes\nreplicaof host 1")
    assert caught.value.report() == (
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nreplicaof directive not allowed in cluster mode\n"
    )


def test_renamed_commands_are_checked_and_kept(settings: Settings) -> None:
    def rename(old: bytes, new: bytes) -> None:
        if old == b"NOSUCH":
            raise ValueError("No such command in rename-command")

    reader = ConfigReader(settings, rename)
    reader.load(options=b'rename-command FLUSHALL ""\nRename-Command Get Fetch')
    assert settings.renamed_commands == [(b"FLUSHALL", b""), (b"Get", b"Fetch")]
    with pytest.raises(ConfigLineError, match="No such command in rename-command"):
        reader.load(options=b"rename-command NOSUCH x")


def test_users_are_handed_on(settings: Settings) -> None:
    users: list[list[bytes]] = []
    ConfigReader(settings, declare_user=users.append).load(options=b"User bob on >secret ~*")
    assert users == [[b"User", b"bob", b"on", b">secret", b"~*"]]


def test_every_error_has_a_report() -> None:
    with pytest.raises(NotImplementedError):
        ConfigError("x").report()
