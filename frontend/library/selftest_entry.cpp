#include "frontend/library/selftest_entry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "frontend/library/c_text.h"
#include "support/error.h"

namespace rondo::library {

namespace {

constexpr int kCalls = 2;  // of each entry, the state kept between

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

std::string element(const CParam& p) { return c_type(p.tensor.dtype); }

}  // namespace

EntryTest::EntryTest(const Plan& plan, const PlannedEntry& entry, Program program)
    : plan_(plan), entry_(entry), program_(std::move(program)), big_(upper(plan.prefix)) {
  for (const std::string& dim : program_.signature().dims) dims_[dim] = dim == "T" ? 5 : dim == "B" ? 2 : 3;
  program_.resize(dims_);
}

std::string EntryTest::text() {
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

std::vector<CParam> EntryTest::arrays(Role role) const {
  std::vector<CParam> found;
  for (const CParam& p : entry_.params)
    if (p.role == role) found.push_back(p);
  return found;
}

std::string EntryTest::vector(const CParam& p, int call) const {
  return fmt::format("{}_{}_{}", entry_.name, p.name, call);
}

std::string EntryTest::got(const CParam& p) const { return fmt::format("got_{}_{}", entry_.name, p.name); }

int64_t EntryTest::count(const CParam& p) const { return ir::element_count(p.tensor.shape).evaluate(dims_); }

/// The first bound of an input, or 0 if it has none.
int64_t EntryTest::bound(const std::string& title) const {
  const Signature& s = program_.signature();
  for (const Signature::Bound& b : s.bounds)
    if (s.inputs[b.input].name == title)
      return (b.bound.dim < 0 ? b.bound.size : dims_.at(s.dims[b.bound.dim])) + b.more;
  return 0;
}

/// ", 2" after a state among arguments.
std::string EntryTest::state_dims() const {
  std::string dims;
  for (const std::string& dim : plan_.state.dims()) dims += fmt::format(", {}", dims_.at(dim));
  return dims;
}

void EntryTest::fill(int call) {
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

std::string EntryTest::vectors(int call, Role role) const {
  std::string text;
  for (const CParam& p : arrays(role))
    text += fmt::format("static const {} {}[] = {{{}}};\n", element(p), vector(p, call),
                        values_of(program_.buffer(p.title)));
  return text;
}

/// A call with everything right, but for the arguments that are replaced.
std::string EntryTest::call(int number, const Replaced& replaced) const {
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

std::string EntryTest::with_input(const CParam& input, const std::string& argument) const {
  std::string text = call(0);
  const std::string name = vector(input, 0);
  return text.replace(text.find(name), name.size(), argument);
}

std::string EntryTest::expect(int number, const Replaced& replaced) const {
  std::string text = fmt::format("  CHECK({} == {}_OK);\n", call(number, replaced), big_);
  for (const CParam& p : arrays(Role::output))
    text += fmt::format("  CHECK(same_{}({}, {}, {}));\n", element(p), got(p), vector(p, number), count(p));
  return text;
}

std::string EntryTest::wrong(Role role, const std::string& argument, const char* status) const {
  return fmt::format("  CHECK({} == {}_{});\n", call(0, {{role, argument}}), big_, status);
}

std::string EntryTest::checks() const {
  std::string text = fmt::format("\nstatic int test_{}(void) {{\n  CHECK(begin());\n", entry_.name);
  const bool streams = has(Role::state) && !has(Role::weights) && !has(Role::optimizer);
  if (streams) text += "  /* Two streams in turns, which do not disturb each other. */\n";
  for (int number = 0; number < kCalls; ++number) {
    text += expect(number);
    if (streams) text += expect(number, {{Role::state, "other_state"}});
  }
  return text + check_mode() + check_state() + check_arguments() + "  return 0;\n}\n\n";
}

/// Compiled code may count denormal numbers as zero; its caller does not therefore.
std::string EntryTest::check_mode() const {
  return fmt::format(R"(  {{
    /* The caller's arithmetic has denormal numbers as before. */
    volatile float tiny = 1e-40f, before = tiny + tiny, after;
    CHECK({} == {}_OK);
    after = tiny + tiny;
    CHECK(before == after);
  }}
)",
                     call(0), big_);
}

std::string EntryTest::check_state() const {
  if (!has(Role::state)) return "";
  std::string text = fmt::format(
      R"(  /* Back to where the first call ended: the second gives the same again. */
  CHECK(begin() && {0} == {1}_OK && {2}_save(state{3}, saved) == {1}_OK);
  CHECK({2}_reset(state{3}) == {1}_OK && {2}_restore(state{3}, saved) == {1}_OK);
)",
      call(0), big_, plan_.prefix, state_dims());
  if (!entry_.function.params.empty() && !has(Role::optimizer)) text += expect(kCalls - 1);
  text += fmt::format("  saved[0] ^= 1;\n  CHECK({}_restore(state{}, saved) == {}_BAD_SAVE);\n", plan_.prefix,
                      state_dims(), big_);
  return text + wrong(Role::state, "0", "NULL_POINTER") + wrong(Role::state, "state + 1", "MISALIGNED");
}

std::string EntryTest::check_arguments() const {
  std::string text;
  if (has(Role::dim)) text += wrong(Role::dim, "-1", "BAD_DIM");
  for (const CParam& p : arrays(Role::input))
    if (p.tensor.rank() > 0 && p.tensor.dtype == DType::i32 && bound(p.title) > 0 && count(p) > 0)
      return text +
             fmt::format("  {{\n    int32_t bad[{0}] = {{-1}};\n    CHECK({1} == {2}_BAD_INDEX);\n  }}\n",
                         count(p), with_input(p, "bad"), big_);
  return text;
}

}  // namespace rondo::library
