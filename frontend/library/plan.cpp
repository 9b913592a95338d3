#include "frontend/library/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string_view>

#include "frontend/library/c_text.h"
#include "frontend/library/plan_services.h"
#include "ir/text.h"
#include "passes/passes.h"
#include "support/error.h"

namespace rondo::library {

namespace {

using codegen::EntryParam;
using codegen::EntryPlace;
using ir::Poly;
using ir::Type;

constexpr const char* kVersion = RONDO_VERSION;
/// Functions that a library has besides those it is made of.
const std::set<std::string> kOwnNames = {"version", "model_hash", "cpu_level", "constants", "init",
                                         "prepare", "reset",      "save",      "restore",   "selftest"};

Poly exact_bytes(const Type& type) {
  return ir::element_count(type.shape) * Poly(static_cast<int64_t>(size_of(type.dtype)));
}

/// At least as many bytes as a tensor takes, and a multiple of 64 for all dims: each coefficient rounds up.
Poly padded_bytes(const Type& type) {
  const Poly exact = exact_bytes(type);
  Poly padded;
  for (const auto& [names, coefficient] : exact.terms()) {
    Poly product = (coefficient + kAlign - 1) / kAlign * kAlign;
    for (const std::string& name : names) product = product * Poly(ir::Dim(name));
    padded += product;
  }
  return padded;
}

/// FNV-1a.
class Hash {
 public:
  void add(std::span<const std::byte> bytes) {
    for (std::byte b : bytes) value_ = (value_ ^ static_cast<uint64_t>(b)) * 0x100000001b3;
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text.data(), text.size()))); }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325;
};

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

/// What an input of a function is.
CParam::Role role_of(const Function& f, const std::string& name) {
  for (const rondo::Param& p : f.params)
    if (p.name() == name) return CParam::Role::weights;
  if (contains(f.slots, name)) return CParam::Role::optimizer;
  if (contains(f.state, name)) return CParam::Role::state;
  return CParam::Role::input;
}

bool updates_weights(const Function& f) {
  return std::ranges::any_of(f.updates, [&](const Function::Update& u) {
    const CParam::Role role = role_of(f, u.input);
    return role == CParam::Role::weights || role == CParam::Role::optimizer;
  });
}

void check_number(const std::string& what, int64_t value) {
  if (value < 1 || value > codegen::kMaxDim)
    throw Error(
        fmt::format("rondo: {} is {}; a library takes numbers from 1 to {}", what, value, codegen::kMaxDim));
}

class Planner {
 public:
  Planner(const Weights& weights, const LibraryOptions& options) : weights_(weights), options_(options) {
    plan_.name = options.name;
    plan_.prefix = options.prefix.empty() ? options.name : options.prefix;
    check_number("a block", options.block);
    for (const auto& [name, value] : options.dims) check_number(fmt::format("dim {}", name), value);
    for (const std::string& name : {plan_.name, plan_.prefix})
      if (!is_c_identifier(name))
        throw Error(fmt::format("rondo: `{}` is not a name in C, which the library's functions need", name));
  }

  Plan run(const std::vector<Function>& functions) {
    if (functions.empty()) throw Error("rondo: a library of no functions");
    prepare(functions);
    lay_out();
    for (PlannedEntry& e : plan_.entries) plan_entry(e);
    plan_.library.services = plan_services(plan_, has_initial_weights(), hash());
    plan_.library.prefix = plan_.prefix;
    plan_.library.version = kVersion;
    plan_.library.hash = hash();
    if (has_initial_weights()) plan_.library.constants = {plan_.weight_bytes};
    if (!plan_.weights_given) plan_.library.constants = each_weight();
    return std::move(plan_);
  }

