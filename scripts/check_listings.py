#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what the documentation repeats from source files: listings, requirements and links.

In README.md and docs/**/*.md

- each ```cpp block is under a comment that names its source,

      <!-- listing: examples/quickstart/quickstart.cpp#model -->

  and equals, without common indentation, what is between the lines `// [model]` and `// [/model]`
  of that file (`# [model]` in Python). Blocks in other languages may have such a comment, too;
- the lines between

      <!-- requirements: include/unlearn/core/concepts.hpp#DualEncoder -->
      <!-- /requirements -->

  equal the documentation comment of that concept, struct or class, as Markdown;
- each link to a file of the project finds one.

    check_listings.py [--write] [root]      --write refreshes listings and requirements in place
"""

import argparse
import pathlib
import re
import sys
import textwrap

FENCE = re.compile(r"(?P<indent>\s*)```\s*(?P<language>\S*)")
CPP = {"cpp", "c++", "cc", "cxx", "hpp", "cu", "cuda"}
LINK = re.compile(r"\]\((?P<path>[^)#:\s]+)(#[^)\s]*)?\)")
LISTING = re.compile(r"<!-- listing: (?P<path>\S+)#(?P<tag>\S+) -->")
REQUIREMENTS = re.compile(r"<!-- requirements: (?P<path>\S+)#(?P<name>\w+) -->")
END_OF_REQUIREMENTS = "<!-- /requirements -->"
MENDS = "scripts/check_listings.py --write mends it"


class ListingError(Exception):
    """What is wrong with a listing or a list of requirements, or with its source."""


def source_lines(root, path):
    """The lines of a source file."""
    source = root / path
    if not source.is_file():
        raise ListingError(f"no file {path}")
    return source.read_text(encoding="utf-8").splitlines()


def region(root, path, tag):
    """The lines between `// [tag]` and `// [/tag]` of a source file, dedented."""
    lines = source_lines(root, path)
    comment = "#" if path.endswith(".py") else "//"
    marks = [line.strip() for line in lines]
    opening, closing = f"{comment} [{tag}]", f"{comment} [/{tag}]"
    for mark in (opening, closing):
        if marks.count(mark) != 1:
            raise ListingError(f"expected one line '{mark}' in {path}, found {marks.count(mark)}")
    first, last = marks.index(opening) + 1, marks.index(closing)
    if first >= last:
        raise ListingError(f"nothing between '{opening}' and '{closing}' in {path}")
    # Markers of regions within this one are not part of what the reader should see.
    marker = re.compile(rf"\s*{comment} \[/?[\w-]+\]")
    body = [line for line in lines[first:last] if not marker.fullmatch(line)]
    return textwrap.dedent("\n".join(body)).strip("\n").splitlines()


def requirements(root, path, name):
    """The documentation comment of a concept, struct or class, as lines of Markdown."""
    lines = source_lines(root, path)
    declaration = re.compile(rf"(concept|struct|class) {name}(?![\w<])")  # no specialisation
    found = [at for at, line in enumerate(lines) if declaration.match(line)]
    comments = [comment for at in found if (comment := comment_above(lines, at))]
    if len(comments) != 1:
        raise ListingError(f"expected one concept, struct or class {name} under a comment '///' in "
                           f"{path}, found {len(comments)}")
    return as_markdown(comments[0])


def comment_above(lines, at):
    """The lines '///' above a declaration and its template parameters."""
    while at > 0 and lines[at - 1] and not lines[at - 1].startswith("///"):
        at -= 1
    first = at
    while first > 0 and lines[first - 1].startswith("///"):
        first -= 1
    return lines[first:at]


def as_markdown(comment):
    """The lines of a documentation comment without their markers; lists begin at the margin."""
    markdown, in_list = [], False
    for line in comment:
        text = line.removeprefix("///").removeprefix(" ").rstrip()
        begins_item = re.match(r" (\d+\.|-) ", text)
        if begins_item and not in_list and markdown and markdown[-1]:
            markdown.append("")
        in_list = bool(begins_item or (in_list and text.startswith("  ")))
        markdown.append(text[1:] if in_list else text)
    return markdown


class Document:
    """One document, read line by line; complaints and the refreshed lines gather on the way."""

    def __init__(self, root, path, write):
        self.root, self.path, self.write = root, path, write
        self.lines = path.read_text(encoding="utf-8").splitlines()
        self.refreshed, self.complaints = [], []

    def complain(self, at, what):
        self.complaints.append(f"{self.path.relative_to(self.root)}:{at + 1}: {what}")

    def check(self):
        """All complaints; with `write`, what is outdated is refreshed."""
        at = 0
        while at < len(self.lines):
            if fence := FENCE.match(self.lines[at]):
                at = self.check_block(at, fence)
            elif found := REQUIREMENTS.fullmatch(self.lines[at]):
                at = self.check_requirements(at, found)
            else:
                at = self.check_links(at)
        if self.write and self.refreshed != self.lines:
            self.path.write_text("\n".join(self.refreshed) + "\n", encoding="utf-8")
        return self.complaints

    def check_links(self, at):
        """Checks the links of a line; the line after it."""
        for link in LINK.finditer(self.lines[at]):
            if not (self.path.parent / link["path"]).exists():
                self.complain(at, f"no file {link['path']} to link to")
        self.refreshed.append(self.lines[at])
        return at + 1

    def check_block(self, at, fence):
        """Checks the block that a fence opens; the line after it."""
        indent = fence["indent"]
        above = self.lines[at - 1].strip() if at else ""

        def wanted():
            listing = LISTING.fullmatch(above)
            if not listing:
                raise ListingError("expected '<!-- listing: path/to/file.cpp#tag -->' on the line "
                                   "above")
            lines = region(self.root, listing["path"], listing["tag"])
            return [(indent + line).rstrip() for line in lines]

        is_free = fence["language"].lower() not in CPP and not LISTING.fullmatch(above)
        return self.check_body(at, indent + "```", None if is_free else wanted)

    def check_requirements(self, at, found):
        """Checks the requirements that a comment opens; the line after them."""
        return self.check_body(at, END_OF_REQUIREMENTS,
                               lambda: requirements(self.root, found["path"], found["name"]))

    def check_body(self, at, closing, wanted):
        """Compares the lines from `at` to a closing line with those wanted; the line after."""
        self.refreshed.append(self.lines[at])
        if closing not in self.lines[at + 1:]:
            self.complain(at, f"expected a closing {closing}, found none")
            self.refreshed.extend(self.lines[at + 1:])
            return len(self.lines)
        end = self.lines.index(closing, at + 1)
        body = self.lines[at + 1:end]
        if wanted:
            try:
                expected = wanted()
                if expected != body and not self.write:
                    raise ListingError(f"differs from its source; {MENDS}")
                body = expected
            except ListingError as error:
                self.complain(at, error)
        self.refreshed.extend([*body, self.lines[end]])
        return end + 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true",
                        help="refresh listings and requirements in place")
    here = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=here)
    arguments = parser.parse_args()

    documents = [*arguments.root.glob("README.md"), *sorted(arguments.root.glob("docs/**/*.md"))]
    if not documents:
        sys.exit(f"expected README.md or docs/**/*.md under {arguments.root}, found none")
    complaints = [complaint for path in documents
                  for complaint in Document(arguments.root, path, arguments.write).check()]
    print(*complaints, f"{len(documents)} documents, {len(complaints)} complaints", sep="\n")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
