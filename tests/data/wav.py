"""RIFF WAVE files made by hand, so that every field of them can be wrong."""

import struct

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (len(body) % 2)


def form(
    *, kind: int = PCM, channels: int = 1, rate: int = 8000, bits: int = 16, frame: int | None = None
) -> bytes:
    """The body of a format; an extensible one where `kind` is (EXTENSIBLE, …)."""
    size = channels * bits // 8 if frame is None else frame
    return struct.pack("<HHIIHH", kind, channels, rate, rate * size, size, bits)


def extensible(kind: int, bits: int, channels: int = 1, rate: int = 8000) -> bytes:
    guid = struct.pack("<H", kind) + bytes.fromhex("000000001000800000aa00389b71")
    return (
        form(kind=EXTENSIBLE, bits=bits, channels=channels, rate=rate)
        + struct.pack("<HHI", 22, bits, 0)
        + guid
    )


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def wav(data: bytes, **fields: int) -> bytes:
    """A file of such samples; of 16 bits, one channel and 8 kHz where nothing else is said."""
    return riff(chunk(b"fmt ", form(**fields)), chunk(b"data", data))
