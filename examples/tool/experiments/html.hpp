// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace unlearn::tool::experiments {

/// Text for use between tags and within quoted attributes: `&`, `<`, `>` and both quotes become
/// references; characters that HTML does not have become U+FFFD. Text of others gets into a page in
/// no other way.
[[nodiscard]] std::string escape_html(std::string_view text);

/// Puts an HTML page together: what is opened gets closed, and all text is escaped.
class HtmlWriter {
 public:
  using Attributes = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  /// Closes its element at the end of its scope.
  class Scope {
   public:
    Scope(HtmlWriter& writer, std::string_view tag) : writer_(&writer), tag_(tag) {}
    Scope(Scope&& other) noexcept
        : writer_(std::exchange(other.writer_, nullptr)), tag_(other.tag_) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    Scope& operator=(Scope&&) = delete;
    ~Scope() {
      if (writer_ != nullptr) writer_->close(tag_);
    }

   private:
    HtmlWriter* writer_;
    std::string_view tag_;
  };

  /// Opens an element; an empty class is left out. `tag` must outlive the scope.
  [[nodiscard]] Scope scope(std::string_view tag, Attributes attributes = {});
  /// An element that holds text alone.
  void element(std::string_view tag, std::string_view text, Attributes attributes = {});
  /// An element without content or end tag, such as `img`.
  void empty_element(std::string_view tag, Attributes attributes);
  void text(std::string_view text);
  /// Markup as it is. Text of others in it must have been escaped.
  void trusted(std::string_view markup);

  [[nodiscard]] const std::string& page() const { return page_; }

 private:
  void open(std::string_view tag, Attributes attributes);
  void close(std::string_view tag);

  std::string page_;
};

}  // namespace unlearn::tool::experiments
