#include <cmath>

#include "tests/examples/example.h"
#include "tests/runtime/util.h"

namespace rondo::testing {
namespace {

TEST(Gradients, VanishAndExplodeAndAreCured) {
  const TempDir dir;
  const std::string text =
      run_example("gradients --distance 30 --updates 1000 --svg " + dir.file("plot.svg"));
  const size_t loss = text.find("the loss\n"), trained = text.find("Trained");
  ASSERT_TRUE(loss != text.npos && trained != text.npos) << text;

  const std::vector<double> far = numbers_after(text.substr(0, loss), "\n       30");
  ASSERT_EQ(far.size(), 6u) << text;
  EXPECT_NEAR(far[0] / std::pow(0.8, 30), 1, 0.05) << "W^k = Q diag(lambda^k) Q'";
  EXPECT_NEAR(far[1], 1, 0.05);
  EXPECT_NEAR(far[2] / std::pow(1.2, 30), 1, 0.05);
  EXPECT_LT(far[3], far[0]) << "tanh makes them smaller still";

  const std::vector<double> losses = numbers_after(text.substr(0, trained), "\n      999");
  ASSERT_EQ(losses.size(), 2u) << text;
  EXPECT_TRUE(std::isnan(losses[0]));
  EXPECT_LT(losses[1], 0.05);

  const std::vector<double> norms = numbers_after(text.substr(trained), "\n       15"),
                            errors = numbers_after(text, "\n     loss");
  ASSERT_TRUE(norms.size() == 3 && errors.size() == 3) << text;
  EXPECT_LT(norms[0], 1e-4);
  EXPECT_GT(errors[0], 0.05);
  for (const int gated : {1, 2}) {
    EXPECT_GT(norms[gated], 0.01);
    EXPECT_LT(errors[gated], 0.02);
  }
  EXPECT_NE(read_text(dir.file("plot.svg")).find(">clipped to 1</text>"), std::string::npos);
}

}  // namespace
}  // namespace rondo::testing
