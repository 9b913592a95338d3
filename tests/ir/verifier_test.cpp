// The verifier finds each kind of damage, and only damage.
#include "ir/verifier.h"

#include <gtest/gtest.h>

#include <functional>

#include "ir/text.h"
#include "support/error.h"

namespace rondo::ir {
namespace {

Func sample() {
  return parse(R"(func @f(%w: f32[2,2], %x: f32[T,2]) -> (f32[2], f32[2]) {
    %h0 = const {value=0} : f32[2]
    %h = scan consts(%w) carry(%h0) xs(%x) {
      %z = matmul %x, %w : f32[2]
      %h1 = add %z, %h0 : f32[2]
      yield carry(%h1)
    } : f32[2]
    %n = neg %h : f32[2]
    return %h, %n
  })");
}

/// The rules, before the colon, that the damaged function violates.
std::vector<std::string> violated(const std::function<void(Func&)>& damage) {
  Func f = sample();
  damage(f);
  std::vector<std::string> rules;
  for (const std::string& v : verify(f)) rules.push_back(v.substr(0, v.find(':')));
  return rules;
}

void damage_body(Func& f, const std::function<void(Func&)>& damage) {
  Func body = *f.ops[1].body;
  damage(body);
  f.ops[1].body = std::make_shared<const Func>(std::move(body));
}

using Rules = std::vector<std::string>;

TEST(Verifier, AcceptsWhatIsWellFormed) {
  EXPECT_EQ(violated([](Func&) {}), Rules{});
}

TEST(Verifier, FindsUseBeforeDefinition) {
  EXPECT_EQ(violated([](Func& f) { f.ops[2].operands[0] = f.ops[2].first_result; }),
            Rules{"defined-before-use"});
  EXPECT_EQ(violated([](Func& f) { f.ops[2].operands[0] = {1000}; }), Rules{"defined-before-use"});
  EXPECT_EQ(violated([](Func& f) { f.ops[2].operands[0] = {}; }), Rules{"defined-before-use"});
}

TEST(Verifier, FindsDoubleAndMissingDefinitions) {
  EXPECT_EQ(violated([](Func& f) { f.params.push_back(f.params[0]); }), Rules{"single-definition"});
  EXPECT_EQ(violated([](Func& f) {
              f.values.push_back({{DType::f32, {}}, "", -1});
            }),
            Rules{"single-definition"});
  EXPECT_EQ(violated([](Func& f) { f.values.back().op = 0; }),
            (Rules{"single-definition", "single-definition", "results"}));
}

TEST(Verifier, FindsWrongArity) {
  EXPECT_EQ(violated([](Func& f) { f.ops[2].operands.push_back(f.params[0]); }), Rules{"arity"});
}

TEST(Verifier, FindsWrongTypes) {
  EXPECT_EQ(violated([](Func& f) { f.values.back().type.dtype = DType::f64; }), Rules{"types"});
  EXPECT_EQ(violated([](Func& f) { f.values[f.params[1].id].type.shape[0] = 3; }),
            Rules{});  // still one trip count
  EXPECT_EQ(violated([](Func& f) { f.values[f.params[1].id].type.shape[1] = 3; }), Rules{"types"});
  EXPECT_EQ(violated([](Func& f) { f.ops[1].attrs.consts = 7; }), Rules{"types"});
}

TEST(Verifier, FindsBodiesThatAreNotIsolated) {
  EXPECT_EQ(violated([](Func& f) { f.ops[1].body = nullptr; }), Rules{"isolated"});
  EXPECT_EQ(violated([](Func& f) { damage_body(f, [](Func& b) { b.ops[0].operands[0] = {50}; }); }),
            Rules{"isolated"});
  EXPECT_EQ(violated([](Func& f) { damage_body(f, [](Func& b) { b.results[0] = {50}; }); }),
            Rules{"isolated"});
  EXPECT_EQ(violated([](Func& f) { damage_body(f, [](Func& b) { b.results[0] = b.params[0]; }); }),
            Rules{"types"});
}

TEST(Verifier, FindsWrongResults) {
  EXPECT_EQ(violated([](Func& f) { f.results[0] = {99}; }), Rules{"results"});
}

TEST(Verifier, CheckThrowsWithTheOpAndTheText) {
  Func f = sample();
  f.values.back().type.dtype = DType::f64;
  try {
    check(f, "after simplify");
    FAIL();
  } catch (const InternalError& e) {
    const std::string what = e.what();
    EXPECT_NE(what.find("after simplify: types: %n = neg %h : f64[2]\nfunc @f("), std::string::npos) << what;
  }
}

}  // namespace
}  // namespace rondo::ir
