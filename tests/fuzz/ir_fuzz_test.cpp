// Random functions keep their text and pass the verifier; random and damaged text gives an Error or a
// function, never anything else.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "ir/text.h"
#include "ir/verifier.h"
#include "support/error.h"
#include "tests/support/random_func.h"

namespace rondo::test {
namespace {

constexpr uint64_t kFunctions = 200;

void note_kinds(const ir::Func& f, std::set<ir::OpKind>& kinds, int& lengths) {
  for (const ir::Op& op : f.ops) {
    kinds.insert(op.kind);
    lengths += op.attrs.lengths;
    if (op.body) note_kinds(*op.body, kinds, lengths);
  }
}

TEST(RandomFunctions, KeepTheirTextAndAreWellFormed) {
  std::set<ir::OpKind> kinds;
  int lengths = 0;
  for (uint64_t seed = 0; seed < kFunctions; ++seed) {
    const RandomFunc r = random_func(seed);
    const std::string text = ir::print(r.func);
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + text);
    EXPECT_EQ(ir::verify(r.func), std::vector<std::string>{});
    const ir::Func parsed = ir::parse(text);
    EXPECT_EQ(ir::print(parsed), text);
    const auto expected = ir::evaluate(r.func, r.inputs, r.dims),
               actual = ir::evaluate(parsed, r.inputs, r.dims);
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(actual[i].data, expected[i].data);
    note_kinds(r.func, kinds, lengths);
  }
  EXPECT_EQ(kinds.size(), ir::kOpCount) << "the generator leaves ops out";
  EXPECT_GT(lengths, 20) << "few scans have lengths";
}

/// Parses; what is accepted must be well formed and keep its text.
bool accepts(const std::string& text) {
  try {
    const ir::Func f = ir::parse(text);
    EXPECT_EQ(ir::verify(f), std::vector<std::string>{}) << text;
    const std::string printed = ir::print(f);
    EXPECT_EQ(ir::print(ir::parse(printed)), printed) << text;
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(DamagedText, RandomBytes) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string text = i % 2 ? "func @f(%x: f32[2]) -> () { " : "";
    for (size_t n = random() % 40; n > 0; --n) text += static_cast<char>(random());
    EXPECT_FALSE(accepts(text));
  }
}

TEST(DamagedText, Mutations) {
  std::mt19937_64 random(2);
  const std::string pieces[] = {"%x",      "scan", "{",           "}",   "(",
                                ")",       "[",    "]",           ":",   "=",
                                "-1",      "0",    "nan",         "->",  "4294967296",
                                "trip(T)", "f32[", "value=1e308", "%99", "axis=9223372036854775807"};
  int accepted = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const std::string original = ir::print(random_func(seed, 8).func);
    for (int i = 0; i < 20; ++i) {
      std::string text = original;
      for (size_t n = 1 + random() % 3; n > 0; --n) {
        const size_t at = random() % text.size(), length = random() % 8;
        switch (random() % 5) {
          case 0: text[at] = static_cast<char>(random()); break;
          case 1: text.erase(at, length); break;
          case 2: text.insert(at, pieces[random() % std::size(pieces)]); break;
          case 3: text.insert(at, text.substr(random() % text.size(), length)); break;
          default: std::swap(text[at], text[random() % text.size()]); break;
        }
      }
      accepted += accepts(text);
    }
  }
  EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace rondo::test
