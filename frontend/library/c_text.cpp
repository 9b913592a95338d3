#include "frontend/library/c_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "support/error.h"

namespace rondo::library {

namespace {

constexpr std::array kKeywords = {
    // C99, C11, and what the header's readers in C++ would stumble over
    "auto",   "break",    "case",     "char",     "const",   "continue",  "default",  "do",       "double",
    "else",   "enum",     "extern",   "float",    "for",     "goto",      "if",       "inline",   "int",
    "long",   "register", "restrict", "return",   "short",   "signed",    "sizeof",   "static",   "struct",
    "switch", "typedef",  "union",    "unsigned", "void",    "volatile",  "while",    "asm",      "bool",
    "catch",  "class",    "delete",   "explicit", "export",  "false",     "friend",   "mutable",  "namespace",
    "new",    "noexcept", "nullptr",  "operator", "private", "protected", "public",   "template", "this",
    "throw",  "true",     "try",      "typename", "using",   "virtual",   "and",      "or",       "not",
    "xor",    "concept",  "requires", "alignas",  "alignof", "constexpr", "decltype", "typeid",   "main"};

}  // namespace

bool is_c_identifier(const std::string& name) {
  const bool word = std::ranges::all_of(
      name, [](char c) { return c == '_' || (std::isalnum(static_cast<unsigned char>(c)) && c > 0); });
  const bool starts = !name.empty() && !std::isdigit(static_cast<unsigned char>(name[0])) && name[0] != '_';
  return word && starts && std::ranges::find(kKeywords, name) == kKeywords.end();
}

std::string c_name(const std::string& name, const std::set<std::string>& taken) {
  std::string result;
  for (char c : name) result += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  if (result.empty() || std::isdigit(static_cast<unsigned char>(result[0]))) result = "a" + result;
  while (taken.contains(result) || !is_c_identifier(result)) result += '_';
  return result;
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

std::string in_c(const ir::Poly& p) {
  std::string sum;
  for (const auto& [names, coefficient] : p.terms()) {
    std::string product = names.empty() || coefficient != 1 ? fmt::to_string(coefficient) : "";
    for (const std::string& name : names) product += (product.empty() ? "" : " * ") + name;
    sum += (sum.empty() ? "" : " + ") + product;
  }
  return sum.empty() ? "0" : sum;
}

std::string c_type(DType dtype) {
  switch (dtype) {
    case DType::f32: return "float";
    case DType::f64: return "double";
    case DType::i32: return "int32_t";
    case DType::pred: return "uint8_t";
  }
  RONDO_CHECK(false, "no dtype");
}

}  // namespace rondo::library