 private:
  /// The functions with their dims bound, after the passes.
  void prepare(const std::vector<Function>& functions) {
    std::set<std::string> names, unused;
    for (const auto& [name, value] : options_.dims) unused.insert(name);
    for (const Function& traced : functions) {
      Function f = bind_training(traced, false);
      const std::string name = f.func.name;
      if (!is_c_identifier(name)) throw Error(fmt::format("rondo: function `{}` has no name in C", name));
      if (kOwnNames.contains(name))
        throw Error(
            fmt::format("rondo: a library has a function {} of its own; name yours differently", name));
      if (!names.insert(name).second) throw Error(fmt::format("rondo: two functions {}", name));
      const std::vector<std::string> dims = ir::named_dims(f.func);
      for (const std::string& dim : dims)
        if (!is_c_identifier(dim))
          throw Error(fmt::format("rondo: {}: dim `{}` is not a name in C", name, dim));
      if (f.in_windows)
        throw Error(
            fmt::format("rondo: {}: a library keeps what its functions need of all steps, without "
                        "stash_bytes",
                        name));
      ir::DimValues bound;
      for (const auto& [dim, value] : options_.dims)
        if (contains(dims, dim)) bound[dim] = value, unused.erase(dim);
      f.func = passes::bind_dims(f.func, bound);
      plan_.weights_change = plan_.weights_change || updates_weights(f);
      plan_.entries.push_back({std::move(f), {}, name, {}, {}});
    }
    if (!unused.empty())
      throw Error(fmt::format("rondo: no function of {} has a dim {}", plan_.name, *unused.begin()));
    hash_.add(kVersion);
    for (PlannedEntry& e : plan_.entries) {
      hash_.add(ir::print(e.function.func));
      e.traced = e.function.func;
      if (!updates_weights(e.function)) e.function.pipeline = in_blocks(e.function.pipeline);
      e.function.func = passes::run_pipeline(e.traced, e.function.pipeline);
    }
  }

  /// Nothing that is hoisted out of time is there for all steps at once. (A training step keeps them anyway.)
  std::string in_blocks(const std::string& pipeline) const {
    return fmt::format("{}{}tile-time{{window={}}}", pipeline, pipeline.empty() ? "" : ",", options_.block);
  }

  void lay_out() {
    for (const PlannedEntry& e : plan_.entries) {
      const Function& f = e.function;
      for (ir::Value v : f.func.params) {
        const std::string& name = f.func.value_name(v);
        if (Layout* layout = layout_of(role_of(f, name))) layout->place(name, f.func.type(v), f.func.name);
      }
    }
    const bool known = options_.weights == WeightsIn::library || !weights_.all().empty();
    plan_.weights_given =
        !plan_.weights.items.empty() && (plan_.weights_change || options_.weights != WeightsIn::library);
    if (!known) return;
    plan_.weight_bytes.resize(static_cast<size_t>(plan_.weights.bytes.constant()));
    for (const Layout::Item& item : plan_.weights.items) {
      if (!weights_.contains(item.name)) throw_missing(item);
      const Buffer& buffer = weights_.at(item.name);
      const std::vector<int64_t> shape = ir::bind(item.type.shape, {});
      if (buffer.dtype() != item.type.dtype || buffer.shape() != shape)
        throw Error(fmt::format("rondo: parameter `{}` is {}, and {} in the weights", item.name,
                                ir::to_string(item.type), to_string(buffer.dtype(), buffer.shape())));
      if (buffer.bytes() > 0)
        std::memcpy(plan_.weight_bytes.data() + item.offset.constant(), buffer.data(), buffer.bytes());
    }
  }

  [[noreturn]] void throw_missing(const Layout::Item& item) const {
    std::vector<std::string> there;
    for (const auto& [name, buffer] : weights_.all()) there.push_back(name);
    throw Error(fmt::format(
        "rondo: parameter `{}`, {}, is not in the weights; {}", item.name, ir::to_string(item.type),
        there.empty() ? "none are given" : fmt::format("there are: {}", fmt::join(there, ", "))));
  }

