#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "frontend/compile.h"
#include "frontend/library/c_text.h"
#include "frontend/library/plan.h"
#include "frontend/library/selftest_entry.h"

namespace rondo::library {

namespace {

Weights copy_of(const Weights& weights) {
  Weights copy;
  for (const auto& [name, buffer] : weights.all())
    std::memcpy(copy.get(name, buffer.dtype(), buffer.shape()).data(), buffer.data(), buffer.bytes());
  return copy;
}

/// Each in its own arithmetic: some machines have no double.
std::string comparisons(const std::string& big) {
  std::string text;
  for (const char* type : {"float", "double"})
    text += fmt::format(R"(static int differ_{0}({0} a, {0} b) {{
#ifndef {1}_SELFTEST_EXACT
  const {0} size = b < 0 ? -b : b, off = a < b ? b - a : a - b;
  if (off < ({0})1e-4 * (size > 1 ? size : 1)) return 0;
#endif
  return a != b && (a == a || b == b);
}}
)",
                        type, big);
  for (const char* type : {"float", "double", "int32_t", "uint8_t"}) {
    const bool real = type[0] == 'f' || type[0] == 'd';
    const std::string differ = real ? fmt::format("differ_{}(a[i], b[i])", type) : "a[i] != b[i]";
    text += fmt::format(
        "static int same_{0}(const {0}* a, const {0}* b, long n) {{\n  long i;\n"
        "  for (i = 0; i < n; ++i)\n    if ({1}) return 0;\n  return 1;\n}}\n",
        type, differ);
  }
  return text;
}

constexpr const char* kStart =
    R"(/* Tests {name}: inputs, and the outputs that they must give. Made by a program.
 * {prefix}_selftest({argument}) gives 0, or the line of the check that failed. {big}_SELFTEST_EXACT asks for the same
 * bits, which machines with fused multiply-add give; {big}_SELFTEST_NO_MAIN leaves main out.
 */
#include "{name}.h"
{include}
#define CHECK(condition) do {{ if (!(condition)) return __LINE__; }} while (0)
#define INFINITE (1.0f / 0.0f)
#define NO_NUMBER (0.0f / 0.0f)

#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
)";

constexpr const char* kMain = R"(
#ifndef {big}_SELFTEST_NO_MAIN
#include <stdio.h>
int main({main_parameters}) {{
  int line;
{read}  line = {prefix}_selftest({pass});
  if (line) printf("{name}: failed at line %d\n", line);
  else printf("{name}: passed\n");
  return line != 0;
}}
#endif
)";

constexpr const char* kReadWeights = R"(  static {big}_ALIGNED unsigned char initial[{big}_WEIGHTS_BYTES];
  FILE* file = argc == 2 ? fopen(argv[1], "rb") : NULL;
  if (!file || fread(initial, 1, sizeof initial, file) != sizeof initial) {{
    printf("usage: selftest {name}_weights.bin\n");
    return 2;
  }}
  fclose(file);
)";

/// The file around the tests of the entries.
class SelftestWriter {
 public:
  SelftestWriter(const Plan& plan, const LibraryOptions& options)
      : plan_(plan),
        big_(upper(plan.prefix)),
        init_(std::ranges::any_of(plan.library.services, [](const auto& s) { return s.name == "init"; })),
        init_weights_(init_ && plan.weights_given && options.weights == WeightsIn::library),
        take_weights_(plan.weights_given && !init_weights_),
        read_(take_weights_ && options.weights == WeightsIn::pointer) {}

  std::string run(const Weights& weights) {
    for (const PlannedEntry& e : plan_.entries) add(e, weights);
    return start() + comparisons(big_) + "\n" + memory() + begin() + tests_ + selftest() + main();
  }

 private:
  void add(const PlannedEntry& e, const Weights& weights) {
    Function before = e.function;
    before.pipeline.clear();  // the passes have run
    EntryTest test(plan_, e, rondo::compile(before, copy_of(weights)));
    dims_.insert(test.dims().begin(), test.dims().end());
    tests_ += test.text();
    calls_ += fmt::format("  if ((line = test_{}()) != 0) return line;\n", e.name);
    scratch_bytes_ = std::max(scratch_bytes_, e.facts.scratch_bytes.evaluate(test.dims()));
  }

