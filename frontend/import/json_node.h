// Reading a JSON file that may be anything: each value knows its place in the file, which errors name.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace rondo {

/// Numbers as nested arrays hold them, row-major.
struct JsonNumbers {
  std::vector<int64_t> shape;
  std::vector<double> values;
};

/// A value of the file and the path to it. Refers to the document.
class JsonNode {
 public:
  using Json = nlohmann::ordered_json;

  /// The file's value. Throws Error if it cannot be read or is no JSON.
  static Json read(const std::string& path);
  JsonNode(const Json& value, std::string place) : value_(value), place_(std::move(place)) {}

  const Json& value() const { return value_; }
  /// Throws Error "rondo: <place>: <what>".
  [[noreturn]] void fail(std::string_view what) const;

  /// Members of an object. Throw Error if this is none; at, if there is no such member; allow_only, naming a
  /// member that is not in the list.
  JsonNode at(std::string_view key) const;
  std::optional<JsonNode> find(std::string_view key) const;
  std::vector<std::pair<std::string, JsonNode>> members() const;
  void allow_only(std::initializer_list<std::string_view> keys) const;
  /// Elements of an array.
  std::vector<JsonNode> elements() const;

  /// Throw Error if the value is of another kind or outside the range.
  std::string text() const;
  int64_t integer(int64_t least, int64_t most) const;
  double number() const;
  /// Arrays of one shape within arrays, three deep at most, of numbers that f32 can hold.
  JsonNumbers numbers() const;
  /// The same, of this shape.
  std::vector<double> numbers(const std::vector<int64_t>& shape) const;

 private:
  void append(JsonNumbers& out, size_t depth) const;
  void require(bool condition, std::string_view kind) const;

  const Json& value_;
  std::string place_;
};

}  // namespace rondo
