"""Runs Redis's own Tcl test suite with redrock-server in redis-server's place (`make redis-suite`).

Each file of the suite runs in a scratch copy of the source tree's tests, whose src/redis-server is a wrapper around our
server; nothing of the suite enters this repository. The suite runs with --durable: an exception ends the test or the
block of tests that raised it, not the file. `--oracle` runs the same files against Debian's redis-server as well and
names what fails only here. Needs tclsh and, from Debian, redis-cli, redis-benchmark, redis-check-aof, redis-check-rdb.

The exit code is 0 if every file came to its end and nothing failed but what the oracle fails too.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import click

ROOT = Path(__file__).resolve().parent.parent
COMPILED = ROOT / "build" / "compiled"
TOOLS = ("redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb")
# Ports that one file may use. The suite gives each server one port of them, and looks at that port + 10000 as well.
PORTS_PER_FILE = 400

# The suite fills servers with data of all types. With --simple-data it is strings and hashes instead, for as long as
# the other types are to come: otherwise hardly a test of replication could run.
SIMPLE_DATA = r"""
proc createComplexDataset {r ops {opt {}}} {
    set tag [expr {"usetag" in $opt ? "{t}" : ""}]
    for {set done 0} {$done < $ops} {incr done} {
        set key [randomKey]$tag
        if {"useexpire" in $opt && rand() < 0.1} {
            {*}$r expire [randomKey] [randomInt 2]
        }
        switch [{*}$r type $key] {
            string { randpath {{*}$r set $key [randomValue]} {{*}$r del $key} }
            hash { randpath {{*}$r hset $key [randomValue] [randomValue]} {{*}$r hdel $key [randomValue]} }
            default { randpath {{*}$r set $key [randomValue]} {{*}$r hset $key [randomValue] [randomValue]} }
        }
    }
}
"""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FAILED_TEST = re.compile(r"^\[err\]: (?P<name>.*) in tests/\S+\.tcl$")
_MISSING = re.compile(r"n command '([^']+)', with args beginning with")
_IN_PROGRESS = re.compile(r"=> \(IN PROGRESS\) (?P<name>.*)$")


@attrs.define
class FileResult:
    """What one file of the suite came to.

    ``failed`` has the names of tests with the reason in short; ``broken`` holds first lines of errors outside of tests.
    """

    name: str
    passed: int = 0
    failed: dict[str, str] = attrs.Factory(dict)
    broken: list[str] = attrs.Factory(list)
    ignored: int = 0
    skipped: int = 0
    ended: bool = False
    aborted_at: str = ""
    seconds: float = 0.0

    @property
    def lacking(self) -> int:
        """How many failed for want of a command that is still to come."""
        return sum(reason.startswith("needs ") for reason in self.failed.values())

    def summary(self) -> str:
        text = f"passed {self.passed:4d}  failed {len(self.failed):3d}  err {len(self.broken):3d}  "
        text += f"ignored {self.ignored:3d}  {self.seconds:5.0f} s"
        if self.lacking:
            text += f"  ({self.lacking} for want of a command)"
        return text if self.ended else f"{text}  aborted at: {self.aborted_at or 'the start'}"


def parse_output(name: str, output: str) -> FileResult:
    """Read what the suite printed. Tests that raise an exception count as failed, as those whose assertion fails do."""
    result = FileResult(name)
    last_seen = failing = ""
    for raw in output.splitlines():
        line = _COLOUR.sub("", raw)
        if line.startswith("The following tests failed") or "!!! WARNING" in line:
            break  # From here on, the suite repeats itself.
        if failing and not line.startswith("["):
            result.failed[failing] = reason_of(line, result.failed[failing])
            continue
        failing = ""
        if line.startswith("[ok]: "):
            result.passed += 1
            last_seen = "after " + line[6:].rsplit(" (", 1)[0]
        elif line.startswith("[err]: "):
            failed = _FAILED_TEST.match(line)
            if failed:
                failing = failed["name"]
                result.failed.setdefault(failing, "")
                last_seen = "after " + failed["name"]
            else:
                result.broken.append(line[7:])
        elif line.startswith("[exception]: "):
            result.broken.append(line[13:])
        elif line.startswith("[TIMEOUT]"):
            result.broken.append("no progress")
        elif line.startswith("[ignore]: "):
            result.ignored += 1
        elif line.startswith("[skip]: "):
            result.skipped += 1
        elif re.match(r"^\[\d+/\d+ done\]: ", line):
            result.ended = True
        elif progress := _IN_PROGRESS.search(line):
            last_seen = progress["name"]
    if not result.ended:
        result.aborted_at = last_seen
    return result


def reason_of(line: str, so_far: str) -> str:
    """The reason in short, from the lines under a failed test: a command that is missing says it all."""
    missing = _MISSING.search(line)
    if missing and not so_far.startswith("needs "):
        return f"needs {missing[1].upper()}"
    return so_far or line.strip()[:160]


@attrs.frozen
class Suite:
    """Where the suite is, what takes redis-server's place, and what the suite is told."""

    source: Path
    server: str
    options: tuple[str, ...]
    timeout_s: int
    logs: Path
    simple_data: bool

    def prepare(self, folder: Path) -> None:
        """Lay out a scratch copy: the tests, our wrapper and Debian's tools."""
        shutil.copytree(self.source / "tests", folder / "tests", ignore=shutil.ignore_patterns("tmp", "modules"))
        (folder / "tests" / "tmp").mkdir()
        if self.simple_data:
            with (folder / "tests" / "support" / "util.tcl").open("a") as support:
                support.write(SIMPLE_DATA)
        if (self.source / "utils").is_dir():
            shutil.copytree(self.source / "utils", folder / "utils")
        programs = folder / "src"
        programs.mkdir()
        for tool in TOOLS:
            (programs / tool).symlink_to(find_program(tool))
        wrapper = programs / "redis-server"
        wrapper.write_text(self.server)
        wrapper.chmod(0o755)

    def run(self, name: str, first_port: int) -> FileResult:
        """Run one file to its end or to the time limit; no process of it is left behind."""
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="redis-suite-") as scratch:
            folder = Path(scratch)
            self.prepare(folder)
            command = [find_program("tclsh"), "tests/test_helper.tcl", "--single", name, "--clients", "1"]
            command += ["--durable", "--timeout", str(self.timeout_s)]
            command += ["--baseport", str(first_port), "--portcount", str(PORTS_PER_FILE), *self.options]
            log = self.logs / (name.replace("/", "-") + ".log")
            with log.open("wb") as output:
                process = subprocess.Popen(
                    command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
                )
                try:
                    process.wait(self.timeout_s * 2)
                except subprocess.TimeoutExpired:
                    output.write(b"\n[TIMEOUT]: stopped from outside\n")
                finally:
                    end_session(process)
            result = parse_output(name, log.read_text(errors="replace"))
        result.seconds = time.monotonic() - started
        return result


