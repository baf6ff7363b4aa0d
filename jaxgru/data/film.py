"""Video files: their frames as grey pictures. Needs PyAV, of the extra [tasks]."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from jaxgru.data import DataError
from jaxgru.data.grey import LARGEST, Size, check_size
from jaxgru.data.text import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.frame import VideoFrame

VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
MAX_BYTES = 1 << 30
# What a file may be, whatever its name says: none of these reads other files, as playlists do.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"
OPENING = {"format_whitelist": FORMATS, "protocol_whitelist": "none"}
DECODING = {"err_detect": "explode", "max_pixels": str(LARGEST)}  # otherwise damage is painted over

EBML, SEGMENT = bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067")  # the parts of a Matroska file

Greys = npt.NDArray[np.float32]


def require() -> None:
    """Refuses to go on without PyAV.

    Raises:
      DataError: it is not installed. The message says what to do about it.
    """
    if importlib.util.find_spec("av") is None:
        raise DataError("videos are read with PyAV; it comes with: pip install 'jaxgru[tasks]'")


def read(path: Path) -> Iterator[Greys]:
    """The frames of a video, one after the other, (H, W) each, from 0 for black to 1 for white.

    Args:
      path: an MP4, QuickTime, Matroska, WebM or AVI file. The first video in it is read, sound is not.

    Raises:
      DataError: the file is missing, no regular file, unreadable, empty, larger than 1 GiB, no video, damaged, cut
        short, or its pictures are too large; or PyAV is missing. The message names the file and the fault.
        It is raised where the damage is come to.
    """
    require()
    import av  # noqa: PLC0415 an extra, and of use only here

    with opened(path) as file:
        size = file.seek(0, 2)
        if not size:
            raise DataError(f"{path}: the file is empty")
        if size > MAX_BYTES:
            raise DataError(f"{path}: larger than {MAX_BYTES >> 20} MiB")
        if lacks := matroska_lacks(file, size):
            raise DataError(f"{path}: cut short: {size} of its {size + lacks} bytes are there")
        file.seek(0)
        try:
            with av.open(file, "r", options=OPENING, metadata_errors="ignore") as container:
                yield from decoded(container)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
        # Its own errors, and Python's for a number in the file that is beyond all bounds.
        except (av.FFmpegError, OverflowError, ValueError, MemoryError) as error:
            what = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise DataError(f"{path}: not a video that can be read, or a damaged one: {what[:80]}") from None


def matroska_lacks(file: BinaryIO, size: int) -> int:
    """How many bytes a Matroska or WebM file says it has and has not; 0 for other files, and where it does not say.

    Such a file does not tell how many frames it has, and libav takes one that is cut short for a whole one.
    """
    place, found = 0, 0
    for name in (EBML, SEGMENT):
        file.seek(place)
        head = file.read(len(name) + 8)
        if not head.startswith(name) or len(head) <= len(name):
            return 0
        # The first bit that is set says how many bytes the length has; all others set say that it is not known.
        width = 9 - head[len(name)].bit_length()
        if not 0 < width <= len(head) - len(name):
            return 0
        bits = 7 * width
        found = int.from_bytes(head[len(name) : len(name) + width], "big") & ((1 << bits) - 1)
        if found == (1 << bits) - 1:
            return 0
        place += len(name) + width + (found if name == EBML else 0)
    return max(place + found - size, 0)


def decoded(container: InputContainer) -> Iterator[Greys]:
    """The frames of an open file."""
    if not container.streams.video:
        raise DataError("there is no video in it")
    stream = container.streams.video[0]
    context = stream.codec_context
    if context is None:
        raise DataError("its video is of a kind that cannot be decoded")
    check_size(Size(context.height, context.width))
    context.options = DECODING
    context.thread_count = 1
    packets = frames = 0
    for packet in container.demux(stream):
        packets += packet.size > 0
        for frame in packet.decode():
            frames += 1
            yield grey(frame, frames)
    if packets < stream.frames:
        raise DataError(f"cut short: {packets} of its {stream.frames} frames are there")
    if not frames:
        raise DataError("there is no frame in its video")


def grey(frame: VideoFrame, number: int) -> Greys:
    """The picture of a frame."""
    if frame.is_corrupt:
        raise DataError(f"frame {number} is damaged")
    check_size(Size(frame.height, frame.width))
    return frame.to_ndarray(format="gray").astype(np.float32) / np.float32(255)
