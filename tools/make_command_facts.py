"""Writes redrock/commands/facts/<group>.json and docs/<group>.json from what a live redis-server says of its commands.

    python tools/make_command_facts.py [path of redis-server]

To be run when the target version changes. Facts: COMMAND gives all but group and version, which COMMAND DOCS adds. What
follows from the key specs (first key, last key, step, movablekeys) is left out: `redrock.commands.command` knows how.
Docs: argument trees and flags come from COMMAND DOCS. Texts (summary, complexity, history, replaced_by) are our own and
are kept as they stand in the file; what lacks one is named at the end, to be written by hand.
rock.json, of RedRock's own commands, is written by hand in both folders and left alone.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import redis

COMMANDS = Path(__file__).resolve().parent.parent / "redrock" / "commands"

Row = dict[str, object]
Groups = dict[str, dict[str, Row]]

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


def key_spec_row(name: str, position: int, flat: list) -> Row:
    spec = pairs(flat)
    begin, find = pairs(spec["begin_search"]), pairs(spec["find_keys"])
    where, how = pairs(begin["spec"]), pairs(find["spec"])
    row: Row = {"flags": spec["flags"]}
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


def argument_row(flat: list) -> Row:
    row = pairs(flat)
    if "arguments" in row:
        row["arguments"] = [argument_row(nested) for nested in row["arguments"]]
    return row


def doc_row(doc: dict, old: Row) -> Row:
    """``doc`` as the server told it, with its texts replaced by our own."""
    row: Row = {field: old.get(field, "") for field in ("summary", "complexity", "replaced_by") if field in doc}
    row |= {field: doc[field] for field in ("doc_flags", "deprecated_since") if field in doc}
    if "history" in doc:
        texts = [text for _version, text in old.get("history", [])]
        texts += [""] * (len(doc["history"]) - len(texts))
        row["history"] = [[version, text] for (version, _theirs), text in zip(doc["history"], texts, strict=True)]
    if "arguments" in doc:
        row["arguments"] = [argument_row(argument) for argument in doc["arguments"]]
    return row


def collect(rows: list, docs: dict, facts: Groups, texts: Groups) -> None:
    for name, arity, flags, _first, _last, _step, categories, tips, specs, subcommands in rows:
        doc = pairs(docs[name])
        hidden = [flag for flag, names in HIDDEN_FLAGS.items() if name in names]
        row: Row = {
            "arity": arity,
            "flags": [flag for flag in flags if flag != "movablekeys"] + hidden,
            "acl": [category.removeprefix("@") for category in categories],
        }
        if specs:
            row["keys"] = [key_spec_row(name, position, spec) for position, spec in enumerate(specs)]
        if tips:
            row["tips"] = tips
        row["since"] = doc["since"]
        group = doc["group"].replace("-", "_")
        facts.setdefault(group, {})[name] = row
        texts.setdefault(group, {})[name] = doc
        if subcommands:
            collect(subcommands, pairs(doc["subcommands"]), facts, texts)


def read_from_server(program: str) -> tuple[Groups, Groups]:
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
            facts: Groups = {}
            docs: Groups = {}
            collect(ask(connection, "COMMAND"), pairs(ask(connection, "COMMAND", "DOCS")), facts, docs)
            connection.disconnect()
            return facts, docs
        finally:
            server.terminate()
            server.wait()


def write_facts(group: str, rows: dict[str, Row]) -> None:
    """A line per command."""
    lines = [f"{json.dumps(name)}: {json.dumps(rows[name])}" for name in sorted(rows)]
    (COMMANDS / "facts" / f"{group}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def write_docs(group: str, docs: dict[str, Row]) -> list[str]:
    """A line per text and per argument. Returns the names of commands that lack a text."""
    path = COMMANDS / "docs" / f"{group}.json"
    old = json.loads(path.read_text()) if path.exists() else {}
    entries = []
    incomplete = []
    for name in sorted(docs):
        row = doc_row(docs[name], old.get(name, {}))
        fields = []
        for field, value in row.items():
            text = json.dumps(value)
            if field in ("arguments", "history"):
                text = "[\n  " + ",\n  ".join(json.dumps(item) for item in value) + "\n ]"
            fields.append(f" {json.dumps(field)}: {text}")
        entries.append(f"{json.dumps(name)}: {{\n" + ",\n".join(fields) + "\n}")
        texts = [row.get(field, "-") for field in ("summary", "complexity", "replaced_by")]
        texts += [text for _version, text in row.get("history", [])]
        if not all(texts):
            incomplete.append(name)
    path.write_text("{\n" + ",\n".join(entries) + "\n}\n")
    return incomplete


def main() -> None:
    facts, docs = read_from_server(sys.argv[1] if len(sys.argv) > 1 else "redis-server")
    for group, rows in facts.items():
        write_facts(group, rows)
    incomplete = [name for group, rows in docs.items() for name in write_docs(group, rows)]
    print(f"{sum(len(rows) for rows in facts.values())} commands and subcommands in {len(facts)} groups")
    if incomplete:
        print("texts are missing for:", ", ".join(incomplete))


if __name__ == "__main__":
    main()
