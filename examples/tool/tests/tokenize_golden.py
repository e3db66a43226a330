#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tokenize_golden.py TOOL DIR

`unlearn tokenize` gives the reference tokenizer's ids, and --decode gives texts that encode to the
same ids again. Texts of several lines are left to the unit tests. Exits 77, "skipped", without
golden/clip/tokens.json and the merge list in DIR.
"""

import json
import pathlib
import subprocess
import sys


def run(tool, arguments, lines):
    done = subprocess.run(
        [tool, "tokenize", *arguments],
        input="".join(line + "\n" for line in lines),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout.split("\n")[:-1]


def main():
    tool, shared = sys.argv[1], pathlib.Path(sys.argv[2])
    golden = shared / "golden/clip/tokens.json"
    merges = shared / "data/clip-bpe/bpe_simple_vocab_16e6.txt.gz"
    if not (golden.is_file() and merges.is_file()):
        print(f"skipped: no reference data in {shared}")
        sys.exit(77)
    entries = json.loads(golden.read_text(encoding="utf-8"))
    entries = [entry for entry in entries if not set("\r\n") & set(entry["text"])]
    vocab = ["--vocab", str(merges)]
    ids = [json.loads(line) for line in run(tool, vocab, [e["text"] for e in entries])]
    assert len(ids) == len(entries) > 100
    for entry, found in zip(entries, ids):
        assert found == entry["ids"], f"{entry['text']!r}: expected {entry['ids']}, got {found}"
    texts = run(tool, [*vocab, "--decode"], [json.dumps(i) for i in ids])
    again = [json.loads(line) for line in run(tool, vocab, texts)]
    assert again == ids

    bad = subprocess.run([tool, "tokenize", "--vocab", golden], input="a\n", capture_output=True, text=True)
    assert bad.returncode == 1 and str(golden) in bad.stderr, bad.stderr
    bad = subprocess.run([tool, "tokenize", *vocab, "--decode"], input="[1\n", capture_output=True, text=True)
    assert bad.returncode == 1 and "line 1" in bad.stderr, bad.stderr
    print(f"{len(entries)} texts")


if __name__ == "__main__":
    main()
