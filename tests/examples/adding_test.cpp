#include "tests/examples/example.h"
#include "tests/runtime/util.h"

namespace rondo::testing {
namespace {

TEST(Adding, IsLearntByGrusAndNotByAnRnn) {
  const TempDir dir;
  const std::string text =
      run_example("adding --steps 50 --updates 800 --hidden 32 --svg " + dir.file("plot.svg"));
  const std::string last = " update    800  error ";
  EXPECT_GT(number_after(text, "RNN               " + last), 0.14) << "knowing nothing is 1/6";
  EXPECT_LT(number_after(text, "GRU, reset before " + last), 0.01);
  EXPECT_LT(number_after(text, "GRU, reset after  " + last), 0.01);
}

}  // namespace
}  // namespace rondo::testing
