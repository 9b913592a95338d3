#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "frontend/library/c_text.h"
#include "frontend/library/plan.h"

namespace rondo::library {

namespace {

using Role = CParam::Role;

class Wrapper {
 public:
  explicit Wrapper(const Plan& plan) : plan_(plan), big_(upper(plan.prefix)) {
    const std::vector<std::string> of_state = plan.state.dims();
    fixed_.insert(of_state.begin(), of_state.end());
    for (const PlannedEntry& e : plan.entries) {
      for (const std::string& dim : e.scratch_dims())
        if (!fixed_.contains(dim)) bounded_.insert(dim);
      for (const CParam& p : e.params)
        if (p.role == Role::weights) trains_ = true;
    }
  }

  std::string text() const {
    return fmt::format(kFile, fmt::arg("name", plan_.name), fmt::arg("prefix", plan_.prefix),
                       fmt::arg("big", big_), fmt::arg("prepared", prepared_class()),
                       fmt::arg("parameters", constructor_parameters()), fmt::arg("initial", initializers()),
                       fmt::arg("scratch", scratch_bytes()),
                       fmt::arg("weights", plan_.prepares() ? ", and weights" : ""), fmt::arg("good", good()),
                       fmt::arg("methods", methods()), fmt::arg("members", members()));
  }

 private:
  static constexpr const char* kFile =
      R"(// {name} for C++20: the functions of {name}.h over spans. Made by a program. Throws nothing.
#pragma once

#if __cplusplus < 202002L && !(defined(_MSVC_LANG) && _MSVC_LANG >= 202002L)
#error "{name}.hpp is written in C++20; {name}.h is for C99 and any C++"
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include "{name}.h"

namespace {prefix} {{

/// What a call returns: as in {name}.h, and for spans of a wrong size or dims above those of the stream.
enum class Status : int32_t {{ ok, null_pointer, misaligned, bad_dim, bad_index, bad_save, bad_size }};

/// Memory that starts where the library wants it, zero at first; null if there was none.
class Memory {{
 public:
  explicit Memory(size_t bytes) noexcept
      : data_(::operator new(std::max<size_t>(bytes, 1), std::align_val_t({big}_ALIGNMENT), std::nothrow)) {{
    if (data_) std::memset(data_, 0, bytes);
  }}
  ~Memory() {{ ::operator delete(data_, std::align_val_t({big}_ALIGNMENT)); }}
  Memory(Memory&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {{}}
  Memory& operator=(Memory&& other) noexcept {{
    std::swap(data_, other.data_);
    return *this;
  }}
  void* get() const noexcept {{ return data_; }}

 private:
  void* data_;
}};

{prepared}/// One use of the model, with memory of its own. Streams are independent of each other.
class Stream {{
 public:
  explicit Stream({parameters}) noexcept
      : {initial}scratch_({scratch}) {{
    if (*this) reset();
  }}
  /// Whether there was memory{weights}.
  explicit operator bool() const noexcept {{ return {good}; }}

{methods}
 private:
{members}  Memory scratch_;
}};

}}  // namespace {prefix}
)";

  static constexpr const char* kPrepared =
      R"(/// Weights as the functions that only read them take them: a copy, which streams share and none outlives.
class Prepared {{
 public:
  explicit Prepared(const void* weights) noexcept : memory_({big}_PREPARED_BYTES) {{ take(weights); }}
  /// Takes weights that have changed, or others. No stream may be at work meanwhile.
  Status take(const void* weights) noexcept {{
    const Status status = Status({prefix}_prepare(weights, memory_.get()));
    taken_ = status == Status::ok;
    return status;
  }}
  /// Whether there was memory, and weights to take.
  explicit operator bool() const noexcept {{ return taken_; }}
  const void* get() const noexcept {{ return taken_ ? memory_.get() : nullptr; }}

 private:
  Memory memory_;
  bool taken_ = false;
}};

)";

  std::string prepared_class() const {
    return !plan_.prepares()
               ? ""
               : fmt::format(kPrepared, fmt::arg("big", big_), fmt::arg("prefix", plan_.prefix));
  }

  /// T is a number of the stream if its state depends on it, else at most max_T if its scratch does.
  std::string dim_in_scratch(const std::string& dim) const {
    return fixed_.contains(dim) ? dim : "max_" + dim;
  }

  std::string constructor_parameters() const {
    std::vector<std::string> params;
    if (trains_) params.emplace_back("void* weights");
    if (!plan_.optimizer.items.empty()) params.emplace_back("void* optimizer");
    if (plan_.prepares()) params.emplace_back("const Prepared& prepared");
    for (const std::string& dim : fixed_) params.push_back("int64_t " + dim);
    for (const std::string& dim : bounded_) params.push_back("int64_t max_" + dim);
    return fmt::format("{}", fmt::join(params, ", "));
  }

  std::string initializers() const {
    std::string text;
    if (trains_) text += "weights_(weights),\n        ";
    if (!plan_.optimizer.items.empty()) text += "optimizer_(optimizer),\n        ";
    if (plan_.prepares()) text += "prepared_(prepared.get()),\n        ";
    for (const std::string& dim : fixed_) text += fmt::format("{0}_({0}),\n        ", dim);
    for (const std::string& dim : bounded_) text += fmt::format("max_{0}_(max_{0}),\n        ", dim);
    if (has_state()) text += fmt::format("state_({}),\n        ", size_of_state("STATE"));
    return text;
  }

