#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""train_resume.py TOOL DIR

`unlearn train` killed at some moment and resumed ends in the same bytes as one that was not. Needs
the merge list in DIR; exits 77, "skipped", without it. The images are drawn here.
"""

import csv
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image


def draw(folder):
    rng = np.random.default_rng(1)
    rows = []
    for number in range(40):
        colours = rng.integers(0, 255, (2, 2, 3), dtype=np.uint8)
        name = f"{number}.jpg"
        Image.fromarray(colours).resize((48, 40), Image.NEAREST).save(folder / name, quality=90)
        split = "train" if number < 32 else "test"
        for caption in ("image {}", "number {} of all"):
            rows.append((name, caption.format(number), split))
    with open(folder / "captions.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "caption", "split"), *rows])


def main():
    tool, shared = sys.argv[1], pathlib.Path(sys.argv[2])
    merges = shared / "data/clip-bpe/bpe_simple_vocab_16e6.txt.gz"
    if not merges.is_file():
        print(f"skipped: no merge list in {shared}")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        draw(folder)

        def command(out, *more):
            return [
                tool, "train", "--images", folder, "--captions", folder / "captions.csv",
                "--vocab", merges, "--size", "32", "--epochs", "3", "--batch-size", "16",
                "--threads", "1", "--checkpoint-every", "0", "--quiet", "--out", folder / out, *more,
            ]

        done = subprocess.run(command("straight"), check=True, capture_output=True, text=True)
        assert "trained" in done.stdout, done.stdout
        log = (folder / "straight/log.csv").read_text()
        assert len(log.splitlines()) == 4, log

        killed = subprocess.Popen(command("killed"))
        deadline = time.monotonic() + 100
        while not (folder / "killed/log.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        killed.kill()
        assert killed.wait() != 0, "ended before it could be killed"
        assert (folder / "killed/run/checkpoint/state").is_file()
        subprocess.run(command("killed", "--resume"), check=True, capture_output=True)
        assert (folder / "killed/log.csv").read_text() == log
        ours, theirs = ((folder / out / "model.safetensors").read_bytes() for out in ("straight", "killed"))
        assert ours == theirs

        again = subprocess.run(command("straight"), capture_output=True, text=True)
        assert again.returncode == 1 and "--resume" in again.stderr, again.stderr
        missing = command("other")
        (folder / "3.jpg").write_bytes(b"")
        bad = subprocess.run(missing, capture_output=True, text=True)
        assert bad.returncode == 1 and "3.jpg" in bad.stderr, bad.stderr
        assert not (folder / "other/model.safetensors").exists()


if __name__ == "__main__":
    main()
