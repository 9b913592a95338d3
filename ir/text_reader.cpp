#include "ir/text_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "ir/type.h"
#include "support/error.h"

namespace rondo::ir {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool is_name(char c) { return is_word(c) || c == '.'; }

}  // namespace

void TextReader::fail(size_t at, const std::string& message) const {
  const std::string_view before = text_.substr(0, at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t column = at - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0: the first line
  throw Error(fmt::format("{}:{}:{}: {}", file_, line, column, message));
}

size_t TextReader::place() {
  while (at_ < text_.size()) {
    if (std::isspace(static_cast<unsigned char>(text_[at_])))
      ++at_;
    else if (text_.substr(at_, 2) == "//")
      at_ = std::min(text_.find('\n', at_), text_.size());
    else
      break;
  }
  return at_;
}

void TextReader::expect_end() {
  if (!at_end()) fail(at_, "expected the end, found " + found());
}

bool TextReader::accept(std::string_view token) {
  if (text_.substr(place(), token.size()) != token) return false;
  const size_t end = at_ + token.size();
  if (is_word(token.back()) && end < text_.size() && is_word(text_[end])) return false;
  at_ = end;
  return true;
}

void TextReader::expect(std::string_view token) {
  if (!accept(token)) fail(place(), fmt::format("expected `{}`, found {}", token, found()));
}

bool TextReader::next_is_digit() {
  return place() < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_]));
}

std::string TextReader::word(std::string_view what) { return run(what, is_word); }

std::string TextReader::name(std::string_view sigil) {
  expect(sigil);
  if (at_ == text_.size() || !is_name(text_[at_]))
    fail(at_, fmt::format("expected a name after `{}`", sigil));
  return run("a name", is_name);
}

int64_t TextReader::integer() {
  const size_t start = place();
  int64_t n = 0;
  const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), n);
  if (error == std::errc::invalid_argument) fail(start, "expected an integer, found " + found());
  if (error != std::errc() || n > kMaxElements || n < -kMaxElements) fail(start, "the integer is too large");
  at_ = static_cast<size_t>(end - text_.data());
  return n;
}

double TextReader::number() {
  const size_t start = place();
  double x = 0;
  const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), x);
  if (error == std::errc::invalid_argument) fail(start, "expected a number, found " + found());
  if (error != std::errc()) fail(start, "the number does not fit a double");
  at_ = static_cast<size_t>(end - text_.data());
  return x;
}

std::string TextReader::run(std::string_view what, bool (*belongs)(char)) {
  const size_t start = place();
  while (at_ < text_.size() && belongs(text_[at_])) ++at_;
  if (at_ == start) fail(start, fmt::format("expected {}, found {}", what, found()));
  return std::string(text_.substr(start, at_ - start));
}

std::string TextReader::found() const {
  if (at_ >= text_.size()) return "the end";
  const auto c = static_cast<unsigned char>(text_[at_]);
  return std::isprint(c) ? fmt::format("`{}`", text_[at_]) : fmt::format("byte 0x{:02x}", c);
}

}  // namespace rondo::ir