  std::vector<std::vector<std::byte>> each_weight() const {
    std::vector<std::vector<std::byte>> weights;
    for (const Layout::Item& item : plan_.weights.items) {
      const auto first = plan_.weight_bytes.begin() + item.offset.constant();
      weights.emplace_back(first, first + exact_bytes(item.type).constant());
    }
    return weights;
  }

  Layout* layout_of(CParam::Role role) {
    switch (role) {
      case CParam::Role::weights: return &plan_.weights;
      case CParam::Role::optimizer: return &plan_.optimizer;
      case CParam::Role::state: return &plan_.state;
      default: return nullptr;
    }
  }

  // ---- One entry.

  struct Open {
    PlannedEntry& planned;
    codegen::Entry& entry;
    std::set<std::string> names;
    std::map<CParam::Role, uint32_t> blocks;
  };

  void plan_entry(PlannedEntry& planned) {
    const Function& f = planned.function;
    codegen::Entry& entry = plan_.library.entries.emplace_back();
    entry.name = planned.name;
    entry.func = f.func;
    entry.aliases = f.aliases(f.func);
    Open o{planned, entry, {}, {}};
    if (plan_.weights_given && uses(f, CParam::Role::weights)) add_weights(o);
    if (uses(f, CParam::Role::optimizer)) add_block(o, CParam::Role::optimizer, plan_.optimizer.bytes);
    if (uses(f, CParam::Role::state)) add_block(o, CParam::Role::state, plan_.state.bytes);
    entry.scratch = add_block(o, CParam::Role::scratch, {});
    for (const std::string& dim : call_dims(f)) add_dim(o, dim);
    for (ir::Value v : f.func.params) add_input(o, f.func.value_name(v), f.func.type(v));
    for (size_t i = 0; i < f.func.results.size(); ++i) add_output(o, i);
  }

  static bool uses(const Function& f, CParam::Role role) {
    return std::ranges::any_of(f.func.params,
                               [&](ir::Value v) { return role_of(f, f.func.value_name(v)) == role; });
  }

  /// In the order of the inputs and outputs, as people write them: T before B.
  static std::vector<std::string> call_dims(const Function& f) {
    std::vector<std::string> dims;
    auto add = [&](const std::string& name) {
      if (!contains(dims, name)) dims.push_back(name);
    };
    auto add_type = [&](const Type& type) {
      for (const ir::Dim& d : type.shape)
        if (d.is_named()) add(d.name());
    };
    for (ir::Value v : f.func.params)
      if (role_of(f, f.func.value_name(v)) == CParam::Role::input) add_type(f.func.type(v));
    for (const std::string& name : ir::named_dims(f.func)) add(name);
    return dims;
  }

  uint32_t add(Open& o, EntryParam param, CParam for_c) {
    for_c.name = c_name(for_c.title, o.names);
    o.names.insert(for_c.name);
    if (param.kind != EntryParam::Kind::dim) param.name = for_c.name;
    o.entry.params.push_back(std::move(param));
    o.planned.params.push_back(std::move(for_c));
    return static_cast<uint32_t>(o.entry.params.size() - 1);
  }

  void add_weights(Open& o) {
    if (updates_weights(o.planned.function)) {
      add_block(o, CParam::Role::weights, plan_.weights.bytes);
      return;
    }
    o.entry.prepared = add_block(o, CParam::Role::prepared, kAlign);  // at least
    if (plan_.prepares()) return;
    for (const Layout::Item& item : plan_.weights.items)
      plan_.library.given.push_back({item.offset.constant(), exact_bytes(item.type).constant()});
  }

  uint32_t add_block(Open& o, CParam::Role role, const Poly& bytes) {
    static const std::map<CParam::Role, const char*> names = {{CParam::Role::weights, "weights"},
                                                              {CParam::Role::prepared, "prepared"},
                                                              {CParam::Role::optimizer, "optimizer"},
                                                              {CParam::Role::state, "state"},
                                                              {CParam::Role::scratch, "scratch"}};
    const char* type = role == CParam::Role::prepared ? "const void*" : "void*";
    return o.blocks[role] = add(o, {EntryParam::Kind::pointer, "", DType::f32, bytes, kAlign},
                                {role, "", names.at(role), type, {}});
  }

