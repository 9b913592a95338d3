#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>

#include "frontend/library/c_text.h"
#include "frontend/library/plan.h"
#include "support/error.h"

namespace rondo::library {

namespace {

using ir::Poly;

/// "#define AMP_STATE_BYTES 128", or a macro in the dims.
std::string size_macro(const std::string& name, const Poly& bytes, const std::vector<std::string>& dims,
                       const std::string& comment) {
  if (dims.empty()) return fmt::format("#define {} {} /* {} */\n", name, bytes.constant(), comment);
  std::string value;
  for (const auto& [names, coefficient] : bytes.terms()) {
    std::string product = fmt::to_string(coefficient);
    for (const std::string& n : names) product += fmt::format(" * (int64_t)({})", n);
    value += (value.empty() ? "" : " + ") + product;
  }
  return fmt::format("/* {} */\n#define {}({}) ((size_t)({}))\n", comment, name, fmt::join(dims, ", "),
                     value);
}

std::string layout_comment(const char* what, const Layout& layout) {
  std::string text = fmt::format("/* In {}:\n", what);
  for (const Layout::Item& item : layout.items)
    text += fmt::format(" *   {} {} at byte {}\n", item.name, ir::to_string(item.type), in_c(item.offset));
  return text + " */\n";
}

std::string parameter_list(const std::vector<std::string>& params) {
  return params.empty() ? "void" : fmt::format("{}", fmt::join(params, ", "));
}

/// "AMP_RUN_SCRATCH_BYTES(T)" of a parameter that is a block of memory.
std::optional<std::string> block_of(const Plan& plan, const PlannedEntry& e, const CParam& p) {
  auto size = [&](const std::string& what, const std::vector<std::string>& dims = {}) {
    return fmt::format("{}_{}_BYTES{}", upper(plan.prefix), what,
                       dims.empty() ? "" : fmt::format("({})", fmt::join(dims, ", ")));
  };
  switch (p.role) {
    case CParam::Role::weights:
    case CParam::Role::prepared:
    case CParam::Role::optimizer: return size(upper(p.name));
    case CParam::Role::state: return size("STATE", plan.state.dims());
    case CParam::Role::scratch: return size(upper(e.name) + "_SCRATCH", e.scratch_dims());
    default: return std::nullopt;
  }
}

bool has(const PlannedEntry& e, CParam::Role role, const std::string& title = "") {
  return std::ranges::any_of(
      e.params, [&](const CParam& p) { return p.role == role && (title.empty() || p.title == title); });
}

/// What a function does, if it is one that every model may have (frontend/programs.h).
std::string purpose(const PlannedEntry& e) {
  using Role = CParam::Role;
  const bool state = has(e, Role::state);
  if (e.name == "step" && state) return "One step of time; the state goes on from call to call.";
  if (e.name == "run" && state && has(e, Role::dim, "T"))
    return "T steps of time. Blocks of any size give the bits of single steps.";
  if (e.name == "generate" && has(e, Role::input, "prime"))
    return "Reads P ids, the prime, then writes N ids, of which it reads each in turn. It draws them with\n"
           " * the temperature, the likeliest at 0, among the top_k likeliest, or all at 0. The random "
           "numbers\n"
           " * follow from the seed.";
  if (e.name == "train_step" && has(e, Role::weights))
    return "One update of the weights: forward, backward, clipping and the optimizer, in place.";
  return "";
}

std::string describe(const Plan& plan, const PlannedEntry& e, const CParam& p) {
  const auto usual = e.function.defaults.find(p.title);
  const std::string block = block_of(plan, e, p).value_or("");
  switch (p.role) {
    case CParam::Role::weights:
    case CParam::Role::optimizer: return block + " bytes, which change";
    case CParam::Role::prepared: return block + " bytes, as prepare left them";
    case CParam::Role::state: return block + " bytes: goes on from there, leaves the next state there";
    case CParam::Role::scratch: return block + " bytes, whatever they hold";
    case CParam::Role::dim:
      return p.title == "T"   ? "steps of time, from 0"
             : p.title == "B" ? "rows of the batch, from 0"
                              : "from 0";
    case CParam::Role::input:
      return "read: " + ir::to_string(p.tensor) +
             (usual == e.function.defaults.end() ? "" : fmt::format(", usually {}", usual->second));
    case CParam::Role::output: return "written: " + ir::to_string(p.tensor);
  }
  RONDO_CHECK(false, "no role");
}

std::string describe(const Plan& plan, const PlannedEntry& e) {
  size_t widest = 0;
  for (const CParam& p : e.params) widest = std::max(widest, p.name.size());
  const std::string does = purpose(e);
  std::string text = fmt::format("/* {}{}_{}\n", does.empty() ? "" : does + "\n *\n * ", plan.prefix, e.name);
  for (const CParam& p : e.params)
    text += fmt::format(" *   {:<{}}  {}\n", p.name, widest, describe(plan, e, p));
  return text + " */\n";
}

std::string declaration(const Plan& plan, const PlannedEntry& e) {
  const std::string macro = fmt::format("{}_{}_", upper(plan.prefix), upper(e.name));
  std::vector<std::string> params;
  for (const CParam& p : e.params) params.push_back(fmt::format("{} {}", p.type, p.name));
  return describe(plan, e) +
         fmt::format("int32_t {}_{}({});\n", plan.prefix, e.name, parameter_list(params)) +
         size_macro(macro + "SCRATCH_BYTES", e.facts.scratch_bytes, e.scratch_dims(), "scratch") +
         fmt::format("#define {}STACK_BYTES {} /* of stack, at most */\n\n", macro, e.facts.stack_bytes);
}

std::string service_doc(const codegen::Service& service) {
  if (service.name == "init")
    return service.params.front().name == "weights"
               ? "Before the first call: the weights as they were compiled in, the optimizer's memory zero."
               : "Before the first call: the optimizer's memory zero.";
  static const std::map<std::string, const char*> docs = {
      {"prepare",
       "Before the first call, and again when the weights have changed: copies them for the functions that\n"
       " * only read them, in the order in which this CPU reads. Calls may share the copy."},
      {"reset", "Starts anew: the state becomes zero. Before the first call, too."},
      {"save", "Copies the state to bytes that restore takes, anywhere in memory."},
      {"restore", "Takes the state from bytes that save wrote, if they are of this model and these dims."}};
  return docs.at(service.name);
}

std::string service_declaration(const Plan& plan, const codegen::Service& service) {
  std::vector<std::string> params;
  for (const codegen::EntryParam& p : service.params) {
    const bool read = (service.name == "save" && p.name == "state") ||
                      (service.name == "restore" && p.name == "saved") ||
                      (service.name == "prepare" && p.name == "weights");
    params.push_back(p.kind == codegen::EntryParam::Kind::dim
                         ? "int64_t " + p.name
                         : fmt::format("{}void* {}", read ? "const " : "", p.name));
  }
  return fmt::format("/* {} */\nint32_t {}_{}({});\n", service_doc(service), plan.prefix, service.name,
                     parameter_list(params));
}

/// How the first function is called: the blocks, what comes once before, the call.
std::string usage(const Plan& plan) {
  const PlannedEntry& e = plan.entries.front();
  std::string blocks, before;
  std::vector<std::string> args;
  for (const CParam& p : e.params) {
    args.push_back(p.name);
    if (const auto block = block_of(plan, e, p))
      blocks +=
          fmt::format(" *   static {}_ALIGNED unsigned char {}[{}];\n", upper(plan.prefix), p.name, *block);
  }
  for (const codegen::Service& s : plan.library.services) {
    const bool starts_training = s.name == "init" && s.params.front().name == "optimizer";
    if (s.name == "save" || s.name == "restore") continue;
    if (starts_training && !has(e, CParam::Role::optimizer)) continue;
    std::vector<std::string> params;
    for (const codegen::EntryParam& p : s.params) params.push_back(p.name);
    before += fmt::format(" *   {}_{}({});\n", plan.prefix, s.name, fmt::join(params, ", "));
  }
  return fmt::format("{}{} *   {}_{}({});\n", blocks, before, plan.prefix, e.name, fmt::join(args, ", "));
}

std::string introduction(const Plan& plan) {
  const char* weights = plan.weights.items.empty() ? "none"
                        : !plan.weights_given      ? "in the library's read-only data"
                        : plan.prepares()          ? "in the caller's memory, and prepared there"
                                                   : "in the caller's memory";
  return fmt::format(
      R"(/* {0}: a model compiled by Rondo {1}. Made by a program; changes to this file are lost.
 *
 * All memory is the caller's. state, scratch, weights, optimizer: blocks of the sizes below that start at a
 * multiple of {2}_ALIGNMENT bytes. Other pointers are to arrays of elements, aligned as C aligns them, the
 * last dim contiguous: element [t,b,i] of f32[T,B,8] is at (t * B + b) * 8 + i. i32 is int32_t, f32 float, f64
 * double, pred uint8_t (0 or 1). No array may overlap another or a block. Dims are numbers up to 2^31 - 1.
 *
 * What a scratch block holds changes no result. A function may leave there which way it went through the
 * weights; where a tool watches for memory that nobody set, set it once.
 *
 * No function allocates, locks, waits, calls the system or any other library. Calls may run at the same time
 * as long as they share no memory that one of them writes. Arithmetic rounds to nearest and, on x86, counts
 * denormal numbers as zero; the caller's floating-point mode is as before when a function returns.
 *
 * Weights: {3}.
 *
 * All functions return {2}_OK, or what is wrong with the arguments; then they have done nothing.
 *
 * In short:
 *
{4} */
)",
      plan.name, plan.library.version, upper(plan.prefix), weights, usage(plan));
}

}  // namespace