  bool has_state() const { return !plan_.state.items.empty(); }
  /// In the constructor's names; in the members' names with a suffix.
  std::string size_of_state(const char* what, const char* suffix = "") const {
    std::vector<std::string> dims;
    for (const std::string& dim : plan_.state.dims()) dims.push_back(dim + suffix);
    return fmt::format("{}_{}_BYTES{}", big_, what,
                       dims.empty() ? "" : fmt::format("({})", fmt::join(dims, ", ")));
  }

  std::string scratch_bytes() const {
    std::vector<std::string> sizes = {"0"};
    for (const PlannedEntry& e : plan_.entries) {
      std::vector<std::string> dims;
      for (const std::string& n : e.scratch_dims()) dims.push_back(dim_in_scratch(n));
      sizes.push_back(fmt::format("{}_{}_SCRATCH_BYTES{}", big_, upper(e.name),
                                  dims.empty() ? "" : fmt::format("({})", fmt::join(dims, ", "))));
    }
    return fmt::format("std::max<size_t>({{{}}})",
                       fmt::join(sizes, ",\n                                   "));
  }

  std::string good() const {
    return fmt::format("{}{}scratch_.get()", plan_.prepares() ? "prepared_ && " : "",
                       has_state() ? "state_.get() && " : "");
  }

  std::string methods() const {
    std::string text;
    if (has_state()) {
      std::string dims;
      for (const std::string& dim : plan_.state.dims()) dims += fmt::format(", {}_", dim);
      text += fmt::format(R"(  /// Starts anew.
  Status reset() noexcept {{ return Status({0}_reset(state_.get(){1})); }}
  size_t saved_bytes() const noexcept {{ return {2}; }}
  Status save(std::span<std::byte> saved) const noexcept {{
    if (saved.size() != saved_bytes()) return Status::bad_size;
    return Status({0}_save(state_.get(){1}, saved.data()));
  }}
  Status restore(std::span<const std::byte> saved) noexcept {{
    if (saved.size() != saved_bytes()) return Status::bad_size;
    return Status({0}_restore(state_.get(){1}, saved.data()));
  }}
)",
                          plan_.prefix, dims, size_of_state("SAVED", "_"));
    } else {
      text += "  Status reset() noexcept { return Status::ok; }\n";
    }
    for (const PlannedEntry& e : plan_.entries) text += method(e);
    return text;
  }

  /// The number of elements, in the names of the method.
  std::string count(const ir::Type& type) const {
    std::string product = "size_t{1}";
    for (const ir::Dim& d : type.shape)
      product += d.is_named() ? fmt::format(" * static_cast<size_t>({}{})", d.name(),
                                            fixed_.contains(d.name()) ? "_" : "")
                              : fmt::format(" * {}", d.size());
    return product;
  }

  std::string method(const PlannedEntry& e) const {
    std::vector<std::string> params, args;
    std::string checks;
    for (const CParam& p : e.params) {
      switch (p.role) {
        case Role::weights: args.emplace_back("weights_"); break;
        case Role::prepared: args.emplace_back("prepared_"); break;
        case Role::optimizer: args.emplace_back("optimizer_"); break;
        case Role::state: args.emplace_back("state_.get()"); break;
        case Role::scratch: args.emplace_back("scratch_.get()"); break;
        case Role::dim:
          args.push_back(p.title + (fixed_.contains(p.title) ? "_" : ""));
          if (fixed_.contains(p.title)) break;
          params.push_back("int64_t " + p.title);
          checks += fmt::format("    if ({0} < 0{1}) return Status::bad_dim;\n", p.title,
                                bounded_.contains(p.title) ? fmt::format(" || {0} > max_{0}_", p.title) : "");
          break;
        case Role::input:
        case Role::output:
          if (p.role == Role::input && p.tensor.rank() == 0) {
            params.push_back(p.type + " " + p.name);
            args.push_back(p.name);
          } else {
            params.push_back(fmt::format("std::span<{}> {}", p.type.substr(0, p.type.size() - 1), p.name));
            args.push_back(p.name + ".data()");
            checks +=
                fmt::format("    if ({}.size() != {}) return Status::bad_size;\n", p.name, count(p.tensor));
          }
      }
    }
    return fmt::format("  Status {0}({1}) noexcept {{\n{2}    return Status({3}_{0}({4}));\n  }}\n", e.name,
                       fmt::join(params, ", "), checks, plan_.prefix, fmt::join(args, ", "));
  }

  std::string members() const {
    std::string text;
    if (trains_) text += "  void* weights_;\n";
    if (!plan_.optimizer.items.empty()) text += "  void* optimizer_;\n";
    if (plan_.prepares()) text += "  const void* prepared_;\n";
    for (const std::string& dim : fixed_) text += fmt::format("  int64_t {}_;\n", dim);
    for (const std::string& dim : bounded_) text += fmt::format("  int64_t max_{}_;\n", dim);
    if (has_state()) text += "  Memory state_;\n";
    return text;
  }

  const Plan& plan_;
  std::string big_;
  std::set<std::string> fixed_, bounded_;  // dims of the state; other dims of the scratch
  bool trains_ = false;                    // an entry updates the weights
};

}  // namespace

std::string cpp_wrapper(const Plan& plan) { return Wrapper(plan).text(); }

}  // namespace rondo::library
