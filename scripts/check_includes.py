#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that no include goes up in the order of the rooms, and that none goes round in a circle.

Reads every #include of the folders in TREES and complains, with file and line, about

- an include from a room of ROOMS to a later one, and a file that is in no room;
- an include in quotes that finds no file;
- a circle of includes;
- LibTorch, CUDA or xtensor, included directly or through other headers where the room may not;
- the private parts of a room (its folder detail/) included from another room, and the library's
  namespace unlearn::detail named outside the library; tests may use both;
- a header of the library that does not begin with PUSH and end with POP: between them, macros of
  others, such as Qt's `signals`, do no harm.

    check_includes.py [--write] [root]      --write adds the missing PUSH and POP in place
"""

import argparse
import pathlib
import posixpath
import re
import sys
from typing import NamedTuple

# [rooms]
# One room a line, from the ground up: a folder with all that is in it. A folder that has rooms in
# it is a room of its own files alone. A room may include itself and the rooms before it. Behind a
# room: what else it may use.
ROOMS = """
include/unlearn/core
include/unlearn/io
include/unlearn/noise
include/unlearn/device
include/unlearn/contrast
include/unlearn/trigger
include/unlearn/models
include/unlearn/metrics
include/unlearn/mem
include/unlearn/observers
include/unlearn/checkpoint
include/unlearn/interop       torch xtensor
include/unlearn
tests                         xtensor
bench                         torch xtensor

cuda/unlearn/cuda             cuda torch
cuda/tests                    cuda torch
cuda/bench                    cuda torch

examples/quickstart
docs/examples

examples/pairs/files
examples/pairs/images
examples/pairs/text
examples/pairs/captions
examples/pairs/cleaning
examples/pairs/scenes
examples/pairs/tests

examples/clip/cuda            cuda torch
examples/clip/kernels         torch
examples/clip/model           torch
examples/clip/training        torch
examples/clip/encoder         torch
examples/clip                 torch
examples/clip/tests           torch
examples/clip/bench           cuda torch

examples/tool/publication
examples/tool/experiments
examples/tool/commands        torch
examples/tool/cuda            cuda torch
examples/tool/tests
"""
# [/rooms]

PUSH = '#include "unlearn/core/push_macros.hpp"'
POP = '#include "unlearn/core/pop_macros.hpp"'

TREES = ("include", "cuda", "examples", "docs/examples", "tests", "bench")
LIBRARY = "include/unlearn"
SOURCES = {".hpp", ".cpp", ".cuh", ".cu"}
# Where the build looks for a header in quotes that is not beside the file that includes it.
INCLUDE_FOLDERS = ("include", "cuda", "examples", "tests", "bench", "cuda/tests",
                   "examples/quickstart", "examples/pairs/tests", "examples/clip/tests")
PARTNERS = {
    "torch": re.compile(r"(torch|ATen|c10)/"),
    "cuda": re.compile(r"(thrust|cub|cuda)/|(c10|ATen)/cuda/|cuda\w*\.h$|cublas\w*\.h$"),
    "xtensor": re.compile(r"xtensor/"),
}
INCLUDE = re.compile(r'\s*#\s*include\s*(?P<mark>[<"])(?P<name>[^>"]+)[>"]')
PRIVATE_NAME = re.compile(r"\bunlearn::detail\b")


class Room(NamedTuple):
    """A line of ROOMS."""

    folder: str
    level: int
    partners: frozenset


class Include(NamedTuple):
    """An include of one file by another, or of a partner's header."""

    where: str  # file:line
    name: str  # as it is written
    in_quotes: bool
    target: str  # a file of the project; empty for anything else


def rooms_of(table):
    """The rooms of a table like ROOMS, by folder."""
    lines = [line.split() for line in table.splitlines() if line.strip()]
    return {line[0]: Room(line[0], level, frozenset(line[1:])) for level, line in enumerate(lines)}


def room_of(path, rooms):
    """The room that a file is in; None if it is in none."""
    for folder in map(str, pathlib.PurePosixPath(path).parents):
        if folder in rooms:
            is_direct = path.count("/") == folder.count("/") + 1
            has_rooms = any(other.startswith(folder + "/") for other in rooms)
            return rooms[folder] if is_direct or not has_rooms else None
    return None


def is_test(path):
    """Whether a file is a test's."""
    return "tests" in pathlib.PurePosixPath(path).parts


def sources_of(root):
    """The text of every source file, by path from the root."""
    files = [p for tree in TREES for p in (root / tree).rglob("*") if p.suffix in SOURCES]
    return {str(p.relative_to(root)): p.read_text(encoding="utf-8") for p in sorted(set(files))}


def target_of(path, found, sources):
    """The file of the project that an include finds; empty for a header of somebody else's."""
    folders = [str(pathlib.PurePosixPath(path).parent)] if found["mark"] == '"' else []
    for folder in (*folders, *INCLUDE_FOLDERS):
        target = posixpath.normpath(f"{folder}/{found['name']}")
        if target in sources:
            return target
    return ""


