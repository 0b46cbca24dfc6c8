"""The manifest, both ways; errors in Redis's words (tests/integration/aof-multi-part.tcl names most of them)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistence.aof.manifest import AofFile, Manifest, ManifestError, parse_manifest

BASE = b"file a.1.base.rdb seq 1 type b\n"
INCREMENT_1 = b"file a.1.incr.aof seq 1 type i\n"
INCREMENT_2 = b"file a.2.incr.aof seq 2 type i\n"


def shown(manifest):
    base = manifest.base and (manifest.base.name, manifest.base.sequence)
    return base, [row.name for row in manifest.history], [row.name for row in manifest.increments]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BASE + INCREMENT_1, (("a.1.base.rdb", 1), [], ["a.1.incr.aof"])),
        (INCREMENT_1 + INCREMENT_2, (None, [], ["a.1.incr.aof", "a.2.incr.aof"])),
        (b"# a comment\n" + BASE, (("a.1.base.rdb", 1), [], [])),
        (b"#" + b"x" * 900 + b"\n" + BASE, (("a.1.base.rdb", 1), [], [])),
        (b"file h seq 1 type h\n" + BASE, (("a.1.base.rdb", 1), ["h"], [])),
        (b"  file a seq 1 type b \r\n", (("a", 1), [], [])),
        (b"FILE a SEQ 1 TYPE b\n", (("a", 1), [], [])),
        (b"type b seq 1 file a\n", (("a", 1), [], [])),
        (b"file a seq 1 type b colour blue\n", (("a", 1), [], [])),
        (b"file a seq 7x type base\n", (("a", 7), [], [])),
        (b'file "a b\\x21" seq 1 type b\n', (("a b!", 1), [], [])),
        (b"file 'a b' seq 1 type b\n", (("a b", 1), [], [])),
        (b"# only a comment\n", (None, [], [])),
    ],
)
def test_parse(text, expected):
    assert shown(parse_manifest(text)) == expected


@pytest.mark.parametrize(
    ("text", "reason", "line_number"),
    [
        (b"", "Found an empty AOF manifest", 0),
        (b"\n", "Invalid AOF manifest file format", 1),
        (INCREMENT_1 + b"\n" + INCREMENT_2, "Invalid AOF manifest file format", 2),
        (b"filx a seq 1 type b\n", "Invalid AOF manifest file format", 1),
        (b"file a type b\n", "Invalid AOF manifest file format", 1),
        (b"file a seq 1 type i newkey\n", "Invalid AOF manifest file format", 1),
        (b"file a seq 0 type b\n", "Invalid AOF manifest file format", 1),
        (b"file a seq x type b\n", "Invalid AOF manifest file format", 1),
        (b'file "a seq 1 type b\n', "Invalid AOF manifest file format", 1),
        (b'file "" seq 1 type b\n', "Invalid AOF manifest file format", 1),
        (b"file a seq 1 type x\n", "Unknown AOF file type", 1),
        (b"file dir/a seq 1 type b\n", "File can't be a path, just a filename", 1),
        (b"file dir\\a seq 1 type b\n", "File can't be a path, just a filename", 1),
        (BASE + b"file b seq 2 type b\n", "Found duplicate base file information", 2),
        (INCREMENT_2 + INCREMENT_1, "Found a non-monotonic sequence number", 2),
        (INCREMENT_1 + INCREMENT_1, "Found a non-monotonic sequence number", 2),
        (b"file a seq -1 type i\n", "Found a non-monotonic sequence number", 1),
        (BASE + b"file a seq 1 type i", "The AOF manifest file contains too long line", 2),
        (b"file " + b"a" * 2000 + b" seq 1 type b\n", "The AOF manifest file contains too long line", 1),
    ],
)
def test_errors(text, reason, line_number):
    with pytest.raises(ManifestError) as caught:
        parse_manifest(text)
    assert caught.value.reason == reason
    assert caught.value.line_number == line_number


def test_error_shows_the_line():
    with pytest.raises(ManifestError) as caught:
        parse_manifest(BASE + b" file  a seq 1 type x \n")
    assert caught.value.line == b"file  a seq 1 type x"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.1.incr.aof", b"file a.1.incr.aof seq 1 type i\n"),
        ("a b", b'file "a b" seq 1 type i\n'),
        ('a"b', b'file "a\\"b" seq 1 type i\n'),
        ("ä", b'file "\\xc3\\xa4" seq 1 type i\n'),
        ("a'b", b"file a'b seq 1 type i\n"),
    ],
)
def test_format_of_names(name, line):
    assert AofFile(name, 1, b"i").format() == line


# What redis-server could have made: a name is one word, without path separators, and short.
NAMES = st.binary(min_size=1, max_size=30).filter(lambda name: not set(name) & set(b"/\\\x00'"))


@given(names=st.lists(NAMES, min_size=3, max_size=6, unique=True))
def test_format_then_parse(names):
    manifest = Manifest()
    decoded = [name.decode("utf-8", "surrogateescape") for name in names]
    manifest.base = AofFile(decoded[0], 4, b"b")
    manifest.history = [AofFile(decoded[1], 3, b"h")]
    manifest.increments = [AofFile(name, i + 1, b"i") for i, name in enumerate(decoded[2:])]
    again = parse_manifest(manifest.format())
    assert shown(again) == shown(manifest)
    assert (again.base_sequence, again.increment_sequence) == (4, len(names) - 2)


def test_life_of_a_log():
    """The example of aof.c: several increments, of which the last stays when a rewrite has ended."""
    manifest = Manifest()
    assert manifest.is_empty()
    assert manifest.add_base("a", True) == "a.1.base.rdb"
    assert manifest.add_increment("a") == "a.1.incr.aof"
    before = manifest.copy()
    assert manifest.add_increment("a") == "a.2.incr.aof"
    assert manifest.add_base("a", False) == "a.2.base.aof"
    manifest.retire_increments(keep_last=True)
    assert manifest.format() == (
        b"file a.2.base.aof seq 2 type b\n"
        b"file a.1.incr.aof seq 1 type h\n"
        b"file a.1.base.rdb seq 1 type h\n"
        b"file a.2.incr.aof seq 2 type i\n"
    )
    assert [row.name for row in manifest.files_to_load()] == ["a.2.base.aof", "a.2.incr.aof"]
    # The copy has not moved.
    assert before.format() == BASE + INCREMENT_1


def test_retire_all_increments():
    manifest = parse_manifest(INCREMENT_1 + INCREMENT_2)
    manifest.retire_increments(keep_last=False)
    assert shown(manifest) == (None, ["a.1.incr.aof", "a.2.incr.aof"], [])
    manifest.retire_increments(keep_last=True)
    assert shown(manifest) == (None, ["a.1.incr.aof", "a.2.incr.aof"], [])


def test_adopt_an_old_style_log():
    manifest = Manifest()
    manifest.adopt_base("appendonly.aof")
    assert manifest.format() == b"file appendonly.aof seq 1 type b\n"
    assert manifest.add_base("appendonly.aof", True) == "appendonly.aof.2.base.rdb"
