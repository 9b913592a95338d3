#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "frontend/compile.h"
#include "frontend/library/c_text.h"
#include "frontend/library/plan.h"
#include "support/error.h"

namespace rondo::library {

namespace {

using Role = CParam::Role;

constexpr int kCalls = 2;  // of each entry, the state kept between

Weights copy_of(const Weights& weights) {
  Weights copy;
  for (const auto& [name, buffer] : weights.all())
    std::memcpy(copy.get(name, buffer.dtype(), buffer.shape()).data(), buffer.data(), buffer.bytes());
  return copy;
}

template <class T>
std::string number(T value) {
  const auto real = static_cast<double>(value);
  if (std::isnan(real)) return "NO_NUMBER";
  if (std::isinf(real)) return real < 0 ? "-INFINITE" : "INFINITE";
  if constexpr (std::is_same_v<T, float>) return fmt::format("{:a}f", value);
  if constexpr (std::is_same_v<T, double>) return fmt::format("{:a}", value);
  return fmt::to_string(value);
}

template <class T>
std::string join(const Buffer& buffer) {
  const T* data = static_cast<const T*>(buffer.data());
  std::string text;
  for (int64_t i = 0; i < buffer.count(); ++i) text += (i ? ", " : "") + number(data[i]);
  return buffer.count() ? text : "0";  // C has no empty arrays
}

std::string values_of(const Buffer& buffer) {
  switch (buffer.dtype()) {
    case DType::f32: return join<float>(buffer);
    case DType::f64: return join<double>(buffer);
    case DType::i32: return join<int32_t>(buffer);
    case DType::pred: return join<uint8_t>(buffer);
  }
  RONDO_CHECK(false, "no dtype");
}

/// Writes the test of one entry: vectors, and a function that checks them.
class EntryTest {
 public:
  EntryTest(const Plan& plan, const PlannedEntry& entry, Program program)
      : plan_(plan), entry_(entry), program_(std::move(program)), big_(upper(plan.prefix)) {
    for (const std::string& dim : program_.signature().dims) dims_[dim] = dim == "T" ? 5 : dim == "B" ? 2 : 3;
    program_.resize(dims_);
  }

  const ir::DimValues& dims() const { return dims_; }

  std::string text() {
    std::string text;
    for (int call = 0; call < kCalls; ++call) {
      fill(call);
      text += vectors(call, Role::input);
      program_.run();
      text += vectors(call, Role::output);
    }
    for (const CParam& p : arrays(Role::output))
      text += fmt::format("static {} {}[{}];\n", element(p), got(p), std::max<int64_t>(count(p), 1));
    return text + checks();
  }

 private:
  std::vector<CParam> arrays(Role role) const {
    std::vector<CParam> found;
    for (const CParam& p : entry_.params)
      if (p.role == role) found.push_back(p);
    return found;
  }
  static std::string element(const CParam& p) { return c_type(p.tensor.dtype); }
  std::string vector(const CParam& p, int call) const {
    return fmt::format("{}_{}_{}", entry_.name, p.name, call);
  }
  std::string got(const CParam& p) const { return fmt::format("got_{}_{}", entry_.name, p.name); }
  int64_t count(const CParam& p) const { return ir::element_count(p.tensor.shape).evaluate(dims_); }

  /// The first bound of an input, or 0 if it has none.
  int64_t bound(const std::string& title) const {
    const Signature& s = program_.signature();
    for (const Signature::Bound& b : s.bounds)
      if (s.inputs[b.input].name == title)
        return (b.bound.dim < 0 ? b.bound.size : dims_.at(s.dims[b.bound.dim])) + b.more;
    return 0;
  }

  void fill(int call) {
    for (const CParam& p : arrays(Role::input)) {
      if (entry_.function.defaults.contains(p.title)) continue;  // the usual value
      std::mt19937 random(static_cast<uint32_t>(call + 1));
      const auto unit = [&] { return static_cast<float>(random()) * 0x1p-31f - 1; };
      const Buffer& buffer = program_.buffer(p.title);
      if (buffer.dtype() == DType::f32)
        for (float& v : program_.f32(p.title)) v = unit();
      if (buffer.dtype() == DType::f64)
        for (double& v : program_.f64(p.title)) v = unit();
      if (buffer.dtype() == DType::i32)
        for (int32_t& v : program_.i32(p.title))
          v = static_cast<int32_t>(random() % static_cast<uint32_t>(std::max<int64_t>(bound(p.title), 2)));
    }
  }

