"""Little films for tests: a bright square that wanders over a pattern, as arrays, videos and pictures."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image


def make_frames(count: int, height: int = 24, width: int = 32, seed: int = 0) -> np.ndarray:
    """Bytes (count, height, width)."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(40, 90, (height // 4, width // 4)).repeat(4, 0).repeat(4, 1)
    frames = np.repeat(ground[None], count, 0).astype(np.uint8)
    start, way = rng.integers(0, 8, 2), rng.choice([-1, 1], 2)
    for number, frame in enumerate(frames):
        top, left = (start + way * number) % (height - 6, width - 6)
        frame[top : top + 6, left : left + 6] = 220
    return frames


def encode(path: Path, frames: np.ndarray, codec: str = "mpeg4", pixels: str = "yuv420p") -> Path:
    """A video of them; ffv1 with gray loses nothing."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(10))
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = pixels
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
        container.mux(stream.encode())
    return path


def save_all(folder: Path, frames: np.ndarray, name: str = "frame{}.png") -> Path:
    """A folder of pictures of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames, 1):
        Image.fromarray(frame).save(folder / name.format(number))
    return folder