std::string c_header(const Plan& plan) {
  const std::string big = upper(plan.prefix);
  std::string text = introduction(plan);
  text += fmt::format(R"(#ifndef {0}_H
#define {0}_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define {0}_ALIGNMENT 64
/* In a declaration: static {0}_ALIGNED unsigned char memory[{0}_...BYTES]; */
#if defined(__GNUC__)
#define {0}_ALIGNED __attribute__((aligned(64)))
#elif defined(__cplusplus)
#define {0}_ALIGNED alignas(64)
#else
#define {0}_ALIGNED _Alignas(64)
#endif
#define {0}_RONDO_VERSION "{1}"
#define {0}_MODEL_HASH UINT64_C(0x{2:016x}) /* of functions and weights */

enum {{
  {0}_OK = 0,
  {0}_NULL_POINTER = 1,
  {0}_MISALIGNED = 2,
  {0}_BAD_DIM = 3,   /* negative, or above 2^31 - 1 */
  {0}_BAD_INDEX = 4, /* an element of an i32 input that is no row of its table */
  {0}_BAD_SAVE = 5   /* bytes that are no saved state of this model with these dims */
}};

)",
                      big, plan.library.version, plan.library.hash);
  if (!plan.state.items.empty()) {
    text += layout_comment("state", plan.state) +
            size_macro(big + "_STATE_BYTES", plan.state.bytes, plan.state.dims(), "state");
    const Poly saved = plan.state.bytes + Poly(8 + 8 * static_cast<int64_t>(plan.state.dims().size()));
    text += size_macro(big + "_SAVED_BYTES", saved, plan.state.dims(), "what save writes") + "\n";
  }
  if (plan.weights_given)
    text += layout_comment("weights", plan.weights) +
            size_macro(big + "_WEIGHTS_BYTES", plan.weights.bytes, {}, "weights") + "\n";
  if (plan.prepares())
    text += size_macro(big + "_PREPARED_BYTES", plan.prepared_bytes, {}, "prepared weights") + "\n";
  if (!plan.optimizer.items.empty())
    text += layout_comment("optimizer", plan.optimizer) +
            size_macro(big + "_OPTIMIZER_BYTES", plan.optimizer.bytes, {}, "the optimizer's memory") + "\n";
  for (const codegen::Service& s : plan.library.services) text += service_declaration(plan, s);
  if (!plan.library.services.empty())
    text += fmt::format("#define {}_SERVICE_STACK_BYTES {} /* of stack, at most, of each of these */\n\n",
                        big, plan.service_stack_bytes);
  for (const PlannedEntry& e : plan.entries) text += declaration(plan, e);
  text += fmt::format(R"(/* {1}_RONDO_VERSION and {1}_MODEL_HASH of the library that is linked. */
const char* {0}_version(void);
uint64_t {0}_model_hash(void);

#ifdef __cplusplus
}}
#endif

#endif
)",
                      plan.prefix, big);
  return text;
}

std::string weights_header(const Plan& plan) {
  std::string text = fmt::format(
      "/* The weights of {0}, as its functions take them. Made by a program. */\n#ifndef {1}_WEIGHTS_H\n"
      "#define {1}_WEIGHTS_H\n\n#include \"{0}.h\"\n\n"
      "static const {1}_ALIGNED uint32_t {2}_weights[{3}] = {{",
      plan.name, upper(plan.prefix), plan.prefix, plan.weight_bytes.size() / 4);
  for (size_t i = 0; i + 4 <= plan.weight_bytes.size(); i += 4) {
    uint32_t word = 0;
    for (size_t k = 4; k-- > 0;) word = word << 8 | static_cast<uint32_t>(plan.weight_bytes[i + k]);
    text += fmt::format("{}0x{:x},", i % 40 ? " " : "\n    ", word);
  }
  return text + "\n};\n\n#endif\n";
}

}  // namespace rondo::library
