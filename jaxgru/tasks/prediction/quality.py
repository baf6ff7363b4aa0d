"""How near pictures are to what they should be: squared errors, PSNR, SSIM."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

SIGMA, RADIUS = 1.5, 5  # of the Gaussian window of SSIM, 11 × 11
C1, C2 = 0.01**2, 0.03**2  # of pixels from 0 to 1
LEAST = 1e-12  # a squared error below which PSNR no longer rises: equal pictures have 120 dB

Floats = npt.NDArray[np.floating]


def mse(said: Floats, truth: Floats) -> float:
    """The mean squared error of all pixels."""
    return float(np.square(said.astype(np.float64) - truth).mean())


def psnr(error: float) -> float:
    """The peak signal-to-noise ratio in dB of a mean squared error, of pixels from 0 to 1.

    Example:
      >>> psnr(0.001)
      30.0
    """
    return -10 * math.log10(max(error, LEAST))


def ssim(said: Floats, truth: Floats) -> npt.NDArray[np.float64]:
    """The structural similarity of pictures (…, H, W) from 0 to 1, 1 where they are equal.

        SSIM = (2 µ_x µ_y + C1) (2 σ_xy + C2) / (µ_x² + µ_y² + C1) (σ_x² + σ_y² + C2)

    The moments are those under a Gaussian window of 11 × 11 pixels; the mean is over all places where the window lies
    within the picture.

    Args:
      said: pictures of 11 pixels a side at least.
      truth: likewise.

    Returns:
      The similarity of each picture, (…).

    References: Wang, Bovik, Sheikh & Simoncelli 2004, whose constants these are.
    """
    x, y = said.astype(np.float64), truth.astype(np.float64)
    mean_x, mean_y = blurred(x), blurred(y)
    var_x, var_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
    both = blurred(x * y) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + C1) * (2 * both + C2)
    found = likeness / ((mean_x**2 + mean_y**2 + C1) * (var_x + var_y + C2))
    return found[..., RADIUS:-RADIUS, RADIUS:-RADIUS].mean((-2, -1))


def blurred(pictures: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The mean around each pixel under the window."""
    return ndimage.gaussian_filter(pictures, SIGMA, axes=(-2, -1), radius=RADIUS)


class Quality(NamedTuple):
    """How near some pictures are to the truth, on average: of all pixels, and of each picture's SSIM."""

    mse: float
    psnr: float
    ssim: float

    @classmethod
    def of(cls, said: Floats, truth: Floats) -> Quality:
        """That of pictures (N, H, W)."""
        error = mse(said, truth)
        return cls(error, psnr(error), float(ssim(said, truth).mean()))
