"""Files with random damage: each is read as it should be or refused by a message, never anything else."""

import gzip
import io
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.io
from PIL import Image

from jaxgru.data import DataError, film, idx, images, midi, series, sound, stills, tsfiles
from jaxgru.data.music import matrices, read_piece
from jaxgru.training.checkpoint import Snapshot, Store
from jaxgru.training.config import Config, build
from jaxgru.training.configfile import read, to_toml
from jaxgru.training.errors import RunError, UserError
from jaxgru.training.metrics import Metrics
from jaxgru.training.run import read_json
from jaxgru.training.stopping import Best
from jaxgru.weights import from_bytes, to_bytes
from tests.data.idxfiles import idx as packed
from tests.data.moving import encode, make_frames
from tests.data.scores import chorale, mxl, note, score
from tests.data.test_matfiles import cells
from tests.training.linear import Linear

pytestmark = pytest.mark.faults
TRIES = 4700
TREE = {"w": jnp.ones((2, 3)), "b": jnp.arange(4), "half": jnp.ones(2, jnp.bfloat16)}


def mutations(data, tries=TRIES):
    """The data with a few bytes changed, cut out, doubled or put in."""
    chance = np.random.default_rng(0)
    for _ in range(tries):
        found = bytearray(data)
        for _ in range(chance.integers(1, 5)):
            at, length = chance.integers(len(found) + 1), chance.integers(9)
            pieces = [b"", found[at : at + length] * 2, chance.bytes(length), b"[" * 2000, b"9" * 5000]
            found[at : at + length] = pieces[chance.integers(len(pieces))]
        yield bytes(found)


def refusal(error_type, call, *arguments):
    """The message with which a call refuses; None where it accepts, any other error being a failure."""
    try:
        call(*arguments)
    except error_type as error:
        return str(error)


def report(refused, what):
    sys.stdout.write(f"\n{len(refused)} of {TRIES} damaged {what} refused, no other error\n")
    assert len(refused) > TRIES / 2
    assert all(refused)


def test_weights():
    shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), TREE)

    def load(data):
        assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), from_bytes(data, TREE)) == shapes

    messages = [refusal(ValueError, load, data) for data in mutations(to_bytes(TREE))]
    report([message for message in messages if message is not None], "weight files")


@pytest.mark.parametrize("name", ["song.xml", "song.mxl", "song.mid", "rolls.mat", "plain.mat"])
def test_music(tmp_path, name):
    path = tmp_path / name
    roll = chorale(np.random.default_rng(0), 12)
    text = score(note("C4", 2) + note("F#4", 1), note("G3", 3) + "<backup><duration>2</duration></backup>")
    if path.suffix == ".mat":
        rolls = {part: cells(roll) for part in ("traindata", "validdata", "testdata")}
        scipy.io.savemat(path, rolls, do_compression=name == "rolls.mat")
    elif path.suffix == ".mid":
        midi.write(path, {"all": roll}, grid=4, tempo=80)
    elif path.suffix == ".mxl":
        mxl(path, text)
    else:
        path.write_text(text)

    def load():
        if path.suffix == ".mat":
            rolls = [each.roll for part in matrices(path).values() for each in part]
        else:
            rolls = [read_piece(path, 4).roll]
        assert all(each.shape[1] == 88 and each.max() <= 1 for each in rolls)

    check_damaged(path, load)


def test_configs(tmp_path):
    path = tmp_path / "c.toml"

    def load(data):
        path.write_bytes(data)
        assert isinstance(read(path, (), lambda name: Linear), Config)

    messages = [refusal(UserError, load, data) for data in mutations(to_toml(build({}, Linear)).encode())]
    refused = [message for message in messages if message is not None]
    report(refused, "configs")
    assert all(message.startswith((str(path), "[")) for message in refused)


def test_time_series(tmp_path):
    path = tmp_path / "a.ts"
    whole = b"@univariate false\n@dimensions 2\n@classLabel true a b\n@data\n1,2.5,3:4,5,6e0:a\n1,2:-3,4:b\n"

    def load(data):
        path.write_bytes(data)
        cases = tsfiles.read(path)
        assert all(np.isfinite(frames).all() and len(frames) for _, frames in cases)

    messages = [refusal(DataError, load, data) for data in mutations(whole)]
    refused = [message for message in messages if message is not None]
    report(refused, "time series")
    assert all(message.startswith(f"{path}: ") for message in refused)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_sounds(tmp_path, dtype):
    path, whole = tmp_path / "a.wav", io.BytesIO()
    scipy.io.wavfile.write(whole, 8000, np.arange(12).reshape(6, 2).astype(dtype))

    def load(data):
        path.write_bytes(data)
        assert np.isfinite(sound.read(path).samples).all()

    messages = [refusal(DataError, load, data) for data in mutations(whole.getvalue())]
    refused = [message for message in messages if message is not None]
    report(refused, "sounds")
    assert all(message.startswith(f"{path}: ") for message in refused)


