"""What the bare session makes of rows, each alone: from one ``.npy`` file to another."""

import argparse

import numpy as np
from model import load

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--file", required=True)
    parser.add_argument("--taken", required=True)
    parser.add_argument("--out", required=True)
    given = parser.parse_args()
    model = load(given.file, 1, 1)
    np.save(given.out, model(np.load(given.taken)))
