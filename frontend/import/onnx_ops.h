// The ops of ONNX: what a node sees, and the table of what they become.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "frontend/import/onnx_graph.h"
#include "frontend/tensor.h"

namespace rondo::onnx {

class Importer;
struct Scope;

/// What a name of a graph stands for.
using Value = std::variant<Constant, Tensor>;
/// The type of either.
ir::Type type_of(const Value& value);

/// One node while it becomes ops: its inputs, its attributes, its results. What is asked for and not there,
/// or of another kind, is an Error that names the node.
class Call {
 public:
  Call(Importer& importer, const Node& node, const Scope& scope, Where where);

  [[noreturn]] void fail(const std::string& what) const;
  const std::string& op() const;
  int64_t opset() const;
  Where where() const { return where_; }
  Importer& importer() const { return importer_; }
  const Scope& scope() const { return scope_; }

  // --- inputs, from 0
  size_t inputs() const { return values_.size(); }
  bool has(size_t i) const { return i < values_.size() && values_[i]; }
  const Value& value(size_t i) const;
  Tensor tensor(size_t i) const;
  ir::Type type(size_t i) const { return type_of(value(i)); }
  /// Null where the input is left out, or no constant.
  const ir::Array* constant(size_t i) const;
  /// A constant list of whole numbers, or a single one.
  std::vector<int64_t> integers(size_t i) const;
  /// A constant of one element.
  double number(size_t i) const;
  /// A constant shape, whose dims may be named.
  ir::Shape shape(size_t i) const;
  /// The same, none of them negative.
  ir::Shape extents(size_t i) const;
  bool all_constant() const;

  // --- attributes; those that nobody asks for are Errors
  bool has(const std::string& attribute) const { return find(attribute) != nullptr; }
  int64_t integer(const std::string& name, std::optional<int64_t> otherwise = {}) const;
  double number(const std::string& name, std::optional<double> otherwise = {}) const;
  bool flag(const std::string& name, bool otherwise = false) const;
  std::string text(const std::string& name, const std::string& otherwise) const;
  std::vector<int64_t> integers(const std::string& name, std::vector<int64_t> otherwise = {}) const;
  std::vector<double> numbers(const std::string& name) const;
  std::vector<std::string> texts(const std::string& name) const;
  Constant tensor(const std::string& name) const;
  const Graph& graph(const std::string& name) const;
  void check_attributes() const;

  /// The index of an axis, from 0, in a tensor of this rank; negative ones count from the last.
  int64_t axis(int64_t axis, int64_t rank) const;

  // --- results, in order
  bool wants(size_t output) const;
  size_t outputs() const;
  void result(Value value) { results_.push_back(std::move(value)); }
  std::vector<Value> results() && { return std::move(results_); }

 private:
  ir::Shape dims(size_t i) const;
  const Attribute* find(const std::string& name) const;
  template <class T>
  const T* find_as(const std::string& name, const char* kind) const;

  Importer& importer_;
  const Node& node_;
  const Scope& scope_;
  Where where_;
  std::vector<const Value*> values_;
  mutable std::set<std::string> asked_;
  std::vector<Value> results_;
};

struct OpEntry {
  void (*emit)(Call&);
  /// How it treats constants: computes with them at once; also those with names of dims, as it only moves or
  /// compares elements; or not at all.
  enum Folds { always, moves, never } folds = always;
};
using OpTable = std::map<std::string_view, OpEntry>;

// One table a family.
const OpTable& elementwise_ops();
const OpTable& movement_ops();
const OpTable& shape_ops();
const OpTable& contraction_ops();
const OpTable& convolution_ops();
const OpTable& recurrent_ops();
const OpTable& control_ops();

/// Null if there is none of that name.
const OpEntry* find_op(std::string_view name);

}  // namespace rondo::onnx
