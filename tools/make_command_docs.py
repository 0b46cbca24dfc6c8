"""Writes docs/commands.md: every command by group, and whether this server has a handler for it.

python tools/make_command_docs.py            writes the file
python tools/make_command_docs.py --check    fails if the file is not what would be written
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from redrock.commands.command import Command  # noqa: E402
from redrock.commands.table import build_table  # noqa: E402

TARGET = ROOT / "docs" / "commands.md"

# In the order in which one gets to know them.
GROUPS = {
    "string": "Strings",
    "hash": "Hashes",
    "list": "Lists",
    "set": "Sets",
    "sorted-set": "Sorted sets",
    "stream": "Streams",
    "bitmap": "Bitmaps",
    "hyperloglog": "HyperLogLogs",
    "geo": "Places",
    "generic": "Keys of any type",
    "transactions": "Transactions",
    "pubsub": "Publish and subscribe",
    "scripting": "Scripts and functions",
    "connection": "Connections",
    "server": "The server",
    "cluster": "Cluster",
    "rock": "The cold tier (RedRock's own)",
}

HEAD = """# Commands

Made by `tools/make_command_docs.py`; do not edit. The names are those of Redis 7.0.15 and RedRock's own. COMMAND
describes all of them; a command that is *not yet* here is answered with `ERR unknown command`, as Redis answers a
command it does not have.

"""


def rows_of(command: Command) -> list[Command]:
    """The command, or its subcommands and, where it does something on its own (COMMAND), itself too."""
    if command.subcommands is None:
        return [command]
    return [command] * (command.handler is not None) + list(command.subcommands.values())


def page() -> str:
    table = build_table()
    texts = {}
    for path in (ROOT / "redrock" / "commands" / "docs").glob("*.json"):
        texts.update(json.loads(path.read_text()))
    groups: dict[str, list[Command]] = {}
    for command in table.commands():
        groups.setdefault(command.group.decode(), []).append(command)
    assert set(groups) == set(GROUPS), set(groups) ^ set(GROUPS)
    summary, sections = [], []
    for group, title in GROUPS.items():
        commands = groups[group]
        rows = [row for command in commands for row in rows_of(command)]
        done = sum(row.handler is not None for row in rows)
        summary.append(f"| [{title}](#{anchor(title)}) | {done} | {len(rows)} |\n")
        sections.append(f"\n## {title}\n\n| command | here | what it does |\n| --- | --- | --- |\n")
        for row in rows:
            name = row.name.decode()
            state = "yes" if row.handler is not None else "not yet"
            sections.append(f"| {name.upper().replace('|', ' ')} | {state} | {texts[name]['summary']} |\n")
    return HEAD + "| group | here | of |\n| --- | --- | --- |\n" + "".join(summary) + "".join(sections)


def anchor(title: str) -> str:
    """As GitHub makes it from a heading."""
    return "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter == "-")


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        if not TARGET.exists() or TARGET.read_text() != text:
            print("docs/commands.md is out of date: run python tools/make_command_docs.py", file=sys.stderr)
            return 1
        return 0
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