  void add_dim(Open& o, const std::string& name) {
    add(o, {EntryParam::Kind::dim, name, DType::i32, {}, 1}, {CParam::Role::dim, "", name, "int64_t", {}});
  }

  void add_input(Open& o, const std::string& name, const Type& type) {
    const CParam::Role role = role_of(o.planned.function, name);
    if (Layout* layout = layout_of(role)) {
      const Layout::Item& item = layout->place(name, type, o.planned.name);
      const auto number = static_cast<uint32_t>(&item - layout->items.data());
      if (o.blocks.contains(role))
        o.entry.args.push_back({o.blocks.at(role), item.offset});
      else
        o.entry.args.push_back(
            {plan_.weights_given ? EntryPlace::kPrepared : EntryPlace::kConstants, {}, number});
      return;
    }
    const std::string c = c_type(type.dtype);
    const bool scalar = type.rank() == 0;
    const uint32_t at =
        scalar ? add(o, {EntryParam::Kind::scalar, "", type.dtype, {}, 1}, {role, "", name, c, type})
               : add(o,
                     {EntryParam::Kind::pointer, "", type.dtype, exact_bytes(type),
                      static_cast<uint32_t>(size_of(type.dtype))},
                     {role, "", name, "const " + c + "*", type});
    o.entry.args.push_back({at, {}});
  }

  /// An output that updates an input is where that is.
  void add_output(Open& o, size_t index) {
    for (const Signature::Alias& alias : o.entry.aliases)
      if (alias.output == index) return o.entry.args.push_back(o.entry.args[alias.input]);
    const ir::Func& func = o.planned.function.func;
    const Type& type = func.type(func.results[index]);
    const uint32_t at =
        add(o,
            {EntryParam::Kind::pointer, "", type.dtype, exact_bytes(type),
             static_cast<uint32_t>(size_of(type.dtype))},
            {CParam::Role::output, "", o.planned.function.outputs[index], c_type(type.dtype) + "*", type});
    o.entry.args.push_back({at, {}});
  }

  bool has_initial_weights() const { return plan_.weights_change && options_.weights == WeightsIn::library; }

  uint64_t hash() const {
    Hash all = hash_;
    all.add(plan_.weight_bytes);
    return all.value();
  }

  const Weights& weights_;
  const LibraryOptions& options_;
  Plan plan_;
  Hash hash_;
};

}  // namespace

const Layout::Item& Layout::place(const std::string& name, const Type& type, const std::string& user) {
  for (const Item& item : items) {
    if (item.name != name) continue;
    if (item.type != type)
      throw Error(fmt::format("rondo: {}: `{}` is {}, and {} in another function of the library", user, name,
                              ir::to_string(type), ir::to_string(item.type)));
    return item;
  }
  items.push_back({name, type, bytes});
  bytes += padded_bytes(type);
  return items.back();
}

std::vector<std::string> PlannedEntry::scratch_dims() const {
  const std::vector<std::string> used = dims_of(facts.scratch_bytes);
  std::vector<std::string> dims;
  for (const CParam& p : params)
    if (p.role == CParam::Role::dim && contains(used, p.title)) dims.push_back(p.title);
  return dims;
}

std::vector<std::string> dims_of(const Poly& p) {
  std::set<std::string> names;
  for (const auto& [term, coefficient] : p.terms()) names.insert(term.begin(), term.end());
  return {names.begin(), names.end()};
}

Plan plan_library(const std::vector<Function>& functions, const Weights& weights,
                  const LibraryOptions& options) {
  return Planner(weights, options).run(functions);
}

}  // namespace rondo::library
