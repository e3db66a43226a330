// SPDX-License-Identifier: Apache-2.0
#include "clip/model/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <ostream>
#include <tuple>
#include <utility>

#include "pairs/files/json_text.hpp"
#include "unlearn/core/error.hpp"
#include "unlearn/io/atomic_file.hpp"
#include "unlearn/io/file.hpp"

namespace unlearn::clip {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "the format's byte order");

constexpr std::size_t longest_header = 100'000'000;  // the format's own limit
constexpr std::size_t alignment = 8;
constexpr std::string_view metadata_name = "__metadata__";

struct DtypeEntry {
  std::string_view name;
  std::size_t size;
};
/// In the order of the enumeration.
constexpr std::array<DtypeEntry, 10> dtypes{{{"F64", 8},
                                             {"F32", 4},
                                             {"F16", 2},
                                             {"BF16", 2},
                                             {"I64", 8},
                                             {"I32", 4},
                                             {"I16", 2},
                                             {"I8", 1},
                                             {"U8", 1},
                                             {"BOOL", 1}}};

std::string tensor_name_for_message(std::string_view name) {
  return "tensor " + pairs::json_quoted(name);
}

/// The bytes of a tensor.
/// @return whether that number fits
bool size_in_bytes(Dtype dtype, const std::vector<std::size_t>& shape, std::size_t& size) {
  size = size_of(dtype);
  return std::all_of(shape.begin(), shape.end(), [&](std::size_t extent) {
    return !__builtin_mul_overflow(size, extent, &size);
  });
}

/// One entry of the header, checked as far as it goes without the others.
class TensorEntry {
 public:
  TensorEntry(const std::string& source, const std::string& name, const json& entry)
      : source_(source), what_(tensor_name_for_message(name)), entry_(entry) {
    expect(entry.is_object(), "an object", entry);
    for (const auto& item : entry.items()) {
      expect(item.key() == "dtype" || item.key() == "shape" || item.key() == "data_offsets",
             "dtype, shape and data_offsets", item.key());
    }
  }

  [[nodiscard]] TensorBytes read(std::span<const std::byte> elements) const {
    TensorBytes tensor{.dtype = read_dtype(), .shape = numbers("shape"), .bytes = {}};
    const std::vector<std::size_t> offsets = numbers("data_offsets");
    const bool in_range =
        offsets.size() == 2 && offsets[0] <= offsets[1] && offsets[1] <= elements.size();
    expect(in_range,
           "data_offsets [begin, end], ascending, at most " + std::to_string(elements.size()),
           entry_.at("data_offsets"));
    tensor.bytes = elements.subspan(offsets[0], offsets[1] - offsets[0]);
    std::size_t size = 0;
    expect(size_in_bytes(tensor.dtype, tensor.shape, size), "a shape that fits into memory",
           entry_.at("shape"));
    require_in_file(size == tensor.bytes.size(), source_, what_,
                    std::to_string(size) + " bytes for its shape", tensor.bytes.size());
    return tensor;
  }

 private:
  void expect(bool holds, const std::string& expected, const json& got) const {
    if (!holds) require_in_file(false, source_, what_, expected, shortened(got));
  }

  static std::string shortened(const json& value) {
    constexpr std::size_t longest = 64;
    std::string text = value.dump(-1, ' ', true);
    if (text.size() > longest) text.replace(longest, std::string::npos, "...");
    return text;
  }

  [[nodiscard]] const json& member(const char* name) const {
    const auto found = entry_.find(name);
    require_in_file(found != entry_.end(), source_, what_, name, "none");
    return *found;
  }

  [[nodiscard]] Dtype read_dtype() const {
    const json& name = member("dtype");
    const auto* const found = std::find_if(dtypes.begin(), dtypes.end(), [&](const auto& dtype) {
      return name.is_string() && name.get_ref<const std::string&>() == dtype.name;
    });
    expect(found != dtypes.end(), "dtype F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL", name);
    return static_cast<Dtype>(found - dtypes.begin());
  }

  [[nodiscard]] std::vector<std::size_t> numbers(const char* name) const {
    const json& list = member(name);
    const bool counts = list.is_array() && std::all_of(list.begin(), list.end(), [](const json& n) {
                          return n.is_number_unsigned();
                        });
    expect(counts, std::string(name) + " as a list of numbers from 0 on", list);
    return list.get<std::vector<std::size_t>>();
  }

  const std::string& source_;
  std::string what_;
  const json& entry_;
};

Metadata read_metadata(const std::string& source, const json& entry) {
  require_in_file(entry.is_object(), source, metadata_name, "an object", entry.type_name());
  Metadata metadata;
  for (const auto& item : entry.items()) {
    require_in_file(item.value().is_string(), source, metadata_name,
                    "a string under " + pairs::json_quoted(item.key()), item.value().type_name());
    metadata.emplace(item.key(), item.value().get<std::string>());
  }
  return metadata;
}