def end_session(process: subprocess.Popen[bytes]) -> None:
    """Kill what the suite left running: it started its servers within its own process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def find_program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise click.ClickException(f"{name} is needed and not on PATH")
    return path


def wrapper_script(python: str, packages: Path) -> str:
    """A shell script that becomes our server. -P: the suite's folder must not come first on sys.path."""
    return f'#!/bin/sh\nPYTHONPATH="{packages}" exec "{python}" -P -m redrock.cli.server "$@"\n'


def run_files(suite: Suite, files: tuple[str, ...], jobs: int, first_port: int) -> list[FileResult]:
    def run_one(number: int) -> FileResult:
        result = suite.run(files[number], first_port + number * (PORTS_PER_FILE + 40))
        print(f"{result.name:34s} {result.summary()}", flush=True)
        return result

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(run_one, range(len(files))))


def report(results: list[FileResult], excused: dict[str, set[str]]) -> bool:
    """Print names and totals; True if nothing failed that is not excused."""
    clean = True
    for result in results:
        known = excused.get(result.name, set())
        lines = []
        for name, reason in result.failed.items():
            lines.append(f"  failed: {name}" + ("   (redis-server too)" if name in known else ""))
            lines.append(f"          {reason}")
        lines += [f"  err:    {text[:200]}" for text in result.broken]
        if lines:
            print(f"\n{result.name}")
            print("\n".join(lines))
        if not result.ended or result.broken or result.failed.keys() - known:
            clean = False
    total = FileResult("total", ended=all(result.ended for result in results), aborted_at="see above")
    for result in results:
        total.passed += result.passed
        total.failed |= {f"{result.name}: {name}": reason for name, reason in result.failed.items()}
        total.broken += result.broken
        total.ignored += result.ignored
        total.seconds += result.seconds
    print(f"\n{total.name:34s} {total.summary()}")
    return clean


