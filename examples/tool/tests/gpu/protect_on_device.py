#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""protect_on_device.py TOOL [DEVICE]

`unlearn protect --device cuda` on drawn images: what it publishes is verified, and a run that was
interrupted goes on to its end. Exits 77 where there is no such device.
"""

import pathlib
import signal
import subprocess
import sys
import tempfile
import time

TOOL = sys.argv[1]
DEVICE = sys.argv[2] if len(sys.argv) > 2 else "cuda"


def run(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True)


def succeed(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)


def main():
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        pairs = scratch / "pairs"
        succeed("draw", "--out", pairs, "--train", 48, "--test", 8)
        protect = [
            "protect", "--pairs", pairs, "--device", DEVICE, "--model", "rn-small", "--size", 32,
            "--vocab", "words", "--batch-size", 16, "--rounds", 3, "--surrogate-steps", 3,
            "--candidates", 4, "--checkpoint-every", 0,
        ]
        first = run(*protect, "--out", scratch / "straight")
        if "LibTorch without CUDA" in first.stderr:
            print("no GPU that LibTorch knows")
            return 77
        assert first.returncode == 0, first.stderr
        succeed("verify", "--clean", pairs, "--protected", scratch / "straight")

        out = scratch / "interrupted"
        process = subprocess.Popen([TOOL, *map(str, protect), "--out", str(out), "--quiet"])
        state = out / "run/checkpoint/state"
        while not state.exists() and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        process.wait()
        assert process.returncode == 130, process.returncode
        succeed(*protect, "--out", out, "--resume")
        succeed("verify", "--clean", pairs, "--protected", out)
    return 0


sys.exit(main())
