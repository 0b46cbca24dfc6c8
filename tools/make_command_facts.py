"""Writes redrock/commands/facts/<group>.json from what a live redis-server says of its commands.

    python tools/make_command_facts.py [path of redis-server]

To be run when the target version changes. COMMAND gives all but group and version, which COMMAND DOCS adds. What
follows from the key specs (first key, last key, step, movablekeys) is left out: `redrock.commands.command` knows how.
facts/rock.json, the facts of RedRock's own commands, is written by hand and left alone.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import redis

FACTS = Path(__file__).resolve().parent.parent / "redrock" / "commands" / "facts"

# Flags that COMMAND does not show. Source: the command table of Redis 7.0.15.
HIDDEN_FLAGS = {
    "may_replicate": ("eval", "evalsha", "fcall", "pfcount", "publish", "spublish"),
    "protected": ("debug", "module|load", "module|loadex", "module|unload"),
    "touches_arbitrary_keys": ("randomkey", "scan"),
}

# Why a key has the flags it has, where that surprises. Redis says it at the same places, in its words; these are ours.
KEY_NOTES = {
    ("set", 0): "With GET the old value is read, so the flags depend on the arguments",
    ("bitfield", 0): "Reads, changes or both, as its subcommands say",
    ("getex", 0): "Changes the time to live",
    ("pfcount", 0): "May renew the cached cardinality inside the value, which is then propagated",
    ("sort", 1): "Keys that BY and GET reach: their names depend on the elements",
    ("sort", 2): "Destination of STORE, an option that may stand anywhere",
    ("sort_ro", 1): "Keys that BY and GET reach: their names depend on the elements",
    ("xadd", 0): "Not only adds: trimming may remove entries",
}
SCRIPT_NOTE = "What a script does with its keys is unknown; this is the most it could do"


def ask(connection: redis.Connection, *words: str) -> object:
    connection.send_command(*words)
    return plain(connection.read_response())


def plain(reply: object) -> object:
    if isinstance(reply, bytes):
        return reply.decode()
    if isinstance(reply, list):
        return [plain(item) for item in reply]
    return reply


def pairs(flat: list) -> dict:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def key_spec_row(name: str, position: int, flat: list) -> dict:
    spec = pairs(flat)
    begin, find = pairs(spec["begin_search"]), pairs(spec["find_keys"])
    where, how = pairs(begin["spec"]), pairs(find["spec"])
    row: dict = {"flags": spec["flags"]}
    if "notes" in spec:
        row["notes"] = KEY_NOTES.get((name, position), SCRIPT_NOTE)
    if begin["type"] == "index":
        row["index"] = where["index"]
    elif begin["type"] == "keyword":
        row["keyword"] = [where["keyword"], where["startfrom"]]
    if find["type"] == "range":
        row["range"] = [how["lastkey"], how["keystep"], how["limit"]]
    elif find["type"] == "keynum":
        row["keynum"] = [how["keynumidx"], how["firstkey"], how["keystep"]]
    return row


def collect(rows: list, docs: dict, groups: dict[str, dict]) -> None:
    for name, arity, flags, _first, _last, _step, categories, tips, specs, subcommands in rows:
        doc = pairs(docs[name])
        hidden = [flag for flag, names in HIDDEN_FLAGS.items() if name in names]
        row: dict = {
            "arity": arity,
            "flags": [flag for flag in flags if flag != "movablekeys"] + hidden,
            "acl": [category.removeprefix("@") for category in categories],
        }
        if specs:
            row["keys"] = [key_spec_row(name, position, spec) for position, spec in enumerate(specs)]
        if tips:
            row["tips"] = tips
        row["since"] = doc["since"]
        groups.setdefault(doc["group"], {})[name] = row
        if subcommands:
            collect(subcommands, pairs(doc["subcommands"]), groups)


def read_from_server(program: str) -> dict[str, dict]:
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/socket"
        server = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder], stdout=subprocess.DEVNULL
        )
        try:
            deadline = time.monotonic() + 10
            while not Path(socket).exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            connection = redis.UnixDomainSocketConnection(path=socket, protocol=2)
            connection.connect()
            groups: dict[str, dict] = {}
            collect(ask(connection, "COMMAND"), pairs(ask(connection, "COMMAND", "DOCS")), groups)
            connection.disconnect()
            return groups
        finally:
            server.terminate()
            server.wait()


def main() -> None:
    groups = read_from_server(sys.argv[1] if len(sys.argv) > 1 else "redis-server")
    FACTS.mkdir(exist_ok=True)
    for group, rows in groups.items():
        lines = [f"{json.dumps(name)}: {json.dumps(rows[name])}" for name in sorted(rows)]
        (FACTS / f"{group.replace('-', '_')}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{sum(len(rows) for rows in groups.values())} commands and subcommands in {len(groups)} groups")


if __name__ == "__main__":
    main()
