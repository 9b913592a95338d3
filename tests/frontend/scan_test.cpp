// Recurrence in the DSL: states of the user's own types, captured values, nesting.
#include <gtest/gtest.h>

#include <rondo/rondo.h>

#include "ir/verifier.h"
#include "tests/frontend/reference.h"

namespace rondo::test {
namespace {

using Numbers = std::vector<double>;

struct Pair {
  Tensor a, b;
};
struct Deep {
  Tensor first;
  std::array<Tensor, 2> two;
  Pair pair;
  std::vector<Pair> list;
  std::tuple<Tensor, Pair> tuple;
};
struct Twelve {
  Tensor a, b, c, d, e, f, g, h, i, j, k, l;
};
struct Nothing {};

TEST(State, AnyAggregateOfTensorsIsOne) {
  Deep deep;
  deep.list.resize(2);
  EXPECT_EQ(tensors_of(deep).size(), 1u + 2 + 2 + 4 + 3);
  EXPECT_EQ(tensors_of(Twelve{}).size(), 12u);
  EXPECT_EQ(tensors_of(Nothing{}).size(), 0u);
  EXPECT_EQ(tensors_of(std::pair(Tensor(), Pair{})).size(), 3u);
}

TEST(State, TensorsComeBackInTheirPlaces) {
  Function function("f", f64, [](Trace& t) {
    Deep deep;
    deep.list.resize(1);
    std::vector<Tensor> numbered;
    for (size_t i = 0; i < tensors_of(deep).size(); ++i) numbered.push_back(constant(static_cast<double>(i)));
    deep = with_tensors(deep, numbered);
    t.output("y",
             stack({deep.first, deep.two[1], deep.pair.b, deep.list[0].a, std::get<1>(deep.tuple).b}, 0));
  });
  Reference reference(function, {});
  reference.run();
  EXPECT_EQ(reference.at("y").data, (Numbers{0, 2, 4, 5, 9}));
}

/// Outputs of a function of x [T].
Reference over(const Numbers& x, const std::function<void(Trace&, Tensor)>& body) {
  Function function("f", f64, [&](Trace& t) { body(t, t.input("x", {"T"})); });
  EXPECT_EQ(ir::verify(function.func), std::vector<std::string>());
  Reference reference(function, {});
  reference.set("x", {static_cast<int64_t>(x.size())}, x);
  reference.run();
  return reference;
}

TEST(Scan, CarriesTheStateAndStacksOutputs) {
  auto r = over({1, 2, 3}, [](Trace& t, Tensor x) {
    auto [last, ys] = scan(Pair{zeros({}), ones({})}, x, [](Pair s, Tensor x) {
      Pair next{s.a + x, s.b * x};
      return std::pair(next, Pair{next.a, next.b});
    });
    t.output("last", last);
    t.output("ys", ys);
  });
  EXPECT_EQ(r.scalar("last.0"), 6);
  EXPECT_EQ(r.scalar("last.1"), 6);
  EXPECT_EQ(r.at("ys.0").data, (Numbers{1, 3, 6}));
  EXPECT_EQ(r.at("ys.1").data, (Numbers{1, 2, 6}));
}

TEST(Scan, WithoutOutputsReturnsTheStateAlone) {
  auto r = over({1, 2, 3}, [](Trace& t, Tensor x) {
    t.output("y", scan(zeros({}), x, [](Tensor s, Tensor x) { return 2 * s + x; }));
  });
  EXPECT_EQ(r.scalar("y"), 11);
}

TEST(Scan, NoStepsGiveTheInitialState) {
  auto r = over({}, [](Trace& t, Tensor x) {
    t.output("y", scan(constant(5), x, [](Tensor s, Tensor x) { return s + x; }));
  });
  EXPECT_EQ(r.scalar("y"), 5);
}

TEST(Scan, ReverseStillWritesEachStepInItsPlace) {
  auto r = over({1, 2, 3}, [](Trace& t, Tensor x) {
    auto [last, ys] =
        scan(zeros({}), x, [](Tensor s, Tensor x) { return std::pair(s + x, s + x); }, {.reverse = true});
    t.output("ys", ys);
  });
  EXPECT_EQ(r.at("ys").data, (Numbers{6, 5, 3}));
}

TEST(Scan, RowsEndAtTheirLengths) {
  Function function("f", f64, [](Trace& t) {
    const Tensor x = t.input("x", {"T", "B"}), lengths = t.input("lengths", i32, {"B"});
    auto sums = [](Tensor s, Tensor x) { return std::pair(s + x, s + x); };
    auto [last, ys] = scan(zeros({"B"}), x, sums, {.reverse = true, .lengths = lengths});
    t.output("last", last);
    t.output("ys", ys);
  });
  Reference reference(function, {});
  reference.set("x", {3, 2}, {1, 10, 2, 20, 4, 40});
  reference.set("lengths", {2}, {3, 1});
  reference.run();
  EXPECT_EQ(reference.at("last").data, (Numbers{7, 10}));
  EXPECT_EQ(reference.at("ys").data, (Numbers{7, 10, 6, 0, 4, 0}));
}

TEST(Scan, WalksStructsOfInputs) {
  auto r = over({1, 2, 3}, [](Trace& t, Tensor x) {
    t.output("y", scan(zeros({}), Pair{x, 10 * x}, [](Tensor s, Pair x) { return s + x.a * x.b; }));
  });
  EXPECT_EQ(r.scalar("y"), 140);
}

TEST(Scan, UsesValuesOfTheFunctionAround) {
  auto r = over({1, 2, 3}, [](Trace& t, Tensor x) {
    Tensor total = sum(x);
    t.output("y", scan(zeros({}), x, [&](Tensor s, Tensor x) { return s + x * total; }));
  });
  EXPECT_EQ(r.scalar("y"), 36);
}

TEST(Scan, NestsAndCapturesThroughAllLevels) {
  auto r = over({1, 2, 3}, [](Trace& t, Tensor x) {
    Tensor total = sum(x);
    t.output("y", scan(zeros({}), x, [&](Tensor s, Tensor a) {
               return scan(s, x, [&](Tensor s, Tensor b) { return s + a * b + total; });
             }));
  });
  EXPECT_EQ(r.scalar("y"), 36 + 9 * 6);
}

TEST(Scan, MayReturnACapturedValueOrItsOwnState) {
  auto r = over({1, 2}, [](Trace& t, Tensor x) {
    Tensor total = sum(x);
    auto [last, ys] = scan(zeros({}), x, [&](Tensor s, Tensor) { return std::pair(total, s); });
    t.output("last", last);
    t.output("ys", ys);
  });
  EXPECT_EQ(r.scalar("last"), 3);
  EXPECT_EQ(r.at("ys").data, (Numbers{0, 3}));
}

TEST(Scan, ParametersAreCapturedOnce) {
  Model m(f64);
  Param w = m.param("w", {}, init::constant(3));
  Function function("f", m, [&](Trace& t) {
    t.output("y", scan(zeros({}), t.input("x", {"T"}), [&](Tensor s, Tensor x) { return s + w * x + w; }));
  });
  EXPECT_EQ(function.func.params.size(), 2u);
  EXPECT_EQ(ir::verify(function.func), std::vector<std::string>());
  Reference reference(function, m.init(1));
  reference.set("x", {2}, {1, 2});
  reference.run();
  EXPECT_EQ(reference.scalar("y"), 15);
}

TEST(Repeat, RunsAGivenOrNamedNumberOfTimes) {
  Function function("f", f64, [](Trace& t) {
    auto [last, ys] = repeat(ones({}), "N", [](Tensor s) { return std::pair(2 * s, s); });
    t.output("last", last);
    t.output("ys", ys);
    t.output("fixed", repeat(ones({}), 3, [](Tensor s) { return 3 * s; }));
  });
  Reference reference(function, {});
  reference.run({{"N", 4}});
  EXPECT_EQ(reference.scalar("last"), 16);
  EXPECT_EQ(reference.at("ys").data, (Numbers{1, 2, 4, 8}));
  EXPECT_EQ(reference.scalar("fixed"), 27);
}

TEST(Function, StateSurvivesCalls) {
  Function function("f", f64, [](Trace& t) {
    Pair s = t.state("s", Pair{zeros({}), zeros({})});
    Tensor x = t.input("x", {});
    t.keep("s", Pair{s.a + x, s.a});
    t.output("y", s.b);
  });
  Reference reference(function, {});
  for (double x : {1, 2, 3}) {
    reference.set("x", {}, {x});
    reference.run();
  }
  EXPECT_EQ(reference.scalar("s.0"), 6);
  EXPECT_EQ(reference.scalar("s.1"), 3);
  EXPECT_EQ(reference.scalar("y"), 1);
}

}  // namespace
}  // namespace rondo::test
