// SPDX-License-Identifier: Apache-2.0
// expect-error: this policy is no unlearn::StreamingBackend: see its requirements in
// unlearn/device/streaming_backend.hpp
#include <cstddef>
#include <cstdint>

#include "minimizer_parts.hpp"

struct Lane {
  void begin(const void* from, std::size_t bytes, void* to);
  void join();
  void release();
  void settle();
};

template <class T>
struct Room {
  bool reserve(std::size_t count);
  T* data() const;
};

struct MyBackend : unlearn::HostBackend {
  template <class T>
  Room<T> buffer() const;
  template <class T>
  Room<T> host_array() const;
  template <class T>
  void scatter_rows(unlearn::View<const T, 2> from, unlearn::View<const unlearn::Index, 1> indices,
                    unlearn::View<T, 2> to) const;
  void wait() const;
  std::size_t free_bytes() const;
#ifndef UNLEARN_BAD
  Lane copy_lane() const;
#endif
};

void bring(Pairs<std::uint8_t>& pairs) {
  const unlearn::DevicePairSource on_device(MyBackend{}, pairs);
}
