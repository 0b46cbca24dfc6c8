"""The texts of COMMAND DOCS as data: complete, and in step with the table. Replies are tested with COMMAND itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import redrock.commands
from redrock.commands.documentation import CommandDocs
from redrock.commands.table import build_table
from redrock.resp.reply import MapReply

FOLDER = Path(redrock.commands.__path__[0])
ROOT = Path(__file__).resolve().parents[3]
GROUPS = sorted(path.name for path in (FOLDER / "facts").glob("*.json"))


@pytest.mark.parametrize("group", GROUPS)
def test_facts_and_docs_name_the_same_commands(group: str) -> None:
    facts = json.loads((FOLDER / "facts" / group).read_text())
    docs = json.loads((FOLDER / "docs" / group).read_text())
    assert list(docs) == list(facts) == sorted(facts)
    assert all(row["summary"] for row in docs.values())
    assert all(text for row in docs.values() for _version, text in row.get("history", []))


def test_key_specs_that_arguments_name_exist() -> None:
    def named(arguments: list[dict]) -> list[int]:
        found = [argument["key_spec_index"] for argument in arguments if "key_spec_index" in argument]
        return found + [index for argument in arguments for index in named(argument.get("arguments", []))]

    table = build_table()
    for group in GROUPS:
        for name, row in json.loads((FOLDER / "docs" / group).read_text()).items():
            command = table.by_name(name.encode())
            assert command is not None
            assert set(named(row.get("arguments", []))) <= set(range(len(command.key_specs))), name


def test_subcommands_are_nested_in_their_container() -> None:
    container = build_table().by_name(b"config")
    assert container is not None
    reply = CommandDocs().reply(container)
    assert isinstance(reply, MapReply)
    nested = reply.items[list(reply.items).index(b"subcommands") + 1]
    assert isinstance(nested, MapReply)
    assert set(nested.items[::2]) == {b"config|" + name for name in (b"get", b"set", b"help", b"rewrite", b"resetstat")}


def test_the_page_of_commands_is_current() -> None:
    """If this fails: python tools/make_command_docs.py"""
    if not (ROOT / "tools").exists():
        pytest.skip("the compiled build has no tools")
    subprocess.run([sys.executable, "tools/make_command_docs.py", "--check"], cwd=ROOT, check=True)
