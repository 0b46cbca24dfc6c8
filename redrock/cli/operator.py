"""`redrock`: the operators' tool. It reads files of a server that is stopped, or copies of them; it changes nothing.

Exit codes: 0 the file is whole, 1 it is not (as redis-check-rdb and redis-check-aof), 2 it cannot be read.
"""

import sys
from pathlib import Path
from typing import Final, NoReturn

import click

from persistence.aof.manifest import ManifestError, parse_manifest
from persistence.aof.reader import AofEnd, AofReader
from persistence.rdb.events import Aux, EndOfFile, KeyRecord, RdbEvent, SelectDb
from persistence.rdb.reader import RdbReader
from redrock.cli.server import version_line
from redrock.errors import CorruptionError

_READ_BYTES: Final = 1 << 20


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(message=version_line(), prog_name="redrock")
def main() -> None:
    """Look after RedRock's and Redis's files."""


class RdbSummary:
    """What has been seen of one RDB."""

    def __init__(self) -> None:
        self.aux: Final[list[tuple[bytes, bytes]]] = []
        self.databases: Final[set[int]] = set()
        self.keys = 0
        self.with_expiry = 0
        self.ended = False

    def take(self, event: RdbEvent) -> None:
        if isinstance(event, KeyRecord):
            self.keys += 1
            self.with_expiry += event.expire_at_ms >= 0
        elif isinstance(event, SelectDb):
            self.databases.add(event.dbid)
        elif isinstance(event, Aux):
            self.aux.append((event.name, event.value))
        elif isinstance(event, EndOfFile):
            self.ended = True

    def print(self) -> None:
        for name, value in self.aux:
            click.echo(f"AUX {name.decode(errors='replace')} = {value.decode(errors='replace')}")
        click.echo(f"{self.keys} keys read, {self.with_expiry} with an expiry, in {len(self.databases)} databases")


@main.command("check-rdb")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def check_rdb(file: Path) -> None:
    """Read an RDB file to its end, its checksum included, and say what is in it."""
    reader = RdbReader(decodable_only=False)
    summary = RdbSummary()
    try:
        with file.open("rb") as stream:
            while not summary.ended:
                event = reader.next_event()
                if event is not None:
                    summary.take(event)
                    continue
                data = stream.read(_READ_BYTES)
                if data:
                    reader.feed(data)
                else:
                    reader.end_of_input()
    except CorruptionError as error:
        summary.print()
        _broken(file, error)
    except OSError as error:
        _unreadable(file, error)
    summary.print()
    click.echo(f"RDB version {reader.version}: {file} is whole")


@main.command("check-aof")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def check_aof(file: Path) -> None:
    """Read an append-only file, or every file that a manifest names, and say how far each is whole."""
    if file.name.endswith(".manifest"):
        try:
            manifest = parse_manifest(file.read_bytes())
        except OSError as error:
            _unreadable(file, error)
        except ManifestError as error:
            click.echo(f"{file}: {error}", err=True)
            sys.exit(1)
        files = [file.parent / row.name for row in manifest.files_to_load()]
    else:
        files = [file]
    whole = [_check_one_aof(each) for each in files]
    sys.exit(0 if all(whole) else 1)


def _check_one_aof(file: Path) -> bool:
    reader = AofReader(str(file), decodable_only=False)
    commands = 0
    keys = 0
    try:
        with file.open("rb") as stream:
            while True:
                event = reader.next_event()
                if isinstance(event, AofEnd):
                    break
                if isinstance(event, list):
                    commands += 1
                elif event is not None:
                    keys += isinstance(event, KeyRecord)
                elif data := stream.read(_READ_BYTES):
                    reader.feed(data)
                else:
                    reader.end_of_input()
    except CorruptionError as error:
        _broken(file, error)
    except OSError as error:
        _unreadable(file, error)
    size = file.stat().st_size
    whole = not event.truncated and not event.open_transaction
    click.echo(
        f"{file}: {keys} keys in its RDB part, {commands} commands; {size} bytes, whole up to {event.valid_up_to}"
    )
    if not whole:
        click.echo(f"{file} is not whole: {size - event.valid_up_to} bytes at its end cannot be used", err=True)
    return whole


def _broken(file: Path, error: CorruptionError) -> NoReturn:
    click.echo(f"{file} is broken: {error}", err=True)
    sys.exit(1)


def _unreadable(file: Path, error: OSError) -> NoReturn:
    click.echo(f"{file} cannot be read: {error.strerror or error}", err=True)
    sys.exit(2)
