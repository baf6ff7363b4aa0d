"""Log-mel features: what a short stretch of sound has in each of some bands of frequency, as the ear spaces them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from jaxgru.data.sound import Floats

MOST = 1 << 24  # numbers that filters may be
BLOCK = 1 << 22  # samples that are transformed together
FLOOR = 1e-10  # of the loudest band's power, where a sine of full scale has 1: below it, all is silence


@dataclass(frozen=True)
class LogMel:
    """Sound as frames (T, bands): how loud each band is, in dB below the loudest one, a frame every `hop` seconds.

        mel(f) = 2595 log10(1 + f / 700)
        power  = |rfft(hann · samples)|² / (Σ hann / 2)²     zeros fill a window up to a power of two
        band   = Σ_f filter(band, f) · power(f)
        frame  = max(10 log10(band / loudest), −depth)       loudest: the largest band of any frame

    So it does not matter how loud a recording is as a whole, nor what it has below `depth`.

    The filters are triangles whose corners stand at equal distances in mel between `lowest` and `highest`; a
    triangle's top is 1. A sound shorter than a window is filled up with zeros to one; what is left at its end
    and fills no window is not read.

    Args:
      rate: samples in a second.
      bands: C, how many.
      window: seconds of sound in a frame.
      hop: seconds between the starts of two frames.
      lowest: in Hz, where the first triangle begins.
      highest: in Hz, where the last one ends; 0 means half the rate.
      depth: in dB, how far below the loudest band there is only silence.

    Raises:
      ValueError: sizes that do not go together; the message says which, and what they should be.

    Example:
      >>> features = LogMel(8000, bands=20, window=0.025, hop=0.01, lowest=60, highest=0, depth=60)
      >>> tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000).astype(np.float32)
      >>> frames = features(tone, most=50)
      >>> frames.shape, int(frames[0].argmax()), features.centres.round()[7:10]
      ((50, 20), 8, array([ 821.,  959., 1110.]))

    References: Davis and Mermelstein 1980; the formula of mel is O'Shaughnessy's, as in HTK.
    """

    rate: int
    bands: int
    window: float
    hop: float
    lowest: float
    highest: float
    depth: float

    def __post_init__(self) -> None:
        """Refuses sizes that do not go together."""
        top = self.highest or self.rate / 2
        if top > self.rate / 2:
            raise ValueError(
                f"highest is {top:g} Hz, but {self.rate} samples a second hold {self.rate / 2:g} Hz"
            )
        if self.lowest >= top:
            raise ValueError(f"lowest is {self.lowest:g} Hz; it must be below {top:g} Hz")
        if self.width < 2 or self.step < 1:
            raise ValueError(f"window and hop must be 2 samples and 1, or more, at {self.rate} a second")
        if self.bands * (self.size // 2 + 1) > MOST:
            mend = "take fewer bands, or a shorter window"
            raise ValueError(f"{self.bands} filters of windows of {self.width} samples are too large; {mend}")
        if not (self.filters > 0).any(1).all():
            mend = "take fewer bands, or a longer window"
            raise ValueError(f"{self.bands} bands are narrower than what a window tells apart; {mend}")

    @property
    def width(self) -> int:
        """Samples in a window."""
        return round(self.window * self.rate)

    @property
    def step(self) -> int:
        """Samples between the starts of two windows."""
        return round(self.hop * self.rate)

    @property
    def size(self) -> int:
        """Samples that are transformed, a power of two."""
        return 1 << (self.width - 1).bit_length()

    @cached_property
    def corners(self) -> npt.NDArray[Any]:
        """The frequencies (bands + 2,) in Hz at which a triangle begins, has its top, or ends."""
        low, high = (2595 * math.log10(1 + f / 700) for f in (self.lowest, self.highest or self.rate / 2))
        return 700 * (10 ** (np.linspace(low, high, self.bands + 2) / 2595) - 1)

    @property
    def centres(self) -> npt.NDArray[Any]:
        """The frequencies (bands,) in Hz of the tops."""
        return self.corners[1:-1]

    @cached_property
    def filters(self) -> npt.NDArray[Any]:
        """The triangles (bands, size // 2 + 1)."""
        frequencies = np.arange(self.size // 2 + 1) * self.rate / self.size
        left, top, right = (self.corners[i : i + self.bands, None] for i in range(3))
        rising, falling = (frequencies - left) / (top - left), (right - frequencies) / (right - top)
        return np.maximum(0, np.minimum(rising, falling))

    def count(self, samples: int) -> int:
        """How many frames a sound of so many samples has."""
        return 1 + max(0, samples - self.width) // self.step

    def __call__(self, samples: Floats, most: int) -> Floats:
        """The frames (T, bands) of some samples (N,), as many as `most` from the start."""
        taken = min(self.count(len(samples)), most)
        whole = np.zeros((taken - 1) * self.step + self.width)
        whole[: len(samples)] = samples[: len(whole)]
        windows = np.lib.stride_tricks.sliding_window_view(whole, self.width)[:: self.step]
        hann = np.hanning(self.width + 1)[:-1]
        power = np.empty((taken, self.bands))
        some = min(256, max(1, BLOCK // self.size))  # at a time: a spectrum is larger than its frame
        for start in range(0, taken, some):
            spectrum = np.fft.rfft(windows[start : start + some] * hann, self.size)
            power[start : start + some] = np.abs(spectrum / (hann.sum() / 2)) ** 2 @ self.filters.T
        loudest = max(power.max(), FLOOR)
        return (10 * np.log10(np.maximum(power / loudest, 10 ** (-self.depth / 10)))).astype(np.float32)
