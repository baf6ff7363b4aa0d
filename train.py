"""Trains a model: `python train.py [CONFIG] [--resume] [section.key=value …]`.

CONFIG is a task's name or a TOML file; without one it is `chars`, a character-level language model of the
Python language reference. `python train.py --help` says more.

The training itself is one visible loop, jaxgru/training/loop.py; the model and the data of each task stand
in jaxgru/tasks/, and the numbers in configs/.
"""

import sys

from jaxgru.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
