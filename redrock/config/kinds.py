"""The kinds of directive: how a value is read from text, printed by CONFIG GET, and written by CONFIG REWRITE.

A kind is stateless. `parse` gets the arguments that follow the directive's name and the present value (some directives
change only a part of it), and raises `ValueError` with Redis's text. Source: Redis 7.0.15, config.c. The kinds of the
directives that are like no other are in `special_kinds`.
"""

from collections.abc import Callable, Sequence
from typing import Final

from redrock.config.numbers import LLONG_MAX, ULLONG_MAX, format_memory, parse_lenient_integer
from redrock.util.numbers import parse_integer, parse_memory, parse_percent
from redrock.util.quoting import quote

TextCheck = Callable[[str], str | None]


class Kind:
    """What the directives of one type have in common."""

    # What the generated documentation calls it.
    label = ""

    def parse(self, args: Sequence[bytes], current: object) -> object:
        """The new value; `ValueError` carries the text of Redis's refusal."""
        raise NotImplementedError

    def format(self, value: object) -> bytes:
        """The value as CONFIG GET prints it."""
        raise NotImplementedError

    def file_form(self, value: object) -> bytes:
        """The value as a configuration file holds it, after the directive's name."""
        return self.format(value)

    def file_lines(self, name: bytes, value: object, default: object) -> list[tuple[bytes, bool]]:
        """Lines for CONFIG REWRITE; the flag says to append the line if the file has none for this directive.

        No line at all means that those in the file are to be removed.
        """
        return [(name + b" " + self.file_form(value), value != default)]


class YesNo(Kind):
    """bool."""

    label = "yes or no"

    def __init__(self, yes_refused: str | None = None) -> None:
        self.yes_refused = yes_refused

    def parse(self, args: Sequence[bytes], current: object) -> object:
        word = c_string(args[0]).lower()
        if word not in (b"yes", b"no"):
            raise ValueError("argument must be 'yes' or 'no'")
        if word == b"yes" and self.yes_refused is not None:
            raise ValueError(self.yes_refused)
        return word == b"yes"

    def format(self, value: object) -> bytes:
        return b"yes" if value else b"no"


class Text(Kind):
    """str. With `may_be_empty` an empty text is a value like any other, otherwise it means that there is none."""

    label = "text"

    def __init__(self, check: TextCheck | None = None, *, may_be_empty: bool = False) -> None:
        self.check = check
        self.may_be_empty = may_be_empty

    def parse(self, args: Sequence[bytes], current: object) -> object:
        text = decode_text(c_string(args[0]))
        refusal = self.check(text) if self.check is not None else None
        if refusal is not None:
            raise ValueError(refusal)
        return text

    def format(self, value: object) -> bytes:
        assert isinstance(value, str)
        return encode_text(value)

    def file_form(self, value: object) -> bytes:
        return quote(self.format(value))

    def file_lines(self, name: bytes, value: object, default: object) -> list[tuple[bytes, bool]]:
        if value == "" and not self.may_be_empty:
            return []
        return super().file_lines(name, value, default)


class Secret(Kind):
    """bytes, any of the 256 values in them; b"" means that there is none."""

    label = "secret"

    def parse(self, args: Sequence[bytes], current: object) -> object:
        return args[0]

    def format(self, value: object) -> bytes:
        assert isinstance(value, bytes)
        return value

    def file_form(self, value: object) -> bytes:
        return quote(self.format(value))

    def file_lines(self, name: bytes, value: object, default: object) -> list[tuple[bytes, bool]]:
        return super().file_lines(name, value, default) if value else []


class SecretText(Secret):
    """bytes without NUL: Redis keeps this one as a C string."""

    def parse(self, args: Sequence[bytes], current: object) -> object:
        return c_string(args[0])


class Choice(Kind):
    """str, one of `names`. `synonyms` maps names that are read to the name that they mean."""

    label = "choice"

    def __init__(self, *names: str, synonyms: dict[str, str] | None = None) -> None:
        self.names: Final = names
        self.synonyms: Final = synonyms or {}

    def parse(self, args: Sequence[bytes], current: object) -> object:
        if len(args) != 1:
            raise ValueError(not_among(self.names))
        name = decode_text(c_string(args[0])).lower()
        if name not in self.names:
            raise ValueError(not_among(self.names))
        return self.synonyms.get(name, name)

    def format(self, value: object) -> bytes:
        assert isinstance(value, str)
        return encode_text(value)


