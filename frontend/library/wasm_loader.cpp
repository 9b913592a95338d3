// NAME.mjs: the functions of a library's module of WebAssembly as methods, for Node and browsers. The tables
// are made for the library; the code around them is the same for all.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "frontend/library/c_text.h"
#include "frontend/library/plan.h"
#include "frontend/library/wasm_runtime.h"

namespace rondo::library {

namespace {

using Role = CParam::Role;

/// "({ T }) => 64 * T + 128".
std::string function_of(const ir::Poly& bytes) {
  const std::vector<std::string> dims = dims_of(bytes);
  return fmt::format("({}) => {}", dims.empty() ? "" : fmt::format("{{ {} }}", fmt::join(dims, ", ")),
                     in_c(bytes));
}

std::string quoted(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += fmt::format("{}'{}'", text.empty() ? "" : ", ", name);
  return fmt::format("[{}]", text);
}

std::string shape_of(const ir::Type& type) {
  std::vector<std::string> extents;
  for (const ir::Dim& d : type.shape)
    extents.push_back(d.is_named() ? fmt::format("'{}'", d.name()) : fmt::to_string(d.size()));
  return fmt::format("[{}]", fmt::join(extents, ", "));
}

std::string parameter(const PlannedEntry& e, const CParam& p) {
  const bool scalar = p.role == Role::input && p.tensor.rank() == 0;
  switch (p.role) {
    case Role::weights:
    case Role::prepared:
    case Role::optimizer:
    case Role::state:
    case Role::scratch: return fmt::format("{{ role: '{}' }}", p.name);
    case Role::dim: return fmt::format("{{ role: 'dim', name: '{}' }}", p.title);
    default: break;
  }
  const auto usual = e.function.defaults.find(p.title);
  return fmt::format("{{ role: '{}', name: '{}', type: '{}', shape: {}{} }}",
                     scalar                  ? "scalar"
                     : p.role == Role::input ? "input"
                                             : "output",
                     p.name, name_of(p.tensor.dtype), shape_of(p.tensor),
                     usual == e.function.defaults.end() ? "" : fmt::format(", usual: {}", usual->second));
}

std::string table_of(const PlannedEntry& e) {
  std::string params;
  for (const CParam& p : e.params) params += "      " + parameter(e, p) + ",\n";
  return fmt::format("  {}: {{\n    scratch: {},\n    params: [\n{}    ],\n  }},\n", e.name,
                     function_of(e.facts.scratch_bytes), params);
}

/// "stream.run({ T, x }) gives { y }: x f32[T,1,1], y f32[T,1,1]".
std::string describe(const Plan& plan, const PlannedEntry& e) {
  const std::vector<std::string> fixed = plan.state.dims();
  std::vector<std::string> takes, gives, shapes;
  for (const CParam& p : e.params) {
    if (p.role == Role::dim && std::ranges::find(fixed, p.title) == fixed.end()) takes.push_back(p.title);
    if (p.role != Role::input && p.role != Role::output) continue;
    (p.role == Role::input ? takes : gives).push_back(p.name);
    shapes.push_back(fmt::format("{} {}", p.name, ir::to_string(p.tensor)));
    if (const auto usual = e.function.defaults.find(p.title); usual != e.function.defaults.end())
      shapes.back() += fmt::format(" ({} if not given)", usual->second);
  }
  return fmt::format("//   stream.{}({{ {} }}) gives {{ {} }}: {}\n", e.name, fmt::join(takes, ", "),
                     fmt::join(gives, ", "), fmt::join(shapes, ", "));
}

std::string init_blocks(const Plan& plan) {
  for (const codegen::Service& s : plan.library.services) {
    if (s.name != "init") continue;
    std::vector<std::string> names;
    for (const codegen::EntryParam& p : s.params) names.push_back(p.name);
    return quoted(names);
  }
  return "null";
}

}  // namespace

std::string wasm_loader(const Plan& plan) {
  std::string methods, entries;
  for (const PlannedEntry& e : plan.entries) {
    methods += describe(plan, e);
    entries += table_of(e);
  }
  const std::vector<std::string> dims = plan.state.dims();
  const ir::Poly saved = plan.state.bytes + ir::Poly(8 + 8 * static_cast<int64_t>(dims.size()));
  const std::string state = plan.state.items.empty()
                                ? "null"
                                : fmt::format("{{ dims: {}, bytes: {}, saved: {} }}", quoted(dims),
                                              function_of(plan.state.bytes), function_of(saved));
  return fmt::format(
             kWasmIntroduction, fmt::arg("name", plan.name), fmt::arg("version", plan.library.version),
             fmt::arg("dims", dims.empty() ? "" : fmt::format("{{ {} }}", fmt::join(dims, ", "))),
             fmt::arg("weights", plan.weights_given ? kWasmWeights : ""), fmt::arg("methods", methods)) +
         fmt::format(
             "const NAME = '{}', PREFIX = '{}';\nconst STATE = {};\nconst WEIGHTS_BYTES = {}, "
             "PREPARED_BYTES = {}, OPTIMIZER_BYTES = {}, INIT = {};\nconst ENTRIES = {{\n{}}};\n",
             plan.name, plan.prefix, state, plan.weights_given ? plan.weights.bytes.constant() : 0,
             plan.prepared_bytes, plan.optimizer.bytes.constant(), init_blocks(plan), entries) +
         kWasmRuntime;
}

}  // namespace rondo::library