  std::string start() const {
    const std::string include =
        take_weights_ && !read_ ? fmt::format("#include \"{}_weights.h\"\n", plan_.name) : "";
    return fmt::format(kStart, fmt::arg("name", plan_.name), fmt::arg("prefix", plan_.prefix),
                       fmt::arg("big", big_), fmt::arg("include", include),
                       fmt::arg("argument", take_weights_ ? "weights" : ""));
  }

  std::string block(const char* name, const ir::Poly& bytes) const {
    return fmt::format("static {}_ALIGNED unsigned char {}[{}];\n", big_, name,
                       std::max<int64_t>(bytes.evaluate(dims_), 64));
  }

  std::string memory() const {
    std::string text = block("scratch", scratch_bytes_);
    if (!plan_.state.items.empty()) {
      const ir::Poly words = 8 + 8 * static_cast<int64_t>(plan_.state.dims().size());
      text += block("state", plan_.state.bytes) + block("other_state", plan_.state.bytes);
      text += fmt::format("static unsigned char saved[{}];\n", (plan_.state.bytes + words).evaluate(dims_));
    }
    if (plan_.weights_given) text += block("weights", plan_.weights.bytes);
    if (plan_.prepares()) text += block("prepared", plan_.prepared_bytes);
    if (!plan_.optimizer.items.empty()) text += block("optimizer", plan_.optimizer.bytes);
    if (take_weights_) text += "static const unsigned char* initial_weights;\n";
    return text;
  }

  /// Everything as before the first call.
  std::string begin() const {
    std::string copy, good = "1";
    if (take_weights_)
      copy = fmt::format(
          "  long i;\n  for (i = 0; i < {}_WEIGHTS_BYTES; ++i) weights[i] = initial_weights[i];\n", big_);
    if (init_) {
      std::vector<std::string> args;
      if (init_weights_) args.emplace_back("weights");
      if (!plan_.optimizer.items.empty()) args.emplace_back("optimizer");
      good += fmt::format(" && {}_init({}) == {}_OK", plan_.prefix, fmt::join(args, ", "), big_);
    }
    if (plan_.prepares())
      good += fmt::format(" && {}_prepare(weights, prepared) == {}_OK", plan_.prefix, big_);
    if (!plan_.state.items.empty()) {
      std::string values;
      for (const std::string& dim : plan_.state.dims()) values += fmt::format(", {}", dims_.at(dim));
      for (const char* name : {"state", "other_state"})
        good += fmt::format(" && {}_reset({}{}) == {}_OK", plan_.prefix, name, values, big_);
    }
    return fmt::format("\nstatic int begin(void) {{\n{}  return {};\n}}\n\n", copy, good);
  }

  std::string selftest() const {
    return fmt::format(
        "int {0}_selftest({1});\nint {0}_selftest({1}) {{\n  int line;\n{2}"
        "  CHECK({0}_model_hash() == {3}_MODEL_HASH);\n{4}{5}  return 0;\n}}\n",
        plan_.prefix, take_weights_ ? "const void* weights_to_take" : "void",
        take_weights_ ? "  initial_weights = (const unsigned char*)weights_to_take;\n" : "", big_,
        wrong_blocks(), calls_);
  }

  std::string wrong_blocks() const {
    if (!plan_.prepares()) return "";
    return fmt::format(
        "  CHECK({0}_prepare(0, prepared) == {1}_NULL_POINTER);\n"
        "  CHECK({0}_prepare(weights, prepared + 1) == {1}_MISALIGNED);\n",
        plan_.prefix, big_);
  }

  std::string main() const {
    const std::string reading =
        read_ ? fmt::format(kReadWeights, fmt::arg("big", big_), fmt::arg("name", plan_.name)) : "";
    const std::string passed = read_ ? "initial" : take_weights_ ? plan_.prefix + "_weights" : "";
    return fmt::format(kMain, fmt::arg("big", big_), fmt::arg("name", plan_.name),
                       fmt::arg("prefix", plan_.prefix), fmt::arg("read", reading), fmt::arg("pass", passed),
                       fmt::arg("main_parameters", read_ ? "int argc, char** argv" : "void"));
  }

  const Plan& plan_;
  std::string big_;
  // Whether the library has init, and that gives the weights; else whether the test is given them, from a
  // file.
  bool init_, init_weights_, take_weights_, read_;
  std::string tests_, calls_;
  ir::DimValues dims_;
  int64_t scratch_bytes_ = 0;
};

}  // namespace

std::string selftest(const Plan& plan, const Weights& weights, const LibraryOptions& options) {
  return SelftestWriter(plan, options).run(weights);
}

}  // namespace rondo::library
