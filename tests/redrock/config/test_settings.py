"""Current values: printed, changed all or nothing, with those told who want to know."""

import os
from pathlib import Path

import pytest

from redrock.config.directives import DIRECTIVES, Directive
from redrock.config.settings import Settings, find_directive, is_sensitive
from redrock.errors import ReplyError


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that do not move the test's process to another directory."""
    made = Settings(lambda path: os.stat(path) and None)
    made.dir = str(tmp_path)
    return made


def refusal(settings: Settings, *words: bytes, loading: bool = False, is_local: bool = False) -> bytes:
    """The text with which CONFIG SET of these words is refused."""
    pairs = list(zip(words[::2], words[1::2], strict=True))
    with pytest.raises(ReplyError) as caught:
        settings.set_many(pairs, loading=loading, is_local=is_local)
    return caught.value.text


def test_values_are_attributes(settings: Settings) -> None:
    assert settings.port == 6379
    assert settings.maxmemory_policy == "noeviction"
    settings.set_many([(b"MaxMemory", b"1mb"), (b"appendonly", b"yes"), (b"bind", b"a b")])
    assert settings.maxmemory == 1 << 20
    assert settings.appendonly is True
    assert settings.bind == ("a", "b")
    assert settings.get(b"MAXMEMORY") == b"1048576"
    assert settings.get(b"nosuch") is None


def test_an_alias_is_the_same_value(settings: Settings) -> None:
    settings.set_many([(b"slave-priority", b"7")])
    assert settings.replica_priority == 7
    assert settings.matching([b"slave-prio*", b"replica-prio*"]) == [
        (b"slave-priority", b"7"),
        (b"replica-priority", b"7"),
    ]
    # Redis does not notice that these two are one; the later one wins.
    settings.set_many([(b"slave-priority", b"8"), (b"replica-priority", b"9")])
    assert settings.replica_priority == 9


def test_matching(settings: Settings) -> None:
    assert settings.matching([b"PORT", b"port", b"nosuch"]) == [(b"PORT", b"6379")]
    assert settings.matching([b"maxmemory-s*", b"MAXMEMORY-SAMPLES"]) == [(b"maxmemory-samples", b"5")]
    assert settings.matching([b"MaxMemory-[s]*"]) == [(b"maxmemory-samples", b"5")]
    assert settings.matching([]) == []
    names = [name for name, _ in settings.matching([b"*"])]
    assert len(names) == len(set(names))
    assert b"rockdir" in names
    assert b"slaveof" in names


def test_hidden_directives_must_be_named_in_full(settings: Settings) -> None:
    assert settings.matching([b"watchdog-perio?", b"*"]) == settings.matching([b"*"])
    assert settings.matching([b"watchdog-period"]) == [(b"watchdog-period", b"0")]
    assert b"watchdog-period" not in dict(settings.matching([b"*"]))


def test_all_or_nothing(settings: Settings) -> None:
    before = settings.matching([b"*"])
    text = refusal(settings, b"maxmemory", b"1mb", b"save", b"1 1", b"slave-priority", b"-3")
    assert text == (
        b"ERR CONFIG SET failed (possibly related to argument 'slave-priority') - "
        b"argument must be between 0 and 2147483647 inclusive"
    )
    assert settings.matching([b"*"]) == before


def test_the_first_mistake_is_reported(settings: Settings) -> None:
    assert refusal(settings, b"Databases", b"1", b"nosuch", b"1").endswith(b"'Databases') - can't set immutable config")
    assert refusal(settings, b"nosuch", b"1", b"databases", b"1").endswith(b"CONFIG SET - 'nosuch'")
    assert refusal(settings, b"port", b"x", b"PORT", b"1").endswith(b"'PORT') - duplicate parameter")
    assert b"\n" not in refusal(settings, b"no\r\nsuch", b"1")


def test_while_loading(settings: Settings) -> None:
    assert refusal(settings, b"appendonly", b"yes", loading=True).startswith(b"LOADING ")
    settings.set_many([(b"maxmemory", b"1")], loading=True)
    assert settings.maxmemory == 1


def test_protected_directives(settings: Settings) -> None:
    assert refusal(settings, b"dbfilename", b"x", is_local=True).endswith(b"can't set protected config")
    settings.set_from_file(find(b"enable-protected-configs"), [b"local"])
    assert refusal(settings, b"dbfilename", b"x").endswith(b"can't set protected config")
    settings.set_many([(b"dbfilename", b"x")], is_local=True)
    settings.set_from_file(find(b"enable-protected-configs"), [b"yes"])
    settings.set_many([(b"dbfilename", b"y")])
    assert settings.dbfilename == "y"


def find(name: bytes) -> Directive:
    """The directive of that name."""
    found = find_directive(name)
    assert found is not None
    return found


