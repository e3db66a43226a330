#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of check_listings.py on small documents and sources."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check_listings  # noqa: E402

SOURCES = {
    "a.cpp": "int main() {\n  // [body]\n  int x = 0;\n  // [inner]\n  return x;\n  // [/inner]\n"
             "  // [/body]\n}\n",
    "a.py": "# [table]\nROWS = 3\n# [/table]\n",
    "a.hpp": "/// Two towers.\n///\n/// Requirements, for a model `m`:\n///  1. `m.a()` returns\n"
             "///     a number.\n///  2. `m.b()` too.\n///\n/// Optional:\n///  - `m.c()` returns\n"
             "///    another.\n"
             "template <class M,\n          class N>\nconcept Towers = true;\n\n"
             "struct Bare {};\n",
}
BODY = "int x = 0;\nreturn x;\n"
LISTING = "<!-- listing: a.cpp#body -->\n```cpp\n{}```\n"
TOWERS = ("Two towers.\n\nRequirements, for a model `m`:\n\n1. `m.a()` returns\n   a number.\n"
          "2. `m.b()` too.\n\nOptional:\n\n- `m.c()` returns\n  another.\n")
REQUIREMENTS = "<!-- requirements: a.hpp#Towers -->\n{}<!-- /requirements -->\n"


class CheckListings(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.document = self.root / "README.md"
        for path, text in SOURCES.items():
            (self.root / path).write_text(text, encoding="utf-8")

    def check(self, text, write=False):
        self.document.write_text(text, encoding="utf-8")
        return check_listings.Document(self.root, self.document, write).check()

    def expect_one(self, text, *words):
        """One complaint, with all these words in it."""
        said = self.check(text)
        self.assertEqual(len(said), 1, said)
        for word in words:
            self.assertIn(word, said[0])

    def expect_written(self, outdated, text):
        self.assertEqual(self.check(outdated, write=True), [])
        self.assertEqual(self.document.read_text(encoding="utf-8"), text)

    def test_a_listing_equals_its_region_without_markers(self):
        self.assertEqual(self.check(LISTING.format(BODY)), [])
        self.expect_one("\n" + LISTING.format("int x = 1;\n"), "README.md:3: ", "differs")
        self.expect_written(LISTING.format("int x = 1;\n"), LISTING.format(BODY))

    def test_cpp_needs_a_source_and_other_languages_may_have_one(self):
        self.expect_one("```cpp\nint x;\n```\n", "README.md:1: ", "expected '<!-- listing: ")
        self.assertEqual(self.check("```text\nanything\n```\n"), [])
        listing = "<!-- listing: a.py#table -->\n```python\n{}```\n"
        self.assertEqual(self.check(listing.format("ROWS = 3\n")), [])
        self.expect_one(listing.format("ROWS = 4\n"), "differs")

    def test_sources_that_are_not_there(self):
        self.expect_one(LISTING.replace("a.cpp", "b.cpp").format(""), "no file b.cpp")
        self.expect_one(LISTING.replace("body", "none").format(""), "expected one line '// [none]'")
        self.expect_one("<!-- listing: a.cpp#body -->\n```cpp\n", "expected a closing ```")

    def test_requirements_equal_the_comment_as_markdown(self):
        self.assertEqual(self.check(REQUIREMENTS.format(TOWERS)), [])
        self.expect_one(REQUIREMENTS.format("1. By hand.\n"), "README.md:1: ", "differs")
        self.expect_written("Before.\n" + REQUIREMENTS.format("1. By hand.\n") + "Behind.\n",
                            "Before.\n" + REQUIREMENTS.format(TOWERS) + "Behind.\n")

    def test_requirements_that_are_not_there(self):
        self.expect_one(REQUIREMENTS.replace("Towers", "Tower").format(""),
                        "expected one concept, struct or class Tower under a comment '///' in "
                        "a.hpp, found 0")
        self.expect_one(REQUIREMENTS.replace("Towers", "Bare").format(""),
                        "struct or class Bare under a comment '///' in a.hpp, found 0")
        self.expect_one("<!-- requirements: a.hpp#Towers -->\n",
                        "expected a closing <!-- /requirements -->")

    def test_links(self):
        self.assertEqual(self.check("[source](a.cpp#L1), [web](https://example.org/b)\n"), [])
        self.expect_one("\n[source](b.cpp)\n", "README.md:2: ", "no file b.cpp to link to")


if __name__ == "__main__":
    unittest.main()