def includes_of(sources):
    """The includes of each file."""
    includes = {}
    for path, text in sources.items():
        includes[path] = [
            Include(f"{path}:{number}", found["name"], found["mark"] == '"',
                    target_of(path, found, sources))
            for number, line in enumerate(text.splitlines(), 1)
            if (found := INCLUDE.match(line))
        ]
    return includes


def wrong_ways(includes, rooms):
    """Complaints about files in no room, includes that go up, and private parts of other rooms."""
    for path, its_includes in includes.items():
        room = room_of(path, rooms)
        if room is None:
            yield f"{path}: in no room that the order in scripts/check_includes.py knows"
            continue
        for include in its_includes:
            if not include.target:
                if include.in_quotes:
                    yield (f"{include.where}: expected a file of the project, found no "
                           f"\"{include.name}\"")
                continue
            target = room_of(include.target, rooms)
            if target is None:
                continue  # which is a complaint of its own
            if target.level > room.level:
                yield (f"{include.where}: {room.folder} includes \"{include.name}\", but comes "
                       f"before {target.folder} in the order of the rooms")
            if "/detail/" in include.target and target != room and not is_test(path):
                yield (f"{include.where}: \"{include.name}\" is private to {target.folder}, and "
                       f"included by {room.folder}")


def private_names(sources):
    """Complaints about the library's private names outside the library."""
    for path, text in sources.items():
        if path.startswith(LIBRARY + "/") or is_test(path):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if PRIVATE_NAME.search(line):
                yield f"{path}:{number}: unlearn::detail is private to {LIBRARY}"


def unguarded(sources):
    """Complaints about headers of the library that macros of others can break."""
    guards = {f"include/{guard.split(chr(34))[1]}" for guard in (PUSH, POP)}
    for path, text in sources.items():
        if not path.startswith(LIBRARY + "/") or path in guards:
            continue
        lines = text.rstrip().splitlines()
        first = next((line for line in lines if INCLUDE.match(line)), "")
        if first != PUSH:
            yield f"{path}: expected `{PUSH}` as the first include, found `{first}`"
        if not lines or lines[-1] != POP:
            yield f"{path}: expected `{POP}` as the last line, found `{(lines or [''])[-1]}`"


def guarded(text):
    """The text of a header with PUSH behind `#pragma once`, and POP at its end."""
    once = "#pragma once\n\n"
    if PUSH not in text:
        text = text.replace(once, f"{once}{PUSH}\n\n", 1)
    if not text.rstrip().endswith(POP):
        text = f"{text.rstrip()}\n\n{POP}\n"
    return text


def circles(includes):
    """Complaints about circles of includes, each told once."""
    done, told = set(), set()

    def visit(path, way):
        for include in includes[path]:
            if include.target in way:
                circle = way[way.index(include.target):]
                if frozenset(circle) not in told:
                    told.add(frozenset(circle))
                    yield (f"{include.where}: a circle of includes: "
                           f"{' > '.join([*circle, include.target])}")
            elif include.target and include.target not in done:
                yield from visit(include.target, [*way, include.target])
        done.add(path)

    for path in includes:
        if path not in done:
            yield from visit(path, [path])


def reached(includes, partner):
    """The files that include a partner's header, directly or through others."""
    pattern = PARTNERS[partner]
    users = {path for path, its in includes.items()
             if any(not i.target and pattern.match(i.name) for i in its)}
    while True:
        more = {path for path, its in includes.items() if any(i.target in users for i in its)}
        if more <= users:
            return users
        users |= more


def unwanted_partners(includes, rooms):
    """Complaints about LibTorch, CUDA and xtensor where the room may not use them."""
    for partner, pattern in PARTNERS.items():
        users = reached(includes, partner)
        for path in sorted(users):
            room = room_of(path, rooms)
            if room is None or partner in room.partners:
                continue
            for include in includes[path]:
                if include.target in users or (not include.target and pattern.match(include.name)):
                    yield (f"{include.where}: {room.folder} may not use {partner}, which comes "
                           f"with \"{include.name}\"")


def complaints_about(root, rooms):
    """All complaints about a source tree."""
    sources = sources_of(root)
    includes = includes_of(sources)
    return [*wrong_ways(includes, rooms), *private_names(sources), *circles(includes),
            *unwanted_partners(includes, rooms)], len(sources)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=here)
    parser.add_argument("--write", action="store_true", help="add the missing PUSH and POP")
    arguments = parser.parse_args()
    if arguments.write:
        for path in {complaint.split(":")[0] for complaint in unguarded(sources_of(arguments.root))}:
            header = arguments.root / path
            header.write_text(guarded(header.read_text(encoding="utf-8")), encoding="utf-8")
    complaints, files = complaints_about(arguments.root, rooms_of(ROOMS))
    complaints += unguarded(sources_of(arguments.root))
    if files == 0:
        sys.exit(f"expected source files under {arguments.root}, found none")
    print(*complaints, f"{files} files, {len(complaints)} complaints", sep="\n")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
