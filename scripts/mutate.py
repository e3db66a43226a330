#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Changes the library by one line at a time, and counts which changes the unit tests notice.

    scripts/mutate.py --out build/mutants --count 300            # resumes if build/mutants has results
    scripts/mutate.py --out build/mutants --only noise/l2_ball    # one header
    scripts/mutate.py --list --count 20                           # only shows the changes

A mutant is one change in one line of a header: an operator, a constant, a condition, or a statement
that is taken out. Mutants are drawn evenly over the headers, by a seed. For each, the tests of the
header are compiled and run: first the test file that has its name, then those that include it, until
one fails or takes longer than `--timeout`: that mutant is caught. A mutant that does not compile says
nothing about the tests; it is counted by itself.

Results are lines of JSON in OUT/results.jsonl; OUT/survivors.txt shows what no test noticed.
"""
import argparse
import concurrent.futures
import hashlib
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include/unlearn"
TESTS = ROOT / "tests"

# What is replaced by what. Each pattern matches the part of a line that changes.
SWAPS = [
    (r"(?<=[\w)\]] )<=(?= )", "<"),
    (r"(?<=[\w)\]] )<(?= [\w(*-])", "<="),
    (r"(?<=[\w)\]] )>=(?= )", ">"),
    (r"(?<=[\w)\]] )>(?= [\w(*-])", ">="),
    (r"(?<= )==(?= )", "!="),
    (r"(?<= )!=(?= )", "=="),
    (r"(?<= )&&(?= )", "||"),
    (r"(?<= )\|\|(?= )", "&&"),
    (r"(?<=[\w)\]] )\+(?= [\w(])", "-"),
    (r"(?<=[\w)\]] )-(?= [\w(])", "+"),
    (r"(?<=[\w)\]] )\*(?= [\w(])", "/"),
    (r"(?<=[\w)\]] )/(?= [\w(])", "*"),
    (r"(?<=[\w)\]] )%(?= [\w(])", "/"),
    (r"(?<= )\+=(?= )", "-="),
    (r"(?<= )-=(?= )", "+="),
    (r"(?<= )\*=(?= )", "/="),
    (r"(?<= )/=(?= )", "*="),
    (r"\bstd::min\b", "std::max"),
    (r"\bstd::max\b", "std::min"),
    (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"),
    (r"(?<=return )(?=[\w(!])(?!\w+ \w)", "!"),
    (r"(?<=if \()(?!constexpr)(?=[\w(])", "!"),
]
NUMBER = re.compile(r"(?<![\w.\"'<])(\d+)(?![\w.\"'>])")
# Lines that hold declarations for the compiler and words for people.
NO_CODE = re.compile(
    r"^\s*(//|#|/\*|\*|template\b|requires\b|static_assert|using\b|namespace\b|concept\b|friend\b|"
    r"typename\b|public:|private:|class\b|struct\b|enum\b|inline constexpr std::string_view)|"
    r"\boperator\b|= default|= delete|numeric_limits|requires \(")
STATEMENT = re.compile(r"^\s+(?!return\b|const\b|auto\b|using\b|typename\b|static\b|throw\b|\}|\[\[)"
                       r"[\w:.\->\[\]()*&+ ]*(\(.*\)|[-+*/|&]?= .*|\+\+\w+|\w+\+\+);$")


def mutants_of(path):
    """All (line number from 1, what is done, new line) of a header."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        code = line.split("//")[0].rstrip()
        if not code.strip() or NO_CODE.search(code):
            continue
        masked = re.sub(r'"(\\.|[^"\\])*"', lambda text: '"' + "_" * (len(text[0]) - 2) + '"', code)
        for pattern, other in SWAPS:
            for match in re.finditer(pattern, masked):
                new = code[:match.start()] + other + code[match.end():]
                found.append((number, f"{match[0] or 'nothing'} -> {other}", new))
        for match in NUMBER.finditer(masked):
            new = code[:match.start()] + str(int(match[0]) + 1) + code[match.end():]
            found.append((number, f"{match[0]} -> {int(match[0]) + 1}", new))
        if STATEMENT.match(masked) and masked.count("(") == masked.count(")"):
            # A declaration has a type before the name.
            if not re.match(r"^\s+[\w:<>, ]+[ &*]+\w+( =|\(|\{|;)", masked):
                found.append((number, "taken out", re.match(r"\s*", code)[0] + ";"))
    return found


def tests_of(header):
    """The test files of a header, the one with its name first."""
    room = header.parts[0]
    named = TESTS / room / f"{header.stem}_test.cpp"
    including = re.compile(rf'#include "unlearn/{re.escape(header.as_posix())}"')
    others = [test for test in sorted(TESTS.glob("*/*_test.cpp"))
              if test != named and including.search(test.read_text())]
    others.sort(key=lambda test: test.parent.name != room)
    tests = [named] if named.exists() else []
    tests += others
    if len(tests) < 3:  # a private header, or one that is tested through others
        tests += [test for test in sorted((TESTS / room).glob("*_test.cpp")) if test not in tests]
    return tests


