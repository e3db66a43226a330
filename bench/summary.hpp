// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

namespace unlearn_bench {

/// The figures of one benchmark program.
///
/// When the program ends, they are written to the file that the environment variable
/// UNLEARN_BENCH_OUT names, as a flat JSON object: {"name": number, ...}. The file is written
/// completely or not at all.
class Summary {
 public:
  static Summary& instance() {
    static Summary summary;
    return summary;
  }

  void add(const std::string& name, double value) {
    figures_[name] = value;
    std::printf("%-40s %.4g\n", name.c_str(), value);
    std::fflush(stdout);
  }

  Summary(const Summary&) = delete;
  Summary& operator=(const Summary&) = delete;

 private:
  Summary() = default;
  ~Summary() {
    const char* path = std::getenv("UNLEARN_BENCH_OUT");
    if (path != nullptr && !figures_.empty() && !write(path)) {
      std::perror(path);
      std::_Exit(EXIT_FAILURE);
    }
  }

  [[nodiscard]] bool write(const std::string& path) const {
    const std::string unfinished = path + ".tmp";
    std::FILE* file = std::fopen(unfinished.c_str(), "w");
    if (file == nullptr) return false;
    const char* separator = "{\n";
    for (const auto& [name, value] : figures_) {
      std::fprintf(file, "%s  \"%s\": %.6g", separator, name.c_str(), value);
      separator = ",\n";
    }
    std::fputs("\n}\n", file);
    const bool written = std::ferror(file) == 0;
    return std::fclose(file) == 0 && written && std::rename(unfinished.c_str(), path.c_str()) == 0;
  }

  std::map<std::string, double> figures_;
};

/// Prints a figure, and writes it when the program ends.
inline void report(const std::string& name, double value) { Summary::instance().add(name, value); }

/// Ends the program with a message if a result is wrong: wrong results are not timed.
inline void require_correct(bool correct, const char* what) {
  if (correct) return;
  std::fprintf(stderr, "wrong result: %s\n", what);
  std::exit(EXIT_FAILURE);
}

/// The wall-clock time of one call, in seconds.
template <class F>
double seconds(F&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The middle value; for an even number of values, the mean of the middle two.
inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t size = values.size();
  return (values[(size - 1) / 2] + values[size / 2]) / 2;
}

/// Medians over pairs of calls.
struct Comparison {
  double ratio;      ///< of the times of f and g within a pair, f / g
  double f_seconds;  ///< of one call of f
  double g_seconds;  ///< of one call of g
};

/// Times f and g alternately, so that the state of the machine is the same for both. The first pair
/// warms up caches and pages, and is not counted.
template <class F, class G>
Comparison compare(int repeats, F&& f, G&& g) {
  f();
  g();
  std::vector<double> ratios;
  std::vector<double> f_seconds;
  std::vector<double> g_seconds;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    f_seconds.push_back(seconds(f));
    g_seconds.push_back(seconds(g));
    ratios.push_back(f_seconds.back() / g_seconds.back());
  }
  return {.ratio = median(ratios), .f_seconds = median(f_seconds), .g_seconds = median(g_seconds)};
}

/// The median over pairs of the time of f divided by that of g.
template <class F, class G>
double median_ratio(int repeats, F&& f, G&& g) {
  return compare(repeats, f, g).ratio;
}

}  // namespace unlearn_bench