@click.command()
@click.option("--source", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--jobs", default=1, show_default=True, help="Files run at the same time.")
@click.option("--oracle", is_flag=True, help="Run redis-server first; what it fails too is excused.")
@click.option("--oracle-only", is_flag=True, help="Run redis-server instead of redrock-server.")
@click.option("--plain", is_flag=True, help="Run the plain source, not the compiled build.")
@click.option("--timeout", default=300, show_default=True, help="Seconds without progress; twice that is the limit.")
@click.option("--tags", default="", help='As the suite has it, for example "-needs:debug -slow".')
@click.option("--skipfile", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Tests to leave out.")
@click.option("--only", multiple=True, help="Run only these tests, by name.")
@click.option("--config", nargs=2, multiple=True, help="A directive for our servers: maxrockmem 1mb")
@click.option("--simple-data", is_flag=True, help="Fill servers with strings and hashes only.")
@click.option("--accurate", is_flag=True)
@click.option("--logs", type=click.Path(path_type=Path), default=ROOT / "build" / "redis-suite", show_default=True)
@click.argument("files", nargs=-1, required=True)
def main(
    source: Path,
    jobs: int,
    oracle: bool,
    oracle_only: bool,
    plain: bool,
    timeout: int,
    tags: str,
    skipfile: Path | None,
    only: tuple[str, ...],
    config: tuple[tuple[str, str], ...],
    simple_data: bool,
    accurate: bool,
    logs: Path,
    files: tuple[str, ...],
) -> None:
    """Run FILES (such as unit/type/string) of the Redis test suite in SOURCE."""
    options: list[str] = []
    if tags:
        options += ["--tags", tags]
    if skipfile:
        options += ["--skipfile", str(skipfile.resolve())]
    for name in only:
        options += ["--only", name]
    if accurate:
        options.append("--accurate")
    common = tuple(options)
    for directive, value in config:
        options += ["--config", directive, value]
    packages = ROOT if plain or not COMPILED.is_dir() else COMPILED
    ours = wrapper_script(sys.executable, packages)
    theirs = f'#!/bin/sh\nexec "{find_program("redis-server")}" "$@"\n'
    # Several runs may share a machine; those above 30000 may be in use as ports of outgoing connections.
    first_port = random.randrange(11000, 14000, 100)

    excused: dict[str, set[str]] = {}
    if oracle or oracle_only:
        (logs / "oracle").mkdir(parents=True, exist_ok=True)
        print("redis-server:")
        results = run_files(
            Suite(source, theirs, common, timeout, logs / "oracle", simple_data), files, jobs, first_port
        )
        excused = {result.name: set(result.failed) for result in results}
        if oracle_only:
            sys.exit(0 if report(results, {}) else 1)
    logs.mkdir(parents=True, exist_ok=True)
    print(f"redrock-server ({'compiled' if packages == COMPILED else 'plain source'}):")
    results = run_files(Suite(source, ours, tuple(options), timeout, logs, simple_data), files, jobs, first_port)
    sys.exit(0 if report(results, excused) else 1)


if __name__ == "__main__":
    main()
