// The characters of a function's text, token by token.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rondo::ir {

/// Reads tokens, with spaces and comments (from // to the end of the line) before them. What is not as asked
/// for throws Error: "file:line:column: expected `{`, found `)`".
class TextReader {
 public:
  TextReader(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  /// Throws Error for the character at that place.
  [[noreturn]] void fail(size_t at, const std::string& message) const;

  /// The place of the next token.
  size_t place();
  bool at_end() { return place() == text_.size(); }
  void expect_end();

  /// Passes the token if it is next. A word is no token's beginning: `to` is not next in `total`.
  bool accept(std::string_view token);
  void expect(std::string_view token);
  bool next_is(char c) { return place() < text_.size() && text_[at_] == c; }
  bool next_is_digit();

  std::string word(std::string_view what);
  /// The name after its sigil, '%' or '@'.
  std::string name(std::string_view sigil);
  /// Up to kMaxElements either way.
  int64_t integer();
  double number();

 private:
  std::string run(std::string_view what, bool (*belongs)(char));
  std::string found() const;

  std::string_view text_, file_;
  size_t at_ = 0;
};

}  // namespace rondo::ir
