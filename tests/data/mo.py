"""Message catalogues, written byte by byte: what msgfmt would make of a few messages."""

import struct
from collections.abc import Mapping

HEADER = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n"


def mo(messages: Mapping[str, str], *, header: str = HEADER, order: str = "<", version: int = 0) -> bytes:
    """A catalogue; a context ends in \\4, and plurals are apart by \\0."""
    entries = [("", header), *sorted(messages.items())]
    head, tables = struct.calcsize("7I"), 16 * len(entries)
    strings, places = b"", []
    for side in (0, 1):
        for entry in entries:
            raw = entry[side].encode()
            places += [len(raw), head + tables + len(strings)]
            strings += raw + b"\0"
    starts = (head, head + tables // 2)
    front = struct.pack(f"{order}7I", 0x950412DE, version << 16, len(entries), *starts, 0, head + tables)
    return front + struct.pack(f"{order}{len(places)}I", *places) + strings