  std::string vectors(int call, Role role) const {
    std::string text;
    for (const CParam& p : arrays(role))
      text += fmt::format("static const {} {}[] = {{{}}};\n", element(p), vector(p, call),
                          values_of(program_.buffer(p.title)));
    return text;
  }

  /// A call with everything right, but for the arguments that are replaced.
  std::string call(int number, const std::map<Role, std::string>& replaced = {}) const {
    std::vector<std::string> args;
    for (const CParam& p : entry_.params) {
      if (auto it = replaced.find(p.role); it != replaced.end()) {
        args.push_back(it->second);
      } else if (p.role == Role::dim) {
        args.push_back(fmt::to_string(dims_.at(p.title)));
      } else if (p.role == Role::input) {
        args.push_back(vector(p, number) + (p.tensor.rank() == 0 ? "[0]" : ""));
      } else {
        args.push_back(p.role == Role::output ? got(p) : p.name);
      }
    }
    return fmt::format("{}_{}({})", plan_.prefix, entry_.name, fmt::join(args, ", "));
  }

  std::string expect(int number) const {
    std::string text = fmt::format("  CHECK({} == {}_OK);\n", call(number), big_);
    for (const CParam& p : arrays(Role::output))
      text += fmt::format("  CHECK(same_{}({}, {}, {}));\n", element(p), got(p), vector(p, number), count(p));
    return text;
  }

  bool has(Role role) const { return !arrays(role).empty(); }

  std::string checks() const {
    std::string text = fmt::format("\nstatic int test_{}(void) {{\n  CHECK(begin());\n", entry_.name);
    for (int number = 0; number < kCalls; ++number) text += expect(number);
    if (has(Role::state)) {
      std::string dims;
      for (const std::string& dim : plan_.state.dims()) dims += fmt::format(", {}", dims_.at(dim));
      text += fmt::format(R"(  /* Back to where the first call ended: the second gives the same again. */
  CHECK(begin() && {0} == {1}_OK && {2}_save(state{3}, saved) == {1}_OK);
  CHECK({2}_reset(state{3}) == {1}_OK && {2}_restore(state{3}, saved) == {1}_OK);
)",
                          call(0), big_, plan_.prefix, dims);
      if (!entry_.function.params.empty() && !has(Role::optimizer)) text += expect(kCalls - 1);
      text += fmt::format("  saved[0] ^= 1;\n  CHECK({}_restore(state{}, saved) == {}_BAD_SAVE);\n",
                          plan_.prefix, dims, big_);
      text += wrong(Role::state, "0", "NULL_POINTER") + wrong(Role::state, "state + 1", "MISALIGNED");
    }
    if (has(Role::dim)) text += wrong(Role::dim, "-1", "BAD_DIM");
    for (const CParam& p : arrays(Role::input))
      if (p.tensor.rank() > 0 && p.tensor.dtype == DType::i32 && bound(p.title) > 0 && count(p) > 0) {
        text += fmt::format("  {{\n    int32_t bad[{0}] = {{-1}};\n    CHECK({1} == {2}_BAD_INDEX);\n  }}\n",
                            count(p), with_input(p, "bad"), big_);
        break;
      }
    return text + "  return 0;\n}\n\n";
  }

  std::string wrong(Role role, const std::string& argument, const char* status) const {
    return fmt::format("  CHECK({} == {}_{});\n", call(0, {{role, argument}}), big_, status);
  }

  std::string with_input(const CParam& input, const std::string& argument) const {
    std::string text = call(0);
    const std::string name = vector(input, 0);
    return text.replace(text.find(name), name.size(), argument);
  }

  const Plan& plan_;
  const PlannedEntry& entry_;
  Program program_;
  std::string big_;
  ir::DimValues dims_;
};

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
      text += block("state", plan_.state.bytes);
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
      good += fmt::format(" && {}_reset(state{}) == {}_OK", plan_.prefix, values, big_);
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
