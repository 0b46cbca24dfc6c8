"""The current values of all directives: read as typed attributes, printed, and changed all or nothing.

Source: Redis 7.0.15, config.c (configSetCommand, configGetCommand, and the set functions). Names are looked up without
regard to case. Knows nothing of files (see `file` and `rewrite`) nor of what a directive does: who keeps a setting in
another place, or must act when it changes, registers for it with `on_change`.
"""

import os
from collections.abc import Callable, Sequence
from typing import Final

from redrock import errors
from redrock.config.directives import (
    DENY_LOADING,
    DIRECTIVES,
    HIDDEN,
    IMMUTABLE,
    MULTI_ARG,
    PROTECTED,
    SENSITIVE,
    VOLATILE,
    Directive,
)
from redrock.config.special_kinds import Directory, SavePoints
from redrock.config.values import SettingValues
from redrock.errors import ReplyError
from redrock.util.glob import match
from redrock.util.quoting import split_args

# What CONFIG SET makes of a smaller `repl-backlog-size`; a file may say less.
BACKLOG_BYTES_MIN: Final = 16 << 10
_PATTERN_CHARACTERS: Final = (b"[", b"*", b"?")


def _by_name() -> dict[bytes, tuple[bytes, Directive]]:
    """Every name, aliases too, in lower case -> the name to be shown, and its directive."""
    table: dict[bytes, tuple[bytes, Directive]] = {}
    for directive in DIRECTIVES:
        for name in (directive.name, directive.alias):
            if name:
                table[name.encode()] = (name.encode(), directive)
    return table


_BY_NAME: Final = _by_name()


def find_directive(name: bytes) -> Directive | None:
    """The directive of that name or alias, in whatever case."""
    found = _BY_NAME.get(name.lower())
    return None if found is None else found[1]