@pytest.mark.parametrize("name", ["images", "images.gz", "table.csv"])
def test_images(tmp_path, name):
    path, values = tmp_path / name, np.random.default_rng(0).integers(0, 256, (6, 3, 4))
    if name == "table.csv":
        path.write_text("label,a,b,c,d\n" + "".join(f"{i},{i},7,255,0\n" for i in range(20)))
    else:
        path.write_bytes(gzip.compress(packed(values)) if name.endswith("gz") else packed(values))
    whole = path.read_bytes()

    def load(data):
        path.write_bytes(data)
        if name == "table.csv":
            assert images.table(path).pixels.shape[1:] == (2, 2)
        else:
            assert idx.read(path, 3).size

    load(whole)
    messages = [refusal(DataError, load, data) for data in mutations(whole)]
    refused = [message for message in messages if message is not None]
    report(refused, f"files like {name}")
    assert all(message.startswith(f"{path}: ") and "\n" not in message for message in refused)


def test_tables(tmp_path):
    path = tmp_path / "t.csv"
    content = "date,x,y\n" + "".join(f"2001-01-{day:02d},{day}.5,{day * day}\n" for day in range(1, 29))

    def load(data):
        path.write_bytes(data)
        found = series.read(path, target="x", exogenous="y", missing="carry")
        assert np.isfinite(found.values).all()

    messages = [refusal(DataError, load, data) for data in mutations(content.encode())]
    refused = [message for message in messages if message is not None]
    report(refused, "tables")
    assert all(message.startswith(f"{path}: ") and "\n" not in message for message in refused)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "mpeg4"), ("b.mp4", "libx264"), ("a.avi", "mpeg4"), ("a.mkv", "mpeg4"), ("a.webm", "libvpx")],
)
def test_videos(tmp_path, name, codec):
    path = encode(tmp_path / name, make_frames(12), codec)

    def load():
        frames = list(film.read(path))
        assert frames
        assert all(np.isfinite(frame).all() and 0 <= frame.min() <= frame.max() <= 1 for frame in frames)

    check_damaged(path, load)


@pytest.mark.parametrize("name", ["1.png", "1.jpg", "deep.png", "few.png"])
def test_pictures(tmp_path, name):
    path, frame = tmp_path / name, make_frames(1)[0]
    if name == "few.png":
        Image.fromarray(frame[:3, :4]).save(path)  # whose damage is in the chunks rather than in the pixels
    else:
        Image.fromarray(frame * np.uint16(257) if name == "deep.png" else frame).save(path)

    def load():
        picture = stills.read(path)
        assert picture.ndim == 2
        assert 0 <= picture.min() <= picture.max() <= 1

    check_damaged(path, load)


def check_damaged(path, load):
    load()
    messages = []
    for data in mutations(path.read_bytes(), tries=1000):
        path.write_bytes(data)
        messages.append(refusal(DataError, load))
    refused = [message for message in messages if message is not None]
    sys.stdout.write(
        f"\n{len(refused)} of {len(messages)} damaged files like {path.name} refused, no other error\n"
    )
    assert len(refused) > len(messages) / 5
    assert all(message.startswith(str(path)) and "\n" not in message for message in refused)


def test_what_stands_beside_the_weights(tmp_path, capsys):
    """Manifests, the pointer, rows, data.json."""
    store = Store(tmp_path)
    like = Snapshot({"step": jnp.asarray(3)}, Best.none())
    (tmp_path / "00000003.safetensors").write_bytes(to_bytes(like))
    manifest = b'{"step": 3, "sha256": "00", "seconds": 1.5, "config": {"train": {"steps": 3}}}'
    for data in mutations(manifest, tries=1000):
        for name in ("00000003.json", "best.json", "metrics.jsonl"):
            (tmp_path / name).write_bytes(data)
        assert store.restore(like) is None
        assert "is damaged" in capsys.readouterr().err
        assert store.best() is None or isinstance(store.best(), int)
        Metrics(tmp_path / "metrics.jsonl").cut_after(3)
        assert "is damaged" in (refusal(RunError, read_json, tmp_path / "best.json", "step") or "is damaged")