def test_dir_is_entered_and_left_again(tmp_path: Path) -> None:
    entered: list[str] = []
    settings = Settings(entered.append)
    settings.set_from_file(find(b"enable-protected-configs"), [b"yes"])
    start = settings.dir
    assert start == os.getcwd()
    settings.set_many([(b"dir", os.fsencode(tmp_path))])
    assert settings.dir == os.path.realpath(tmp_path)
    refusal(settings, b"dir", b"..", b"maxmemory", b"x")
    here = os.path.realpath(tmp_path)
    assert entered == [here, os.path.dirname(here), here]
    assert settings.get(b"dir") == os.fsencode(here)


def test_dir_that_is_not_there(tmp_path: Path) -> None:
    settings = Settings()
    settings.set_from_file(find(b"enable-protected-configs"), [b"yes"])
    before = settings.dir
    missing = os.fsencode(tmp_path / "missing")
    assert refusal(settings, b"dir", missing).endswith(b"argument 'dir') - No such file or directory")
    assert settings.dir == before == os.getcwd()


def test_hooks_run_once_when_all_is_set(settings: Settings) -> None:
    seen: list[tuple[int, int]] = []

    def hook() -> None:
        seen.append((settings.maxmemory, settings.maxmemory_samples))

    settings.on_change("maxmemory", hook)
    settings.on_change("maxmemory-samples", hook)
    settings.set_many([(b"maxmemory", b"7"), (b"maxmemory-samples", b"8")])
    assert seen == [(7, 8)]
    settings.set_many([(b"maxmemory", b"7"), (b"hz", b"20")])
    assert seen == [(7, 8)]
    settings.set_from_file(find(b"maxmemory"), [b"9"])
    assert seen == [(7, 8)]


def test_setting_a_file_name_again_counts_as_a_change(settings: Settings) -> None:
    calls: list[str] = []
    settings.on_change("tls-cert-file", lambda: calls.append(settings.tls_cert_file))
    for _ in range(2):
        settings.set_many([(b"tls-cert-file", b"x.crt")])
    assert calls == ["x.crt", "x.crt"]


def test_a_hook_that_fails_puts_everything_back(settings: Settings) -> None:
    applied: list[int] = []

    def bind_port() -> None:
        if settings.port == 1:
            raise ValueError("Unable to listen on this port. Check server logs.")
        applied.append(settings.port)

    def note_timeout() -> None:
        applied.append(-settings.timeout)

    settings.on_change("port", bind_port)
    settings.on_change("timeout", note_timeout)
    assert refusal(settings, b"timeout", b"5", b"port", b"1") == (
        b"ERR CONFIG SET failed (possibly related to argument 'port') - "
        b"Unable to listen on this port. Check server logs."
    )
    assert (settings.timeout, settings.port) == (0, 6379)
    # First the new timeout; then both with the old values.
    assert applied == [-5, 0, 6379]


def test_hz_is_narrowed_to_what_is_useful(settings: Settings) -> None:
    settings.set_many([(b"hz", b"0")])
    assert settings.hz == 1
    settings.set_many([(b"hz", b"10000")])
    assert settings.hz == 500


def test_a_small_backlog_is_widened_at_run_time_only(settings: Settings) -> None:
    settings.set_from_file(find(b"repl-backlog-size"), [b"100"])
    assert settings.repl_backlog_size == 100
    settings.set_many([(b"repl-backlog-size", b"101")])
    assert settings.repl_backlog_size == 16384


def test_save_points_of_a_file_add_up(settings: Settings) -> None:
    save = find(b"save")
    settings.set_from_file(save, [b"900", b"1"])
    settings.set_from_file(save, [b"300 10 60 10000"])
    assert settings.save == ((900, 1), (300, 10), (60, 10000))
    settings.set_from_file(save, [b""])
    assert settings.save == ()
    settings.set_from_file(save, [b"5", b"6"])
    assert settings.save == ((5, 6),)
    settings.set_many([(b"save", b"1 2")])
    assert settings.save == ((1, 2),)


def test_words_of_several_arguments_are_split_at_single_blanks(settings: Settings) -> None:
    settings.set_many([(b"save", b"1 2 3 4")])
    assert settings.save == ((1, 2), (3, 4))
    # Between two blanks is an empty word, which reads as 0.
    settings.set_many([(b"save", b"1  2 3")])
    assert settings.save == ((1, 0), (2, 3))
    settings.set_many([(b"save", b""), (b"bind", b""), (b"latency-tracking-info-percentiles", b"")])
    assert (settings.save, settings.bind, settings.latency_tracking_info_percentiles) == ((), (), ())


def test_secrets(settings: Settings) -> None:
    settings.set_many([(b"requirepass", b"\xff\0x")])
    assert settings.requirepass == b"\xff\0x"
    assert settings.get(b"requirepass") == b"\xff\0x"
    assert is_sensitive(b"RequirePass")
    assert not is_sensitive(b"port")
    assert not is_sensitive(b"nosuch")


def test_defaults_print_for_every_directive(settings: Settings) -> None:
    for directive in DIRECTIVES:
        assert settings.get(directive.name.encode()) is not None
        if directive.alias:
            assert settings.get(directive.alias.encode()) == settings.get(directive.name.encode())
