// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace unlearn::testing {

/// Runs a Python program by the interpreter $UNLEARN_PYTHON, with NumPy as np.
/// @param program must not contain double quotes
/// @returns what it prints
inline std::string numpy(const std::string& program) {
  const char* const python = std::getenv("UNLEARN_PYTHON");
  if (python == nullptr) throw std::runtime_error("UNLEARN_PYTHON: expected a Python with NumPy");
  const std::string command = std::string(python) + " -c \"import numpy as np; " + program + "\"";
  std::FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string output;
  std::array<char, 256> piece{};
  while (std::fgets(piece.data(), piece.size(), pipe) != nullptr) output += piece.data();
  if (::pclose(pipe) != 0) throw std::runtime_error("failed: " + command);
  return output;
}

}  // namespace unlearn::testing
