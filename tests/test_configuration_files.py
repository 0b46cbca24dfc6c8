"""The files in conf/ and docs/configuration.md keep up with the table of directives."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from redrock.config.directives import DIRECTIVES
from redrock.config.file import ConfigReader
from redrock.config.settings import Settings

ROOT = Path(__file__).resolve().parent.parent

# What each file says that is not the default.
CHANGES = {
    "redrock.conf": {b"bind": b"127.0.0.1", b"maxrockmem": b"536870912"},
    "leader.conf": {b"bind": b"127.0.0.1", b"appendonly": b"yes", b"save": b"", b"repl-backlog-size": b"67108864"},
    "follower.conf": {
        b"bind": b"127.0.0.1",
        b"port": b"6380",
        b"replicaof": b"127.0.0.1 6379",
        b"maxrockmem": b"134217728",
        b"save": b"3600 1",
        b"dbfilename": b"follower.rdb",
    },
}


@pytest.mark.parametrize("name", CHANGES)
def test_files_say_what_they_are_meant_to(name: str) -> None:
    settings = Settings(lambda path: None)
    ConfigReader(settings).load(str(ROOT / "conf" / name))
    defaults = Settings(lambda path: None)
    values = {directive.name.encode(): settings.get(directive.name.encode()) for directive in DIRECTIVES}
    assert {name: value for name, value in values.items() if value != defaults.get(name)} == CHANGES[name]


def test_every_directive_is_explained() -> None:
    text = (ROOT / "conf" / "redrock.conf").read_text()
    given = set(re.findall(r"^(?:# )?([a-z_-]+) \S", text, re.MULTILINE))
    assert {directive.name for directive in DIRECTIVES} <= given
    # One that has a default stands with it; one without can only be a comment.
    plain = set(re.findall(r"^([a-z_-]+) \S", text, re.MULTILINE))
    settings = Settings()
    for directive in DIRECTIVES:
        assert directive.name in plain or settings.get(directive.name.encode()) == b"", directive.name


def test_the_page_about_configuration_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make_configuration_docs.py"), "--check"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
