#include "tests/cases.h"
#include "tests/examples/digits_files.h"
#include "tests/examples/example.h"

namespace rondo::testing {
namespace {

double right(const std::string& text) { return number_after(text, "held out "); }

TEST(Digits, AreReadRowByRow) {
  const TempDir dir;
  write_digits(dir, 2000);
  EXPECT_GE(right(run_example("digits --epochs 16 --batch 16 --hidden 48 --data " + dir.file(""))), 96);
}

TEST(Digits, OfMnistAreReadRowByRow) {
  const auto mnist = case_path("mnist-10k");
  RONDO_NEED_CASE(mnist);
  EXPECT_GE(right(run_example("digits --epochs 2 --data " + mnist.string())), 88);
}

TEST(Digits, SayWhatTheyNeed) {
  EXPECT_EQ(run_example("digits", 1),
            "digits: --data is needed: a folder with MNIST's files images-idx3-ubyte and "
            "labels-idx1-ubyte (idx format)\n");
  EXPECT_EQ(run_example("digits --data /nowhere", 1),
            "digits: /nowhere/images-idx3-ubyte: cannot open: No such file or directory\n");
}

}  // namespace
}  // namespace rondo::testing
