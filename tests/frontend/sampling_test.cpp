// Drawing symbols: top-k keeps the k largest, draws follow their probabilities.
#include <gtest/gtest.h>

#include <rondo/rondo.h>
#include <algorithm>
#include <cmath>

#include "support/error.h"
#include "tests/frontend/reference.h"

namespace rondo::test {
namespace {

using Numbers = std::vector<double>;

constexpr int64_t kSymbols = 7;

Function kept_function(DType dtype) {
  return Function("kept", dtype, [](Trace& t) {
    t.output("y", top_k(t.input("x", {"B", kSymbols}), t.input("k", i32, {})));
  });
}

/// Each row with all but its k largest at -1e30.
Numbers largest_of_rows(Numbers x, int64_t k) {
  for (auto row = x.begin(); row != x.end(); row += kSymbols) {
    Numbers sorted(row, row + kSymbols);
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    std::replace_if(
        row, row + kSymbols, [&](double v) { return v < sorted[k - 1]; }, -1e30);
  }
  return x;
}

TEST(TopK, KeepsTheLargestOfEachRow) {
  Numbers x = numbers(3 * kSymbols, 1);
  x[3] = -INFINITY;  // a symbol that a model rules out
  x[9] = 60;         // beside which all others vanish, and count as equal
  Program native = compile(kept_function(f64), {});
  native.resize({{"B", 3}});
  native.set("x", x);
  for (int32_t k = 0; k <= kSymbols; ++k) {  // 0: all
    SCOPED_TRACE("k = " + std::to_string(k));
    native.i32("k")[0] = k;
    native.run();
    Reference reference(kept_function(f64), {});
    reference.set("x", {3, kSymbols}, x);
    reference.set("k", {}, {static_cast<double>(k)});
    reference.run();
    const Numbers kept = array_of(native.buffer("y")).data;
    EXPECT_EQ(kept, reference.at("y").data);
    const Numbers expected = largest_of_rows(x, k ? k : kSymbols);
    for (size_t i = 0; i < x.size(); ++i) {
      if (i / kSymbols != 1) {
        EXPECT_EQ(kept[i], expected[i]) << i;
      }
    }
    EXPECT_EQ(kept[9], 60);
  }
}

TEST(TopK, RefusesNumbersOutOfRange) {
  Program native = compile(kept_function(f32), {});
  native.resize({{"B", 1}});
  for (int32_t k : {-3, 8}) {
    native.i32("k")[0] = k;
    try {
      native.run();
      ADD_FAILURE() << "no error";
    } catch (const Error& e) {
      EXPECT_EQ(std::string(e.what()), "k: " + std::to_string(k) + " at [] is outside [0,8)");
    }
  }
}

/// Writes whatever the logits of its one parameter say, each symbol apart from those before.
struct Dice : Model {
  Param logits = param("logits", {kSymbols});
  Tensor initial(Dim batch) const { return zeros({std::move(batch)}); }
  std::pair<Tensor, Tensor> step(const Tensor& s, Tensor) const {
    return {s, expand(logits.tensor(), 0, s.dim(0))};
  }
};

TEST(TopK, GenerateDrawsAmongTheLikeliest) {
  const Dice dice;
  Weights weights = dice.init(1);
  const float logits[] = {0.5, -1, 1.5, 0, 2, -2, 1};
  std::ranges::copy(logits, weights.at("logits").as<float>().begin());
  Program generate = compile(generate_function(dice), weights);
  const int64_t draws = 20000;
  generate.resize({{"P", 1}, {"N", draws}, {"B", 1}});
  EXPECT_EQ(generate.i32("top_k")[0], 0);
  generate.i32("top_k")[0] = 3;
  generate.f32("temperature")[0] = 0.5;
  generate.run();
  std::vector<double> seen(kSymbols);
  for (int32_t id : generate.i32("ids")) seen[id] += 1.0 / draws;
  const double total = std::exp(2 * 2.0) + std::exp(2 * 1.5) + std::exp(2 * 1.0);
  for (int i = 0; i < kSymbols; ++i) {
    const double expected = logits[i] >= 1 ? std::exp(2 * logits[i]) / total : 0;
    EXPECT_NEAR(seen[i], expected, expected * 0.05) << i;
  }
}

}  // namespace
}  // namespace rondo::test
