#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""protect_tool.py TOOL

`unlearn protect`, `verify`, `train` and `evaluate` as their users call them, on drawn images:
what is published holds, a killed run ends in the same bytes, and bad input gives one clear line.
"""

import csv
import json
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

TOOL = sys.argv[1]
FAST = [
    "--vocab", "words", "--size", "32", "--batch-size", "16", "--rounds", "2", "--surrogate-steps", "3",
    "--candidates", "4", "--precision", "single", "--threads", "1", "--checkpoint-every", "0",
    "--surrogate-rounds", "1",
]


def run(*arguments, **more):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, **more)


def succeed(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


def fail(*arguments, says):
    """One clear line, and a status that says so."""
    done = run(*arguments)
    assert done.returncode not in (0, 137), (arguments, done.stdout)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and says in lines[0], (says, done.stderr)


def contents(folder):
    """Every file that a protected folder has, but for the times in the manifest."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            files[str(path.relative_to(folder))] = path.read_bytes()
    manifest = json.loads(files.pop("manifest.json"))
    for changing in ("seconds", "peak_megabytes"):
        del manifest[changing]
    return files, manifest


def check_published(pairs, out, length):
    manifest = json.loads((out / "manifest.json").read_text())
    clean = [r for r in csv.DictReader((pairs / "captions.csv").open()) if r["split"] == "train"]
    published = list(csv.DictReader((out / "captions.csv").open()))
    assert len(clean) == len(published) > 0
    for before, after in zip(clean, published):
        assert after["caption"].endswith(before["caption"])
        words = after["caption"][: -len(before["caption"])].split()
        assert len(words) == length, after
    noise = np.load(out / "noise.npy")
    assert noise.dtype == np.int8 and abs(noise.astype(int)).max() == 8
    for number, image in enumerate(manifest["images"]):
        shown = np.asarray(Image.open(out / image["file"]))
        source = np.asarray(Image.open(pairs / "images" / image["source"]))
        difference = shown.astype(int) - source.astype(int)
        assert abs(difference).max() <= 8
        assert (difference.reshape(-1) == noise[number]).all()
    trace = list(csv.DictReader((out / "trace.csv").open()))
    assert [row["round"] for row in trace] == ["1", "2"]
    assert np.load(out / "triggers.npy").shape == (len(published), length)


def check_kill(pairs, scratch, straight):
    """Killed between two batches, at several moments."""
    out = scratch / "killed"
    resume = ["protect", "--pairs", pairs, "--out", out, *FAST, "--quiet"]
    for wanted in (4, 6, 4):
        process = subprocess.Popen([TOOL, *map(str, resume), *(["--resume"] if out.exists() else [])])
        state = out / "run/checkpoint/state"
        seen = None
        changes = 0
        deadline = time.monotonic() + 100
        while process.poll() is None and changes < wanted and time.monotonic() < deadline:
            now = state.stat().st_mtime_ns if state.exists() else None
            changes += now != seen
            seen = now
            time.sleep(0.002)
        process.kill()
        process.wait()
    assert not (out / "manifest.json").exists(), "ended before it could be killed"
    fail(*resume, says="--resume")
    fail(*resume, "--resume", "--seed", "2", says="seed: expected 1, got 2")
    succeed(*resume, "--resume")
    assert contents(out) == contents(straight)
    succeed(*resume, "--resume")  # complete: nothing to do
    assert contents(out) == contents(straight)


def check_disk_full(pairs, scratch, straight):
    """Files that may not grow beyond some size: at the settings, the noise, a checkpoint."""
    for limit, unwritten in ((2_000, "settings.json"), (100_000, "noise.npy"), (1_000_000, "checkpoint/")):
        out = scratch / f"full-{limit}"
        command = ["protect", "--pairs", pairs, "--out", out, *FAST, "--quiet"]
        limited = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        done = run(*command, preexec_fn=limited)
        lines = done.stderr.strip().splitlines()
        assert done.returncode == 1 and len(lines) == 1 and unwritten in lines[0], (limit, done)
        assert not (out / "manifest.json").exists() and not (out / "captions.csv").exists()
        succeed(*command, "--resume")
        assert contents(out) == contents(straight)


