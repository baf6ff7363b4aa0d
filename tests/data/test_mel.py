"""Log-mel features: each number is what the definition says, wherever it stands in a sound."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from jaxgru.data.mel import LogMel


def make(rate: int = 8000, **changes: Any) -> LogMel:
    sizes = {"bands": 12, "window": 0.025, "hop": 0.01, "lowest": 60.0, "highest": 0.0, "depth": 80.0}
    return LogMel(rate, **(sizes | changes))


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)


def by_definition(sound: np.ndarray, features: LogMel) -> np.ndarray:
    """Frame by frame, band by band, by sums of cosines and sines."""
    low, high = 2595 * np.log10(1 + np.array([60, 4000]) / 700)
    corners = 700 * (10 ** (np.linspace(low, high, 14) / 2595) - 1)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 200)
    times = np.arange(200)
    bands = []
    for start in range(0, len(sound) - 199, 80):
        piece = sound[start : start + 200].astype(np.float64) * hann
        row = np.zeros(12)
        for k in range(129):
            f = k * 8000 / 256
            power = abs((piece * np.exp(-2j * np.pi * k * times / 256)).sum() / (hann.sum() / 2)) ** 2
            for band in range(12):
                left, top, right = corners[band : band + 3]
                row[band] += power * max(0, min((f - left) / (top - left), (right - f) / (right - top)))
        bands.append(row)
    found = np.array(bands)
    return np.maximum(10 * np.log10(found / found.max()), -80)


def test_frames_are_those_of_the_definition() -> None:
    features, sound = make(), noise(560)
    frames = features(sound, most=100)
    assert frames.shape == (features.count(560), 12) == (5, 12)
    assert frames.dtype == np.float32
    np.testing.assert_allclose(frames, by_definition(sound, features), atol=1e-4)


def test_a_tone_is_in_its_band() -> None:
    features = make(rate=16_000, bands=30)
    for band in (5, 14, 25):
        tone = np.sin(2 * np.pi * features.centres[band] * np.arange(4000) / 16_000).astype(np.float32)
        assert (features(tone, most=100).argmax(1) == band).all()


def test_loudness_does_not_matter_and_silence_is_the_floor() -> None:
    features, sound = make(), noise(2000)
    np.testing.assert_allclose(features(sound, 100), features(sound / 256, 100), atol=1e-3)
    sound[1000:] = 0
    assert (features(sound, 100)[13:] == -80).all()
    assert (features(np.zeros(2000, np.float32), 100) == -80).all()
    assert features(sound, 100).max() == 0


def test_a_short_sound_is_one_frame_and_a_long_one_is_cut() -> None:
    features = make()
    assert (
        features(noise(1), 9).shape
        == features(noise(200), 9).shape
        == features(noise(279), 9).shape
        == (1, 12)
    )
    assert features(noise(280), 9).shape == (2, 12)
    assert features(noise(8000), 9).shape == (9, 12)
    long = noise(80 * 700)
    whole = make(depth=200.0)(long, 10_000)
    assert len(whole) == 698
    # Pieces of 256 frames are joined where they should be.
    apart = make(depth=200.0)(long[80 * 250 :], 10_000)
    np.testing.assert_allclose(np.diff(whole[250:], axis=0), np.diff(apart, axis=0), atol=1e-3)


def test_long_windows_take_little_memory() -> None:
    features, sound = make(rate=384_000, window=1.0, hop=0.05), noise(384_000 * 3)
    tracemalloc.start()
    frames = features(sound, 10_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert frames.shape == (41, 12)
    assert most < 160 << 20  # the spectra of all frames at once would be 172 MB, and are needed twice


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"highest": 4001.0}, "highest is 4001 Hz, but 8000 samples a second hold 4000 Hz"),
        ({"lowest": 4000.0}, "lowest is 4000 Hz; it must be below 4000 Hz"),
        ({"lowest": 900.0, "highest": 800.0}, "lowest is 900 Hz; it must be below 800 Hz"),
        ({"window": 0.0001}, "window and hop must be 2 samples and 1, or more, at 8000 a second"),
        ({"hop": 0.00001}, "window and hop must be 2 samples and 1, or more, at 8000 a second"),
        (
            {"bands": 200},
            "200 bands are narrower than what a window tells apart; take fewer bands, or a longer window",
        ),
        (
            {"rate": 384_000, "window": 1.0, "bands": 512},
            "512 filters of windows of 384000 samples are too large; take fewer bands, or a shorter window",
        ),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 the whole message is compared
        make(**changes)
    assert str(error.value) == message
