// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/html.hpp"

#include <algorithm>
#include <array>

namespace unlearn::tool::experiments {
namespace {

/// Those that read better on lines of their own.
bool is_block(std::string_view tag) {
  static constexpr std::array<std::string_view, 19> blocks{
      "html", "head",   "body", "header", "main",  "section", "footer", "div", "p",    "h1",
      "h2",   "figure", "ul",   "li",     "table", "thead",   "tr",     "dl",  "tbody"};
  return std::ranges::find(blocks, tag) != blocks.end();
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      case '\'': escaped += "&#39;"; break;
      default: {
        const bool control =
            (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
        if (control) {
          escaped += "\uFFFD";
        } else {
          escaped += c;
        }
      }
    }
  }
  return escaped;
}

HtmlWriter::Scope HtmlWriter::scope(std::string_view tag, Attributes attributes) {
  open(tag, attributes);
  return {*this, tag};
}

void HtmlWriter::element(std::string_view tag, std::string_view text, Attributes attributes) {
  open(tag, attributes);
  this->text(text);
  close(tag);
}

void HtmlWriter::empty_element(std::string_view tag, Attributes attributes) {
  open(tag, attributes);
}

void HtmlWriter::text(std::string_view text) { page_ += escape_html(text); }

void HtmlWriter::trusted(std::string_view markup) { page_ += markup; }

void HtmlWriter::open(std::string_view tag, Attributes attributes) {
  (page_ += '<') += tag;
  for (const auto& [name, value] : attributes) {
    if (name == "class" && value.empty()) continue;
    ((((page_ += ' ') += name) += "=\"") += escape_html(value)) += '"';
  }
  page_ += '>';
}

void HtmlWriter::close(std::string_view tag) {
  ((page_ += "</") += tag) += '>';
  if (is_block(tag)) page_ += '\n';
}

}  // namespace unlearn::tool::experiments
