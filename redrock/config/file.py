"""redis.conf: the syntax of the file, `include`, and the lines that are no directives.

Source: Redis 7.0.15, config.c (loadServerConfig, loadServerConfigFromString). One directive a line; blanks around it
and lines that begin with # do not count; arguments may be quoted as in `util.quoting`. File, standard input and command
line are joined into one text, in this order, so that later lines win, and line numbers in messages count the joined
text. An included file is a text of its own, read where it is named; relative paths are resolved in the directory that
`dir` has chosen by then.
"""

import glob
import os
from collections.abc import Callable
from typing import Final, NoReturn

from redrock.config.directives import MULTI_ARG, RETIRED_NAMES
from redrock.config.kinds import decode_text
from redrock.config.settings import Settings, find_directive
from redrock.util.quoting import split_args

# Redis has no bound and dies of a file that includes itself. No sane tree of files is deeper than this.
INCLUDE_DEPTH_MAX: Final = 32
_BLANKS: Final = b" \t\r\n"
_GLOB_CHARACTERS: Final = "*?["


class ConfigError(Exception):
    """The configuration cannot be used; the process is to end with exit code 1 after showing `report()`."""

    def report(self) -> str:
        """What redis-server prints to standard error."""
        raise NotImplementedError


class ConfigLineError(ConfigError):
    """A line is wrong or, with ``line_number`` 0, the whole makes no sense."""

    def __init__(self, reason: str, line_number: int = 0, line: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.line_number = line_number
        self.line = line

    def report(self) -> str:
        where = ""
        if self.line_number:
            where = f"Reading the configuration file, at line {self.line_number}\n>>> '{decode_text(self.line)}'\n"
        return f"\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n{where}{self.reason}\n"


class ConfigOpenError(ConfigError):
    """A file cannot be read. Redis logs this message instead of printing it."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"Fatal error, can't open config file '{path}': {reason}")

    def report(self) -> str:
        return f"{self}\n"


def rename_nothing(_old: bytes, _new: bytes) -> None:
    """For readers that know no commands: every `rename-command` line is taken as it is."""


def declare_no_user(_words: list[bytes]) -> None:
    """For servers without users. To ignore a `user` line would leave a door open that its author thinks closed."""
    raise ValueError("User declarations are not supported by this version of RedRock")


class ConfigReader:
    """Reads configuration into ``settings``.

    ``rename_command`` checks a `rename-command` line, ``declare_user`` gets the words of a `user` line, `user` itself
    included; both raise `ValueError` with the text to be shown.
    """

    def __init__(
        self,
        settings: Settings,
        rename_command: Callable[[bytes, bytes], None] = rename_nothing,
        declare_user: Callable[[list[bytes]], None] = declare_no_user,
    ) -> None:
        self._settings = settings
        self._rename_command = rename_command
        self._declare_user = declare_user

    def load(self, path: str = "", standard_input: bytes = b"", options: bytes = b"") -> None:
        """Read the file (may be a pattern; "" for none), then what came by standard input, then options.

        Raises `ConfigError`. What was read before the error stays set.
        """
        text = self._read(path) if path else b""
        self._load_text(text + standard_input + b"\n" + options, 0)

    def _load_text(self, text: bytes, depth: int) -> None:
        for line_number, raw_line in enumerate(text.partition(b"\0")[0].split(b"\n"), 1):
            line = raw_line.strip(_BLANKS)
            if line == b"" or line.startswith(b"#"):
                continue
            try:
                words = split_args(line)
                if words is None:
                    raise ValueError("Unbalanced quotes in configuration line")
                self._load_line(words, depth)
            except ValueError as refusal:
                raise ConfigLineError(str(refusal), line_number, line) from None
        self._check_whole()

    def _load_line(self, words: list[bytes], depth: int) -> None:
        name = words[0].lower()
        directive = find_directive(name)
        if directive is not None:
            if not directive.flags & MULTI_ARG and len(words) != 2:
                raise ValueError("wrong number of arguments")
            self._settings.set_from_file(directive, words[1:])
        elif not (name in RETIRED_NAMES and len(words) == 2):
            self._load_other(name, words, depth)

    def _load_other(self, name: bytes, words: list[bytes], depth: int) -> None:
        """The lines that are no directives: CONFIG GET does not know them."""
        if name == b"include" and len(words) == 2:
            if depth == INCLUDE_DEPTH_MAX:
                raise ValueError(f"Files are included more than {INCLUDE_DEPTH_MAX} deep")
            self._load_text(self._read(decode_text(words[1])), depth + 1)
        elif name == b"rename-command" and len(words) == 3:
            self._rename_command(words[1], words[2])
            self._settings.renamed_commands.append((words[1], words[2]))
        elif name == b"user" and len(words) >= 2:
            self._declare_user(words)
        elif name == b"loadmodule" and len(words) >= 2:
            raise ValueError("Modules are not supported by RedRock")
        elif b"." in name:
            if len(words) < 2:
                raise ValueError("Module config specified without value")
            raise ValueError("Module Configuration detected without loadmodule directive")
        elif name == b"sentinel":
            if len(words) > 1:
                raise ValueError("sentinel directive while not in sentinel mode")
            raise ValueError("RedRock has no sentinel mode; redis-sentinel can watch it")
        else:
            raise ValueError("Bad directive or wrong number of arguments")

    def _read(self, path: str) -> bytes:
        """The contents of the file, or of all files that the pattern matches, which may be none, in order of name."""
        directory = self._settings.dir
        if not any(character in path for character in _GLOB_CHARACTERS):
            return _read_file(os.path.join(directory, path), path)
        matches = sorted(glob.glob(path, root_dir=directory), key=os.fsencode)
        return b"".join(_read_file(os.path.join(directory, found), found) for found in matches)

    def _check_whole(self) -> None:
        settings = self._settings
        if settings.logfile:
            try:
                # Better to find out now than when there is no terminal left to complain to.
                with open(os.path.join(settings.dir, settings.logfile), "ab"):
                    pass
            except OSError as error:
                raise ConfigLineError(f"Can't open the log file: {error.strerror}") from None
        if settings.cluster_enabled and settings.replicaof is not None:
            raise ConfigLineError("replicaof directive not allowed in cluster mode")


def _read_file(path: str, shown_path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        _cannot_open(shown_path, error)


def _cannot_open(path: str, error: OSError) -> NoReturn:
    raise ConfigOpenError(path, error.strerror or str(error)) from None
