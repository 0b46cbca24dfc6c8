from persistence.rdb import codec
from persistence.rdb.writer import RdbWriter, ReplicationInfo, standard_aux
from redrock.datatypes.hash import HashValue
from redrock.datatypes.string import StringValue
from redrock.util.crc import crc64


def written(writer: RdbWriter) -> bytes:
    writer.finish()
    return writer.take_output()


def test_empty_file() -> None:
    writer = RdbWriter()
    writer.header([])
    data = written(writer)
    assert data == b"REDIS0010\xff" + crc64(b"REDIS0010\xff").to_bytes(8, "little")


def test_without_checksum() -> None:
    writer = RdbWriter(checksum=False)
    writer.header([])
    assert written(writer) == b"REDIS0010\xff" + bytes(8)


def test_aux_fields_as_redis_writes_them() -> None:
    writer = RdbWriter()
    writer.header(standard_aux(b"7.0.15", 1700000000, 1048576, None, False))
    assert writer.take_output() == (
        b"REDIS0010"
        b"\xfa\x09redis-ver\x067.0.15"
        b"\xfa\x0aredis-bits\xc0\x40"
        b"\xfa\x05ctime\xc2\x00\xf1\x53\x65"
        b"\xfa\x08used-mem\xc2\x00\x00\x10\x00"
        b"\xfa\x08aof-base\xc0\x00"
    )


def test_replication_info_and_aof_base() -> None:
    pairs = standard_aux(b"7.0.15", 1, 2, ReplicationInfo(3, b"a" * 40, 1234567890123), True)
    assert pairs[4:] == [
        (b"repl-stream-db", b"3"),
        (b"repl-id", b"a" * 40),
        (b"repl-offset", b"1234567890123"),
        (b"aof-base", b"1"),
    ]


def test_keys() -> None:
    writer = RdbWriter(compress=False)
    writer.select_db(3, 4, 1)
    writer.key(b"k", StringValue(b"v"))
    writer.key(b"12", StringValue(b"34"), expire_at_ms=1700000000123)
    writer.key(b"h", HashValue.from_flat([b"f", b"v"], 0, 0), lru_idle=100)
    writer.key(b"p", HashValue.from_flat([b"f", b"v"], 9, 9), lfu_freq=255)
    assert writer.take_output() == (
        b"\xfe\x03\xfb\x04\x01"
        b"\x00\x01k\x01v"
        b"\xfc\x7b\x68\xe5\xcf\x8b\x01\x00\x00\x00\xc0\x0c\xc0\x22"
        b"\xf8\x40\x64\x04\x01h\x01\x01f\x01v"
        b"\xf9\xff\x10\x01p\x0d\r\0\0\0\x02\0\x81f\x02\x81v\x02\xff"
    )


def test_a_record_is_written_as_its_value_would_be() -> None:
    value = HashValue.from_flat([b"f", b"v"], 9, 9)
    hot, cold = RdbWriter(compress=False), RdbWriter(compress=False)
    hot.key(b"k", value, 5, 6, 7)
    cold.key_record(b"k", codec.encode_record(value), 5, 6, 7)
    assert hot.take_output() == cold.take_output()


def test_an_expiry_before_the_epoch_is_not_taken_for_none() -> None:
    writer = RdbWriter()
    writer.key(b"k", StringValue(b"v"), expire_at_ms=-5)
    writer.key(b"k", StringValue(b"v"), expire_at_ms=0)
    assert writer.take_output() == (
        b"\xfc\xfb\xff\xff\xff\xff\xff\xff\xff\x00\x01k\x01v\xfc\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01k\x01v"
    )


def test_function() -> None:
    writer = RdbWriter(compress=False)
    writer.function(b"#!lua name=x\n")
    assert writer.take_output() == b"\xf5\x0d#!lua name=x\n"


def test_output_in_chunks_is_the_same_file() -> None:
    def fill(writer: RdbWriter, chunks: list[bytes] | None) -> None:
        writer.header(standard_aux(b"7.0.15", 1, 2, None, False))
        writer.select_db(0, 100, 0)
        for number in range(100):
            writer.key(b"key:%d" % number, StringValue(b"value %d " % number * 10))
            if chunks is not None and number % 7 == 0:
                assert writer.pending_bytes() > 0
                chunks.append(writer.take_output())
                assert writer.pending_bytes() == 0
                assert writer.position() == sum(map(len, chunks))
        writer.finish()

    whole, pieces = RdbWriter(), RdbWriter()
    chunks: list[bytes] = []
    fill(whole, None)
    fill(pieces, chunks)
    chunks.append(pieces.take_output())
    data = whole.take_output()
    assert b"".join(chunks) == data
    assert whole.position() == pieces.position() == len(data)
    assert int.from_bytes(data[-8:], "little") == crc64(data[:-8])