/// Each tensor begins where the one before ends, and the last one ends where the file does.
void require_no_gaps(const TensorBytesByName& tensors, std::span<const std::byte> elements,
                     const std::string& source) {
  std::vector<const TensorBytesByName::value_type*> order;
  order.reserve(tensors.size());
  for (const auto& tensor : tensors) order.push_back(&tensor);
  const auto begin = [&](const auto* tensor) {
    return static_cast<std::size_t>(tensor->second.bytes.data() - elements.data());
  };
  std::sort(order.begin(), order.end(), [&](const auto* a, const auto* b) {
    return std::tuple(begin(a), a->second.bytes.size()) <
           std::tuple(begin(b), b->second.bytes.size());
  });
  std::size_t end = 0;
  for (const auto* tensor : order) {
    require_in_file(begin(tensor) == end, source, tensor_name_for_message(tensor->first),
                    "to begin at " + std::to_string(end) + ", where the tensor before it ends",
                    begin(tensor));
    end += tensor->second.bytes.size();
  }
  require_in_file(end == elements.size(), source, "bytes of all tensors", elements.size(), end);
}

std::string header_of(const std::vector<const TensorBytesByName::value_type*>& order,
                      const Metadata& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[std::string(metadata_name)] = metadata;
  std::size_t end = 0;
  std::string text;
  try {
    for (const auto* const entry : order) {
      const auto& [name, tensor] = *entry;
      const std::size_t begin = std::exchange(end, end + tensor.bytes.size());
      header.push_back({name,
                        {{"dtype", name_of(tensor.dtype)},
                         {"shape", tensor.shape},
                         {"data_offsets", {begin, end}}}});
    }
    text = header.dump();
  } catch (const json::type_error&) {
    throw InvalidArgument(
        expectation("names and metadata of tensors to write", "UTF-8", "something else"));
  }
  text.append((alignment - text.size() % alignment) % alignment, ' ');
  require(text.size() <= longest_header, "header of tensors to write, size in bytes",
          "at most " + std::to_string(longest_header), text.size());
  return text;
}

}  // namespace

std::size_t size_of(Dtype dtype) { return dtypes.at(static_cast<std::size_t>(dtype)).size; }
std::string_view name_of(Dtype dtype) { return dtypes.at(static_cast<std::size_t>(dtype)).name; }

SafetensorsContents parse_safetensors(std::span<const std::byte> bytes, const std::string& source) {
  std::uint64_t length = 0;
  require_in_file(bytes.size() >= sizeof length, source, "size",
                  "at least 8 bytes, the header's length", bytes.size());
  std::memcpy(&length, bytes.data(), sizeof length);
  bytes = bytes.subspan(sizeof length);
  const std::size_t longest = std::min(longest_header, bytes.size());
  require_in_file(length <= longest, source, "length of the header",
                  "at most " + std::to_string(longest) + " bytes", length);
  const std::string_view text(
      reinterpret_cast<const char*>(bytes.data()),  // NOLINT(*-reinterpret-cast)
      length);
  require_in_file(text.starts_with('{'), source, "header", "a JSON object",
                  pairs::json_quoted(text.substr(0, 1)));
  const std::span<const std::byte> elements = bytes.subspan(length);

  constexpr std::size_t deepest = 3;  // header, tensor, shape
  const json header = pairs::parse_json(text, source, "header", deepest);
  SafetensorsContents contents;
  for (const auto& item : header.items()) {
    if (item.key() == metadata_name) {
      contents.metadata = read_metadata(source, item.value());
    } else {
      contents.tensors.emplace(item.key(),
                               TensorEntry(source, item.key(), item.value()).read(elements));
    }
  }
  require_no_gaps(contents.tensors, elements, source);
  return contents;
}

void write_safetensors(std::ostream& out, const TensorBytesByName& tensors,
                       const Metadata& metadata) {
  std::vector<const TensorBytesByName::value_type*> order;
  order.reserve(tensors.size());
  for (const auto& entry : tensors) {
    const auto& [name, tensor] = entry;
    require(name != metadata_name, "name of a tensor to write", "any but __metadata__", name);
    std::size_t size = 0;
    const bool fits = size_in_bytes(tensor.dtype, tensor.shape, size);
    require(fits && size == tensor.bytes.size(), tensor_name_for_message(name) + " to write",
            fits ? std::to_string(size) + " bytes for its shape" : "a shape that fits into memory",
            tensor.bytes.size());
    order.push_back(&entry);
  }
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::tuple(size_of(b->second.dtype), std::string_view(a->first)) <
           std::tuple(size_of(a->second.dtype), std::string_view(b->first));
  });
  const std::string header = header_of(order, metadata);

  const std::uint64_t length = header.size();
  std::array<char, sizeof length> length_bytes{};
  std::memcpy(length_bytes.data(), &length, sizeof length);
  out.write(length_bytes.data(), length_bytes.size());
  out.write(header.data(), static_cast<std::streamsize>(header.size()));
  for (const auto* const entry : order) {
    const std::span<const std::byte> bytes = entry->second.bytes;
    out.write(reinterpret_cast<const char*>(bytes.data()),  // NOLINT(*-reinterpret-cast)
              static_cast<std::streamsize>(bytes.size()));
  }
  if (!out) {
    throw FileError(expectation("stream of tensors", "to take all bytes", "a failure"));
  }
}

void write_safetensors(const std::string& path, const TensorBytesByName& tensors,
                       const Metadata& metadata) {
  AtomicFile file(path);
  std::ostream out(&file);
  out.exceptions(std::ios::badbit);  // or the file's own message is lost
  write_safetensors(out, tensors, metadata);
  file.commit();
}

const TensorBytes& SafetensorsFile::at(std::string_view name) const {
  const auto found = contents_.tensors.find(name);
  require_in_file(found != contents_.tensors.end(), path(), "contents",
                  tensor_name_for_message(name), "none of that name");
  return found->second;
}

}  // namespace unlearn::clip
