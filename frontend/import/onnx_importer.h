// Walking an ONNX graph while a function is traced: each node becomes constants, or ops of the DSL.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "frontend/import/onnx.h"
#include "frontend/import/onnx_constants.h"
#include "frontend/import/onnx_graph.h"
#include "frontend/import/onnx_ops.h"

namespace rondo::onnx {

/// The names that are visible in a graph: its own, and those of the graphs around it.
struct Scope {
  const Scope* outer = nullptr;
  std::map<std::string, Value> values = {};

  const Value* find(const std::string& name) const;
};

class Importer {
 public:
  Importer(const Model& model, const std::string& path, const OnnxOptions& options);

  ImportedModel import();

  /// The outputs of a graph whose inputs are these.
  std::vector<Value> run(const Graph& graph, const std::vector<Value>& inputs, const Scope* outer);
  /// The value in the function in the making.
  Tensor tensor(const Value& value, Where where);

  Constants& constants() { return constants_; }
  const Model& model() const { return model_; }

 private:
  /// Constants become inputs of a function that is evaluated at once.
  struct Fold {
    Trace& trace;
    std::vector<Constant> inputs;
    std::vector<Tensor> tensors;
  };

  void trace(Trace& t);
  Value input(Trace& t, const Input& input);
  void keep_state(Function& function) const;
  void run(const Node& node, Scope& scope);
  std::vector<Value> results_of(const Node& node, const OpEntry& op, const Scope& scope, Where where);
  std::optional<std::vector<Value>> fold(const Node& node, const OpEntry& op, const Scope& scope,
                                         Where where);
  bool within_budget(const ir::Func& func);

  const Model& model_;
  const std::string& path_;
  const OnnxOptions& options_;
  Constants constants_;
  Fold* fold_ = nullptr;
  int64_t nodes_ = 0;                         // walked so far
  int64_t budget_;                            // elements that folding may still compute
  std::map<std::string, std::string> names_;  // of the graph's inputs and outputs, in the function
};

/// What load_onnx makes of a file's bytes; errors call it by the path.
ImportedModel import_bytes(const std::string& bytes, const std::string& path,
                           const OnnxOptions& options = {});

}  // namespace rondo::onnx
