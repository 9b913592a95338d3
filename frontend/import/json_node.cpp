#include "frontend/import/json_node.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/text_data.h"
#include "support/error.h"

namespace rondo {
namespace {

constexpr size_t kMaxDepth = 3;  // of numbers: kernels of convolutions

}  // namespace

JsonNode::Json JsonNode::read(const std::string& path) {
  std::string text;
  try {
    text = read_text(path);
  } catch (const Error& error) {
    throw Error(fmt::format("rondo: {}", error.what()));
  }
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    std::string what = error.what();
    what.erase(0, what.find(' ') + 1);  // the library's name of the error
    std::replace_if(
        what.begin(), what.end(), [](unsigned char c) { return c < ' '; }, ' ');
    throw Error(fmt::format("rondo: {}: {}", path, what));
  }
}

void JsonNode::fail(std::string_view what) const { throw Error(fmt::format("rondo: {}: {}", place_, what)); }

void JsonNode::require(bool condition, std::string_view kind) const {
  if (!condition) fail(fmt::format("{} where {} is expected", value_.type_name(), kind));
}

JsonNode JsonNode::at(std::string_view key) const {
  const std::optional<JsonNode> member = find(key);
  if (!member) fail(fmt::format("has no `{}`", key));
  return *member;
}

std::optional<JsonNode> JsonNode::find(std::string_view key) const {
  require(value_.is_object(), "an object");
  const auto member = value_.find(std::string(key));
  if (member == value_.end()) return std::nullopt;
  return std::optional<JsonNode>(std::in_place, *member, fmt::format("{}: {}", place_, key));
}

std::vector<std::pair<std::string, JsonNode>> JsonNode::members() const {
  require(value_.is_object(), "an object");
  std::vector<std::pair<std::string, JsonNode>> members;
  for (const auto& [key, value] : value_.items())
    members.emplace_back(key, JsonNode(value, fmt::format("{}: {}", place_, key)));
  return members;
}

void JsonNode::allow_only(std::initializer_list<std::string_view> keys) const {
  for (const auto& [key, member] : members())
    if (std::find(keys.begin(), keys.end(), key) == keys.end())
      fail(fmt::format("`{}` is not known here; known: {}", key, fmt::join(keys, ", ")));
}

std::vector<JsonNode> JsonNode::elements() const {
  require(value_.is_array(), "an array");
  std::vector<JsonNode> elements;
  for (size_t i = 0; i < value_.size(); ++i)
    elements.emplace_back(value_[i], fmt::format("{}[{}]", place_, i));
  return elements;
}

std::string JsonNode::text() const {
  require(value_.is_string(), "a string");
  return value_.get<std::string>();
}

int64_t JsonNode::integer(int64_t least, int64_t most) const {
  require(value_.is_number_integer(), "a whole number");
  const bool too_large = value_.is_number_unsigned() &&
                         value_.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  const int64_t number = too_large ? most : value_.get<int64_t>();
  if (too_large || number < least || number > most)
    fail(fmt::format("{} is outside [{},{}]", value_.dump(), least, most));
  return number;
}

double JsonNode::number() const {
  require(value_.is_number(), "a number");
  return value_.get<double>();
}

JsonNumbers JsonNode::numbers() const {
  JsonNumbers numbers;
  const Json* inner = &value_;
  while (inner->is_array()) {
    if (numbers.shape.size() == kMaxDepth) fail(fmt::format("arrays more than {} deep", kMaxDepth));
    numbers.shape.push_back(static_cast<int64_t>(inner->size()));
    if (inner->empty()) break;
    inner = &(*inner)[0];
  }
  require(!numbers.shape.empty(), "an array of numbers");
  append(numbers, 0);
  return numbers;
}

void JsonNode::append(JsonNumbers& out, size_t depth) const {
  if (depth == out.shape.size()) {
    out.values.push_back(number());
    if (!(std::abs(out.values.back()) <= std::numeric_limits<float>::max()))
      fail(fmt::format("{} is outside the range of f32", value_.dump()));
    return;
  }
  require(value_.is_array(), "an array");
  if (static_cast<int64_t>(value_.size()) != out.shape[depth])
    fail(fmt::format("{} elements, those before have {}", value_.size(), out.shape[depth]));
  for (const JsonNode& element : elements()) element.append(out, depth + 1);
}

std::vector<double> JsonNode::numbers(const std::vector<int64_t>& shape) const {
  JsonNumbers numbers = this->numbers();
  if (numbers.shape != shape)
    fail(fmt::format("numbers of shape [{}] where [{}] is expected", fmt::join(numbers.shape, ","),
                     fmt::join(shape, ",")));
  return std::move(numbers.values);
}

}  // namespace rondo