def check_surrogate_reset(pairs, scratch, straight):
    """With --surrogate-rounds 1, the second round has another surrogate than the first."""
    out = scratch / "one-surrogate"
    succeed("protect", "--pairs", pairs, "--out", out, *FAST[:-2], "--quiet")
    one, several = ((folder / "trace.csv").read_text().splitlines() for folder in (out, straight))
    assert one[1] == several[1] and one[2] != several[2], (one, several)


def check_interrupt(pairs, scratch, straight):
    out = scratch / "interrupted"
    command = ["protect", "--pairs", pairs, "--out", out, *FAST, "--quiet"]
    process = subprocess.Popen([TOOL, *map(str, command)], stderr=subprocess.PIPE, text=True)
    while not (out / "run/checkpoint/state").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    assert process.returncode == 130 and "--resume" in said, (process.returncode, said)
    succeed(*command, "--resume")
    assert contents(out) == contents(straight)


def check_bad_input(pairs, scratch):
    bad = scratch / "bad"
    shutil.copytree(pairs, bad)
    names = sorted(path.name for path in (bad / "images").iterdir())
    out = scratch / "none"
    protect = ["protect", "--pairs", bad, "--out", out, *FAST]

    def with_file(name, data, says):
        path = bad / "images" / name
        before = path.read_bytes() if path.exists() else None
        if data is None:
            path.unlink()
        else:
            path.write_bytes(data)
        fail(*protect, says=says)
        assert not out.exists()
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)

    with_file(names[0], b"", says=names[0])
    with_file(names[1], None, says=names[1])
    with_file(names[2], (bad / "images" / names[2]).read_bytes()[:200], says=names[2])
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (40_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    with_file(names[3], header + b"\0" * 100, says=names[3])
    with_file("nobody.jpg", b"x", says="nobody.jpg")

    (bad / "images" / names[0]).write_bytes(b"")
    done = run(*protect, "--skip-bad", "--quiet")
    assert done.returncode == 0 and "skipped" in done.stderr and names[0] in done.stderr, done.stderr
    succeed("verify", "--clean", bad, "--protected", out, "--quiet")

    captions = bad / "captions.csv"
    text = captions.read_text()
    captions.write_text(text.replace("image,caption,split", "image;text", 1))
    fail("protect", "--pairs", bad, "--out", scratch / "none2", *FAST, says="captions.csv")
    captions.write_text(text)
    twin = names[4].replace(".png", ".jpg")
    Image.open(bad / "images" / names[4]).save(bad / "images" / twin)
    captions.write_text(text + f'{twin},"a ""quoted"" caption\nof two lines .",train\n')
    (bad / "images" / names[0]).write_bytes((pairs / "images" / names[0]).read_bytes())
    fail("protect", "--pairs", bad, "--out", scratch / "none3", *FAST, says=names[4])
    full = scratch / "occupied"
    full.mkdir()
    (full / "thesis.txt").write_text("mine")
    fail("protect", "--pairs", pairs, "--out", full, *FAST, says="thesis.txt")
    assert (full / "thesis.txt").read_text() == "mine"
    fail("protect", "--pairs", pairs, "--out", "/dev/full/x", *FAST, says="/dev/full/x")


def check_tampering(pairs, scratch, straight):
    protected = scratch / "tampered"
    shutil.copytree(straight, protected)
    verify = ["verify", "--clean", pairs, "--protected", protected, "--quiet"]
    path = next((protected / "images").iterdir())
    pixels = np.asarray(Image.open(path)).copy()
    pixels[0, 0, 0] ^= 0x80
    Image.fromarray(pixels).save(path)
    done = run(*verify)
    assert done.returncode != 0 and path.name in done.stderr + done.stdout, done


def check_scopes(pairs, scratch):
    out = scratch / "rows"
    succeed("protect", "--pairs", pairs, "--out", out, *FAST, "--scope", "row", "--quiet")
    assert len(list((out / "images").iterdir())) == len(np.load(out / "triggers.npy"))
    succeed("verify", "--clean", pairs, "--protected", out, "--quiet")
    out = scratch / "universal"
    succeed("protect", "--pairs", pairs, "--out", out, *FAST, "--scope", "all", "--trigger-scope", "all",
            "--readable", "--quiet")
    assert len(np.load(out / "triggers.npy")) == 1
    succeed("verify", "--clean", pairs, "--protected", out, "--quiet")
    for method in ("em", "uap"):
        out = scratch / method
        succeed("protect", "--pairs", pairs, "--out", out, *FAST, "--method", method,
                "--surrogate-epochs", "1", "--quiet")
        succeed("verify", "--clean", pairs, "--protected", out, "--quiet")


def check_placements(pairs, scratch):
    """Triggers behind the caption and between its words: what is published holds, and resumes."""
    clean = [r["caption"] for r in csv.DictReader((pairs / "captions.csv").open()) if r["split"] == "train"]
    for placement in ("back", "anywhere"):
        out = scratch / placement
        command = ["protect", "--pairs", pairs, "--out", out, *FAST, "--quiet", "--placement", placement]
        stopped = subprocess.Popen([TOOL, *map(str, command)])
        while not (out / "run" / "checkpoint").exists() and stopped.poll() is None:
            time.sleep(0.01)
        stopped.kill()
        stopped.wait()
        fail(*command[:-1], "front", "--resume", says=f"placement: expected \"{placement}\"")
        succeed(*command, "--resume")
        straight = scratch / f"{placement}-straight"
        succeed(*command[:4], straight, *command[5:])
        assert contents(out) == contents(straight)
        succeed("verify", "--clean", pairs, "--protected", out, "--quiet")
        assert json.loads((out / "manifest.json").read_text())["settings"]["placement"] == placement
        published = [r["caption"] for r in csv.DictReader((out / "captions.csv").open())]
        inside = 0
        for before, after in zip(clean, published):
            assert len(after.split()) == len(before.split()) + 3, after
            rest = iter(after.split())
            assert all(word in rest for word in before.split()), after
            inside += not after.startswith(before) and not after.endswith(before)
        assert (inside == 0) == (placement == "back"), (placement, inside)


def check_hacker(pairs, scratch, straight):
    """A hacker trains on what was published, cleaned in every way, and is evaluated on clean pairs."""
    train = ["train", "--pairs", straight, "--test-pairs", pairs, "--vocab", "words", "--size", "32",
             "--epochs", "1", "--batch-size", "16", "--threads", "1"]
    out = scratch / "hacker"
    found = json.loads(succeed(*train, "--out", out, "--json", "--strip-words", "3", "--jpeg", "75",
                               "--grayscale", "--random-crop"))
    again = json.loads(succeed("evaluate", "--weights", out / "model.safetensors", "--pairs", pairs,
                               "--vocab", out / "vocabulary.json", "--json"))
    assert found == again, (found, again)
    rng = np.random.default_rng(1)
    images = rng.standard_normal((20, 8)).astype(np.float32)
    texts = np.repeat(images, 2, axis=0)
    np.save(scratch / "a.npy", images)
    np.save(scratch / "b.npy", texts)
    perfect = json.loads(succeed("evaluate", "--image-embeddings", scratch / "a.npy", "--text-embeddings",
                                 scratch / "b.npy", "--captions-per-image", "2", "--json"))
    assert perfect["i2t"] == {"hit10": 100.0, "medr": 1} == perfect["t2i"], perfect


def main():
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        pairs = scratch / "pairs"
        succeed("draw", "--out", pairs, "--train", "60", "--test", "20", "--quiet")
        straight = scratch / "straight"
        out = succeed("protect", "--pairs", pairs, "--out", straight, *FAST)
        assert "To publish" in out, out
        check_published(pairs, straight, 3)
        assert "8" in succeed("verify", "--clean", pairs, "--protected", straight)
        check_kill(pairs, scratch, straight)
        check_interrupt(pairs, scratch, straight)
        check_disk_full(pairs, scratch, straight)
        check_surrogate_reset(pairs, scratch, straight)
        check_bad_input(pairs, scratch)
        check_tampering(pairs, scratch, straight)
        check_scopes(pairs, scratch)
        check_placements(pairs, scratch)
        check_hacker(pairs, scratch, straight)


if __name__ == "__main__":
    main()
