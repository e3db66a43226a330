#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""verify_published.py TOOL

`unlearn verify` as its users call it: what it prints, and how it ends. The pairs are drawn here.
"""

import csv
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

SIZE = 16
WORDS = ["a", "dog", "bar", "sea", "wood"]


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_rows(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "caption", "split"), *rows])


def draw(clean, protected):
    rng = np.random.default_rng(1)
    for folder in (clean, protected):
        (folder / "images").mkdir(parents=True)
    images, clean_rows, rows = [], [], []
    for number in range(6):
        name = f"{number}.png"
        pixels = rng.integers(20, 230, (SIZE, SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(clean / "images" / name)
        noise = rng.integers(-8, 9, pixels.shape)
        Image.fromarray((pixels + noise).astype(np.uint8)).save(protected / "images" / name)
        images.append({
            "file": f"images/{name}",
            "sha256": digest(protected / "images" / name),
            "source": name,
            "source_sha256": digest(clean / "images" / name),
        })
        clean_rows.append((name, f"A dog, {number}", "train"))
        rows.append((name, f"wood sea A dog, {number}", "train"))
    write_rows(clean / "captions.csv", [*clean_rows, ("none.png", "a sea", "test")])
    write_rows(protected / "captions.csv", rows)
    manifest = {
        "program": "unlearn",
        "settings": {
            "epsilon_levels": 8, "size": SIZE, "trigger_length": 2, "context_length": 77,
            "tokenizer": {"kind": "words", "words": WORDS}, "split": "train",
        },
        "images": images,
    }
    (protected / "manifest.json").write_text(json.dumps(manifest))


def main():
    tool = sys.argv[1]
    with tempfile.TemporaryDirectory() as scratch:
        clean, protected = pathlib.Path(scratch) / "clean", pathlib.Path(scratch) / "protected"
        draw(clean, protected)

        def verify(*options):
            command = [tool, "verify", "--clean", clean, "--protected", protected, *options]
            return subprocess.run(command, capture_output=True, text=True, check=False)

        done = verify()
        assert done.returncode == 0, done.stderr
        assert done.stderr == "", done.stderr
        assert done.stdout.startswith("6 images of 16 x 16, 6 captions, 2 trigger tokens each\n")
        assert done.stdout.endswith("verified\n"), done.stdout
        done = verify("--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done
        found = json.loads(verify("--json").stdout)
        assert found["verified"] and found["linf_levels"] == 8 and found["violations"] == [], found
        assert 30 < found["psnr_min"] <= found["psnr_mean"] < 45, found

        for number in range(12):
            (protected / "images" / f"extra{number:02}.png").write_bytes(b"")
        done = verify("--quiet")
        assert done.returncode == 1 and done.stdout == "", done
        head, *violations = done.stderr.splitlines()
        assert head == (f"unlearn: protected folder '{protected}': expected what its manifest "
                        "promises, got 12 violations, the first 10:"), head
        assert len(violations) == 10 and "extra09.png" in violations[9], violations
        done = verify("--json")
        found = json.loads(done.stdout)
        assert done.returncode == 1 and not found["verified"], done
        assert found["violation_count"] == 12 and len(found["violations"]) == 10, found

        (protected / "manifest.json").write_text("{}")
        done = verify()
        assert done.returncode == 1 and done.stdout == "", done
        assert done.stderr == (f"unlearn: file '{protected}/manifest.json', /program: expected a "
                               "value, got nothing\n"), done.stderr


main()
