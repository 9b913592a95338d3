// An ONNX model as plain data: what onnx_file.h reads and the importer walks.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ir/op_def.h"
#include "ir/type.h"

namespace rondo::onnx {

struct Graph;

/// No tensor has more dims.
inline constexpr size_t kMaxRank = 16;

/// Values known now. Integers of any width are i32 by dtype, their values those of the file.
using Constant = std::shared_ptr<const ir::Array>;

using Attribute = std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>,
                               std::vector<std::string>, Constant, std::shared_ptr<const Graph>>;

struct Node {
  std::string op, name;
  std::vector<std::string> inputs, outputs;  // "" where one is left out
  std::map<std::string, Attribute> attributes;
  int number = 0;  // in its graph, from 1
};

struct Input {
  std::string name;
  std::optional<ir::Type> type;
};

struct Graph {
  std::vector<Node> nodes;  // in execution order
  std::map<std::string, Constant> constants;
  std::vector<Input> inputs;  // constants excepted
  std::vector<std::string> outputs;
};

struct Model {
  Graph graph;
  int64_t opset = 0;
  bool has_f64 = false;        // some tensor of it is f64
  int64_t constant_count = 0;  // elements of all constants
  std::map<std::string, std::string> metadata;
};

}  // namespace rondo::onnx