class Settings(SettingValues):
    """All values, at first the defaults. ``enter_directory`` is called with an absolute path when `dir` is set."""

    def __init__(self, enter_directory: Callable[[str], None] = os.chdir) -> None:
        for directive in DIRECTIVES:
            setattr(self, directive.attribute, directive.default)
        self.dir = os.getcwd()
        # The file that CONFIG REWRITE writes, as an absolute path; "" if the server was started without one.
        self.config_file = ""
        # (old name, new name) of each `rename-command` line, in order; an empty new name removes the command.
        self.renamed_commands: list[tuple[bytes, bytes]] = []
        self._enter_directory: Final = enter_directory
        self._hooks: Final[dict[str, list[Callable[[], None]]]] = {}
        self._save_points_read = False
        self.on_change("repl-backlog-size", self._widen_backlog)

    def get(self, name: bytes) -> bytes | None:
        """The value as CONFIG GET prints it; None if there is no such directive."""
        directive = find_directive(name)
        return None if directive is None else self._print(directive)

    def matching(self, patterns: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        """Names and printed values of the directives that any of the patterns names, each name once, as CONFIG GET.

        A pattern without wildcards is a name, and comes back as it was written.
        """
        found: dict[bytes, tuple[bytes, bytes]] = {}
        for pattern in patterns:
            if not any(character in pattern for character in _PATTERN_CHARACTERS):
                entry = _BY_NAME.get(pattern.lower())
                if entry is not None and pattern.lower() not in found:
                    found[pattern.lower()] = (pattern, self._print(entry[1]))
                continue
            for key, (name, directive) in _BY_NAME.items():
                if key not in found and not directive.flags & HIDDEN and match(pattern, name, True):
                    found[key] = (name, self._print(directive))
        return list(found.values())

    def on_change(self, name: str, hook: Callable[[], None]) -> None:
        """Call ``hook`` after a CONFIG SET that changed the directive of that (primary) name.

        All new values are in place by then; a hook registered for several names is called once. One that raises
        `ValueError` fails the CONFIG SET with that text: the old values are put back, and the hooks called again for
        them.
        """
        assert any(directive.name == name for directive in DIRECTIVES), name
        self._hooks.setdefault(name, []).append(hook)

    def set_many(self, pairs: Sequence[tuple[bytes, bytes]], *, loading: bool = False, is_local: bool = False) -> None:
        """CONFIG SET: all of the pairs or, with a `ReplyError`, none.

        ``loading`` says that a dataset is being loaded, ``is_local`` that the client's connection is from this machine.
        """
        chosen = self._choose(pairs, loading, is_local)
        before = [getattr(self, directive.attribute) for _, directive in chosen]
        hooks: list[tuple[bytes, Callable[[], None]]] = []
        for place, ((name, directive), (_, text)) in enumerate(zip(chosen, pairs, strict=True)):
            try:
                changed = self._assign(directive, _split_value(directive, text), getattr(self, directive.attribute))
            except ValueError as refusal:
                self._restore(chosen[:place], before[:place])
                raise ReplyError(errors.config_set_failed(name, str(refusal))) from None
            if changed:
                for hook in self._hooks.get(directive.name, ()):
                    if all(hook != other for _, other in hooks):
                        hooks.append((name, hook))
        for name, hook in hooks:
            try:
                hook()
            except ValueError as refusal:
                self._restore(chosen, before)
                self._call_again([other for _, other in hooks])
                raise ReplyError(errors.config_set_failed(name, str(refusal))) from None

    def set_from_file(self, directive: Directive, args: Sequence[bytes]) -> None:
        """A line of a configuration file, or of the command line: no hooks, no question of being changeable.

        `ValueError` carries the text of the refusal. Lines of `save` add up; the first one replaces the default.
        """
        if directive.flags & MULTI_ARG and len(args) == 1 and args[0] != b"":
            words = split_args(args[0])
            if words is None:
                raise ValueError("Unbalanced quotes in configuration line")
            args = words
        current: object = getattr(self, directive.attribute)
        if isinstance(directive.kind, SavePoints):
            added = directive.kind.parse(args, current)
            assert isinstance(added, tuple)
            if self._save_points_read and args != [b""]:
                added = self.save + added
            self._save_points_read = True
            self.save = added
        else:
            self._assign(directive, args, current)

    def _choose(
        self, pairs: Sequence[tuple[bytes, bytes]], loading: bool, is_local: bool
    ) -> list[tuple[bytes, Directive]]:
        """The directives to be set, with the names to be used in errors; `ReplyError` if one may not be set now.

        The first thing wrong is what is reported. A directive and its alias are two directives here, as in Redis.
        """
        chosen: list[tuple[bytes, Directive]] = []
        for name, _ in pairs:
            entry = _BY_NAME.get(name.lower())
            if entry is None:
                raise ReplyError(errors.config_unknown(name))
            directive = entry[1]
            if directive.flags & IMMUTABLE:
                raise ReplyError(errors.config_set_failed(name, "can't set immutable config"))
            if directive.flags & PROTECTED and not self._protected_allowed(is_local):
                raise ReplyError(errors.config_set_failed(name, "can't set protected config"))
            if loading and directive.flags & DENY_LOADING:
                raise ReplyError(errors.LOADING)
            if any(entry[0] == other for other, _ in chosen):
                raise ReplyError(errors.config_set_failed(name, "duplicate parameter"))
            chosen.append(entry)
        return chosen

    def _widen_backlog(self) -> None:
        self.repl_backlog_size = max(self.repl_backlog_size, BACKLOG_BYTES_MIN)

    def _protected_allowed(self, is_local: bool) -> bool:
        return self.enable_protected_configs == "yes" or (self.enable_protected_configs == "local" and is_local)

    def _assign(self, directive: Directive, args: Sequence[bytes], current: object) -> bool:
        """Set the value; whether that was a change. `ValueError` if it is refused."""
        value = directive.kind.parse(args, current)
        if isinstance(directive.kind, Directory):
            assert isinstance(value, str)
            try:
                self._enter_directory(value)
            except OSError as error:
                raise ValueError(error.strerror) from None
        setattr(self, directive.attribute, value)
        return value != current or bool(directive.flags & VOLATILE)

    def _restore(self, chosen: Sequence[tuple[bytes, Directive]], values: Sequence[object]) -> None:
        for (_, directive), value in zip(chosen, values, strict=True):
            if isinstance(directive.kind, Directory):
                assert isinstance(value, str)
                self._enter_directory(value)
            setattr(self, directive.attribute, value)

    def _call_again(self, hooks: Sequence[Callable[[], None]]) -> None:
        for hook in hooks:
            try:
                hook()
            except ValueError:
                # The old value was in force a moment ago; there is nobody to tell that it no longer can be.
                continue

    def _print(self, directive: Directive) -> bytes:
        return directive.kind.format(getattr(self, directive.attribute))


def is_sensitive(name: bytes) -> bool:
    """Whether the value of that directive is to be kept out of MONITOR and the slow log."""
    directive = find_directive(name)
    return directive is not None and bool(directive.flags & SENSITIVE)


def _split_value(directive: Directive, text: bytes) -> list[bytes]:
    """CONFIG SET gets the words of a directive in one argument, with a single blank between them."""
    if not directive.flags & MULTI_ARG:
        return [text]
    return text.split(b" ") if text else []