class Choices(Kind):
    """Tuple of names in the order of `names`; the first of them means that none is chosen, and stands alone."""

    label = "choices"

    def __init__(self, *names: str, check: Callable[[frozenset[str]], str | None]) -> None:
        self.names: Final = names
        self.check = check

    def parse(self, args: Sequence[bytes], current: object) -> object:
        words = frozenset(decode_text(c_string(arg)).lower() for arg in args)
        if not words or not words.issubset(self.names):
            raise ValueError(not_among(self.names))
        refusal = self.check(words)
        if refusal is not None:
            raise ValueError(refusal)
        chosen = tuple(name for name in self.names[1:] if name in words)
        return chosen or (self.names[0],)

    def format(self, value: object) -> bytes:
        assert isinstance(value, tuple)
        return encode_text(" ".join(value))


class Integer(Kind):
    """int between two bounds, both included. `clamp` silently narrows what was accepted."""

    label = "integer"

    def __init__(self, lowest: int, highest: int, *, clamp: tuple[int, int] | None = None) -> None:
        self.lowest: Final = lowest
        self.highest: Final = highest
        self.clamp: Final = clamp

    def parse(self, args: Sequence[bytes], current: object) -> object:
        number = parse_integer(args[0])
        if number is None:
            raise ValueError("argument couldn't be parsed into an integer")
        check_bounds(number, self.lowest, self.highest)
        if self.clamp is not None:
            number = max(self.clamp[0], min(self.clamp[1], number))
        return number

    def format(self, value: object) -> bytes:
        assert isinstance(value, int)
        return b"%d" % value


class Octal(Integer):
    """int, written and printed in base 8: file permissions."""

    label = "octal number"

    def parse(self, args: Sequence[bytes], current: object) -> object:
        number = parse_lenient_integer(c_string(args[0]), 8)
        if number is None:
            raise ValueError("argument couldn't be parsed as an octal number")
        if not self.lowest <= number <= self.highest:
            raise ValueError(f"argument must be between {self.lowest:o} and {self.highest:o} inclusive")
        return number

    def format(self, value: object) -> bytes:
        assert isinstance(value, int)
        return b"%o" % value


class Memory(Integer):
    """int, bytes. With `percent` also a share of `maxmemory`, kept as a negative number: -5 is 5 %.

    With `minus_one` also -1, which means what the directive says it does; Redis itself has no such directive.
    """

    label = "memory"

    def __init__(self, lowest: int, highest: int, *, percent: bool = False, minus_one: bool = False) -> None:
        super().__init__(lowest, highest)
        self.percent: Final = percent
        self.minus_one: Final = minus_one

    def parse(self, args: Sequence[bytes], current: object) -> object:
        text = c_string(args[0])
        if self.minus_one and text == b"-1":
            return -1
        size = parse_memory(text)
        if size is None:
            return self._parse_percent(text)
        # A size that needs the 64th bit is negative to Redis; where shares are allowed it is then taken for one.
        if self.percent and size > LLONG_MAX:
            size -= ULLONG_MAX + 1
            if size < self.lowest:
                raise ValueError(f"percentage argument must be less or equal to {-self.lowest}")
            return size
        check_bounds(size, self.lowest, self.highest)
        return size

    def _parse_percent(self, text: bytes) -> int:
        if not self.percent:
            raise ValueError("argument must be a memory value")
        share = parse_percent(text)
        if share is None:
            raise ValueError("argument must be a memory or percent value")
        if -share < self.lowest:
            raise ValueError(f"percentage argument must be less or equal to {-self.lowest}")
        return -share

    def format(self, value: object) -> bytes:
        assert isinstance(value, int)
        if value < 0 and self.percent:
            return b"%d%%" % -value
        return b"%d" % value

    def file_form(self, value: object) -> bytes:
        assert isinstance(value, int)
        return format_memory(value) if value > 0 else self.format(value)


def check_bounds(number: int, lowest: int, highest: int) -> None:
    """`ValueError` with Redis's text if the number is outside the bounds, which are both included."""
    if not lowest <= number <= highest:
        raise ValueError(f"argument must be between {lowest} and {highest} inclusive")


def not_among(names: Sequence[str]) -> str:
    """The refusal of a word that is none of the names."""
    return "argument(s) must be one of the following: " + ", ".join(names)


def c_string(data: bytes) -> bytes:
    """Redis hands most values on as C strings: what follows a NUL does not count."""
    end = data.find(b"\0")
    return data if end < 0 else data[:end]


def decode_text(data: bytes) -> str:
    """Bytes that no encoding was agreed on for, as os.fsdecode does: every byte comes back from `encode_text`."""
    return data.decode("utf-8", "surrogateescape")


def encode_text(text: str) -> bytes:
    """The reverse of `decode_text`."""
    return text.encode("utf-8", "surrogateescape")