class Campaign:
    def __init__(self, out, options):
        self.out, self.options, self.lock = out, options, threading.Lock()
        out.mkdir(parents=True, exist_ok=True)
        self.results_file = out / "results.jsonl"
        self.results = {}
        if self.results_file.exists():
            for line in self.results_file.read_text().splitlines():
                result = json.loads(line)
                self.results[result["id"]] = result
        self.flags = ["-std=c++20", "-O1", f"-I{TESTS}", "-isystem", options.eigen]
        self.prepare()

    def prepare(self):
        """Parses GoogleTest and Eigen once."""
        header = self.out / "pch.hpp"
        header.write_text("#include <gmock/gmock.h>\n#include <gtest/gtest.h>\n#include <Eigen/Core>\n")
        compiled = self.out / "pch.hpp.gch"
        if not compiled.exists():
            subprocess.run([self.options.compiler, *self.flags, "-x", "c++-header", header, "-o", compiled],
                           check=True)

    def check(self, includes, test, program):
        """Compiles and runs one test file: 'passed', 'failed', 'timeout' or 'no program'."""
        build = subprocess.run(
            [self.options.compiler, *self.flags, "-include", self.out / "pch.hpp", f"-I{includes}",
             f"-I{ROOT / 'include'}", test, "-o", program, "-lgmock", "-lgtest", "-lgtest_main", "-lpthread"],
            capture_output=True, text=True)
        if build.returncode != 0:
            return "no program"
        try:
            run = subprocess.run([program, "--gtest_brief=1"], capture_output=True, cwd=program.parent,
                                 timeout=self.options.timeout,
                                 env={"UNLEARN_PYTHON": self.options.python, "PATH": "/usr/bin:/bin",
                                      "TMPDIR": str(program.parent)})
        except subprocess.TimeoutExpired:
            return "timeout"
        return "passed" if run.returncode == 0 else "failed"

    def run(self, mutant):
        header, number, change, new = mutant
        text = (INCLUDE / header).read_text()
        name = hashlib.sha256(f"{text}:{header}:{number}:{change}:{new}".encode()).hexdigest()[:16]
        if self.results.get(name, {}).get("outcome", "survived") != "survived":
            return  # A survivor is tried again: a test may have been written.
        work = self.out / name
        target = work / "include/unlearn" / header
        target.parent.mkdir(parents=True, exist_ok=True)
        lines = text.splitlines()
        old = lines[number - 1]
        lines[number - 1] = new
        target.write_text("\n".join(lines) + "\n")
        outcome, by = "survived", None
        for test in tests_of(header):
            answer = self.check(work / "include", test, work / "program")
            if answer in ("failed", "timeout", "no program"):
                outcome = {"failed": "caught", "timeout": "caught", "no program": "no program"}[answer]
                by = str(test.relative_to(TESTS))
                break
        shutil.rmtree(work)
        result = {"id": name, "header": str(header), "line": number, "change": change, "old": old.strip(),
                  "new": new.strip(), "outcome": outcome, "by": by}
        with self.lock:
            self.results[name] = result
            with self.results_file.open("a") as file:
                file.write(json.dumps(result) + "\n")

    def report(self):
        counts = {}
        for result in self.results.values():
            counts[result["outcome"]] = counts.get(result["outcome"], 0) + 1
        caught, survived = counts.get("caught", 0), counts.get("survived", 0)
        with (self.out / "survivors.txt").open("w") as file:
            for result in sorted(self.results.values(), key=lambda r: (r["header"], r["line"])):
                if result["outcome"] == "survived":
                    file.write(f"{result['header']}:{result['line']}: {result['change']}\n"
                               f"  - {result['old']}\n  + {result['new']}\n")
        share = 100 * caught / max(1, caught + survived)
        print(f"{caught + survived} mutants, {caught} caught ({share:.1f} %), {survived} survived; "
              f"{counts.get('no program', 0)} more did not compile")


def draw(options):
    """The mutants, evenly over the headers."""
    rng = random.Random(options.seed)
    by_header = []
    for path in sorted(INCLUDE.rglob("*.hpp")):
        header = path.relative_to(INCLUDE)
        if options.only and not str(header).startswith(options.only):
            continue
        if header.parts[0] == "interop" or not tests_of(header):
            continue
        mutants = [(header, *mutant) for mutant in mutants_of(path)]
        rng.shuffle(mutants)
        by_header.append(mutants)
    drawn = []
    while len(drawn) < options.count and any(by_header):
        for mutants in by_header:
            if mutants and len(drawn) < options.count:
                drawn.append(mutants.pop())
    return drawn


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/mutants")
    parser.add_argument("--count", type=int, default=300, help="how many mutants are drawn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="headers whose path in include/unlearn begins so")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one test program")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--python", default="/usr/bin/python3", help="a Python 3 that imports NumPy")
    parser.add_argument("--eigen", default="/usr/include/eigen3")
    parser.add_argument("--list", action="store_true", help="show the mutants, and stop")
    options = parser.parse_args()
    options.out = options.out.resolve()
    mutants = draw(options)
    if options.list:
        for header, number, change, new in mutants:
            print(f"{header}:{number}: {change}\n  {new.strip()}")
        return
    campaign = Campaign(options.out, options)
    started = time.time()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        waiting = [pool.submit(campaign.run, mutant) for mutant in mutants]
        for done, task in enumerate(concurrent.futures.as_completed(waiting), 1):
            task.result()
            if sys.stderr.isatty():
                left = (time.time() - started) / done * (len(waiting) - done) / 60
                print(f"\r{done}/{len(waiting)}, {left:.0f} min left ", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    campaign.report()


if __name__ == "__main__":
    main()
