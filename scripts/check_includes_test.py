#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of check_includes.py: small source trees, each with one kind of violation."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check_includes  # noqa: E402

ROOMS = check_includes.rooms_of(
    """
    include/unlearn/core
    include/unlearn/mem
    include/unlearn/interop   torch
    include/unlearn
    tests
    cuda/unlearn/cuda         cuda
    examples/pairs
    examples/clip             torch
    """
)


def complaints(files):
    """What is said about a tree of these files: text by path."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        return check_includes.complaints_about(root, ROOMS)[0]


CORE = "include/unlearn/core/view.hpp"
MEM = "include/unlearn/mem/run.hpp"
INTEROP = "include/unlearn/interop/torch.hpp"


class CheckIncludes(unittest.TestCase):
    def expect_one(self, files, *words):
        """One complaint, with all these words in it."""
        said = complaints(files)
        self.assertEqual(len(said), 1, said)
        for word in words:
            self.assertIn(word, said[0])

    def test_includes_that_go_down_are_well(self):
        self.assertEqual(
            complaints({
                CORE: "#include <vector>\n",
                MEM: '#include "unlearn/core/view.hpp"\n#include "unlearn/mem/detail/part.hpp"\n',
                "include/unlearn/mem/detail/part.hpp": "namespace unlearn::detail {}\n",
                INTEROP: '#include <ATen/ATen.h>\n#include "unlearn/core/view.hpp"\n',
                "cuda/unlearn/cuda/device.cuh": "#include <thrust/copy.h>\n",
                "examples/pairs/image.cpp": '#include "pairs/image.hpp"\n',
                "examples/pairs/image.hpp": '#include "unlearn/mem/run.hpp"\n',
                "examples/clip/model.cpp": '#include "unlearn/interop/torch.hpp"\n',
            }), [])

    def test_up(self):
        self.expect_one({CORE: '\n  # include "unlearn/mem/run.hpp"\n', MEM: ""},
                        f"{CORE}:2: ", "include/unlearn/core includes", "comes before",
                        "include/unlearn/mem in the order of the rooms")

    def test_up_in_angle_brackets(self):
        self.expect_one({CORE: "#include <unlearn/mem/run.hpp>\n", MEM: ""}, f"{CORE}:1: ",
                        "comes before include/unlearn/mem")

    def test_up_to_a_file_beside_it(self):
        self.expect_one({CORE: '#include "../mem/run.hpp"\n', MEM: ""}, f"{CORE}:1: ",
                        "comes before include/unlearn/mem")

    def test_headers_that_macros_can_break(self):
        push, pop = check_includes.PUSH, check_includes.POP
        whole = f"#pragma once\n\n{push}\n\n#include <span>\n\nint x;\n\n{pop}\n"

        def said(text, path=CORE):
            return list(check_includes.unguarded({path: text}))

        self.assertEqual(said(whole), [])
        self.assertEqual(said("int x;\n", "include/unlearn/core/push_macros.hpp"), [])
        self.assertEqual(said("int x;\n", "tests/core/view_test.cpp"), [])
        late = f"#pragma once\n\n#include <span>\n{push}\n\nint x;\n\n{pop}\n"
        self.assertRegex(said(late)[0], f"{CORE}: expected .*push_macros.* first include, found .*span")
        self.assertRegex(said(whole + "int y;\n")[0], f"{CORE}: expected .*pop_macros.* last line")
        self.assertEqual(len(said("int x;\n")), 2)
        bare = "#pragma once\n\n#include <span>\n\nint x;\n"
        self.assertEqual(check_includes.guarded(bare), whole)
        self.assertEqual(check_includes.guarded(whole), whole)

    def test_a_circle_is_told_once(self):
        self.expect_one({CORE: '#include "unlearn/core/other.hpp"\n',
                         "include/unlearn/core/other.hpp": '#include "unlearn/core/third.hpp"\n',
                         "include/unlearn/core/third.hpp": '#include "view.hpp"\n',
                         MEM: '#include "unlearn/core/view.hpp"\n'},
                        "a circle of includes: ", f"{CORE} > ", "core/other.hpp > ",
                        "core/third.hpp")

    def test_a_file_that_includes_itself(self):
        self.expect_one({CORE: '#include "view.hpp"\n'}, f"a circle of includes: {CORE} > {CORE}")

    def test_a_folder_that_the_order_does_not_know(self):
        self.expect_one({"include/new_library/a.hpp": "#include <vector>\n"},
                        "include/new_library/a.hpp: in no room")
        self.expect_one({"examples/attic/a.cpp": "#include <vector>\n"},
                        "examples/attic/a.cpp: in no room")

    def test_a_room_of_the_library_that_the_order_does_not_know(self):
        self.expect_one({"include/unlearn/attic/a.hpp": "#include <vector>\n"},
                        "include/unlearn/attic/a.hpp: in no room")

    def test_no_such_file(self):
        self.expect_one({MEM: '#include "unlearn/core/gone.hpp"\n'}, f"{MEM}:1: ", "found no",
                        '"unlearn/core/gone.hpp"')

    def test_libtorch_in_the_core(self):
        self.expect_one({CORE: "#include <torch/torch.h>\n"}, f"{CORE}:1: ",
                        "include/unlearn/core may not use torch", '"torch/torch.h"')

    def test_libtorch_through_a_header_that_may(self):
        self.expect_one({INTEROP: "#include <ATen/ATen.h>\n",
                         "include/unlearn/unlearn.hpp": '#include "unlearn/interop/torch.hpp"\n'},
                        "include/unlearn/unlearn.hpp:1: ", "may not use torch",
                        '"unlearn/interop/torch.hpp"')

    def test_cuda_where_only_libtorch_may_be(self):
        for header in ("thrust/copy.h", "cuda_runtime.h", "cublas_v2.h", "c10/cuda/CUDAStream.h"):
            self.expect_one({"examples/clip/a.cpp": f"#include <{header}>\n"},
                            "examples/clip may not use cuda", header)

    def test_another_rooms_private_header(self):
        private = "include/unlearn/core/detail/part.hpp"
        self.expect_one({private: "", MEM: '#include "unlearn/core/detail/part.hpp"\n'},
                        f"{MEM}:1: ", "private to include/unlearn/core")
        self.expect_one({private: "",
                         "examples/pairs/a.cpp": '#include "unlearn/core/detail/part.hpp"\n'},
                        "examples/pairs/a.cpp:1: ", "private to include/unlearn/core")
        self.assertEqual(
            complaints({private: "", "tests/a.cpp": '#include "unlearn/core/detail/part.hpp"\n'}),
            [])

    def test_private_names(self):
        self.expect_one({"cuda/unlearn/cuda/a.cuh": "\nusing unlearn::detail::Part;\n"},
                        "cuda/unlearn/cuda/a.cuh:2: ", "private to include/unlearn")
        self.assertEqual(complaints({"tests/a.cpp": "using unlearn::detail::Part;\n",
                                     CORE: "namespace unlearn::detail {}\n"}), [])


if __name__ == "__main__":
    unittest.main()
