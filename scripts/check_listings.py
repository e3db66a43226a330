#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that every C++ listing in the documentation is cut from a source file, and every link to a
file of the project finds one.

In README.md and docs/**/*.md each ```cpp block stands under a comment that names its source,

    <!-- listing: examples/quickstart/quickstart.cpp#model -->

and equals, after removing common indentation, what stands between the lines `// [model]` and
`// [/model]` of that file. Blocks in other languages are free.

    check_listings.py [--write] [root]      --write refreshes the listings in place
"""

import argparse
import pathlib
import re
import sys
import textwrap

FENCE = re.compile(r"(?P<indent>\s*)```\s*(?P<language>\S*)")
CPP = {"cpp", "c++", "cc", "cxx", "hpp", "cu", "cuda"}
LINK = re.compile(r"\]\((?P<path>[^)#:\s]+)(#[^)\s]*)?\)")
REFERENCE = re.compile(r"<!-- listing: (?P<path>\S+)#(?P<tag>\S+) -->")


class ListingError(Exception):
    """A listing that has no source, or a source that has no such region."""


def region(root, path, tag):
    """The lines between `// [tag]` and `// [/tag]` of a source file, dedented."""
    source = root / path
    if not source.is_file():
        raise ListingError(f"no file {path}")
    lines = source.read_text(encoding="utf-8").splitlines()
    marks = [line.strip() for line in lines]
    opening, closing = f"// [{tag}]", f"// [/{tag}]"
    for mark in (opening, closing):
        if marks.count(mark) != 1:
            raise ListingError(f"expected one line '{mark}' in {path}, found {marks.count(mark)}")
    first, last = marks.index(opening) + 1, marks.index(closing)
    if first >= last:
        raise ListingError(f"nothing between '{opening}' and '{closing}' in {path}")
    # Markers of regions within this one are not part of what the reader should see.
    body = [line for line in lines[first:last] if not re.fullmatch(r"\s*// \[/?[\w-]+\]", line)]
    return textwrap.dedent("\n".join(body)).strip("\n").splitlines()


def check(root, document, write):
    """Complaints about one document; with `write`, its outdated listings are refreshed."""
    lines = document.read_text(encoding="utf-8").splitlines()
    complaints, refreshed = [], []
    at = 0
    while at < len(lines):
        refreshed.append(lines[at])
        fence = FENCE.match(lines[at])
        if not fence:
            for link in LINK.finditer(lines[at]):
                if not (document.parent / link["path"]).exists():
                    where = f"{document.relative_to(root)}:{at + 1}"
                    complaints.append(f"{where}: no file {link['path']} to link to")
            at += 1
            continue
        where = f"{document.relative_to(root)}:{at + 1}"
        indent = fence["indent"]
        if indent + "```" not in lines[at + 1 :]:
            complaints.append(f"{where}: expected a closing {indent}```, found none")
            refreshed.extend(lines[at + 1 :])
            break
        end = lines.index(indent + "```", at + 1)
        body = lines[at + 1 : end]
        if fence["language"].lower() in CPP:
            try:
                body = checked_body(root, lines[at - 1] if at else "", body, indent, write)
            except ListingError as error:
                complaints.append(f"{where}: {error}")
        refreshed.extend([*body, lines[end]])
        at = end + 1
    if write and refreshed != lines:
        document.write_text("\n".join(refreshed) + "\n", encoding="utf-8")
    return complaints


def checked_body(root, line_above, body, indent, write):
    """What a listing's lines should be; unless `write`, they must be that already."""
    reference = REFERENCE.fullmatch(line_above.strip())
    if not reference:
        raise ListingError("expected '<!-- listing: path/to/file.cpp#tag -->' on the line above")
    path, tag = reference["path"], reference["tag"]
    wanted = [(indent + line).rstrip() for line in region(root, path, tag)]
    if wanted != body and not write:
        raise ListingError(f"differs from {path}#{tag}; scripts/check_listings.py --write mends it")
    return wanted


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="refresh the listings in place")
    here = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=here)
    arguments = parser.parse_args()

    documents = [*arguments.root.glob("README.md"), *sorted(arguments.root.glob("docs/**/*.md"))]
    if not documents:
        sys.exit(f"expected README.md or docs/**/*.md under {arguments.root}, found none")
    complaints = [c for d in documents for c in check(arguments.root, d, arguments.write)]
    print(*complaints, f"{len(documents)} documents, {len(complaints)} complaints", sep="\n")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
