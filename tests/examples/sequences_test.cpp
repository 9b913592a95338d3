// The examples that write sequences: spell, numbers, teacher.
#include <fstream>
#include <sstream>

#include "tests/cases.h"
#include "tests/examples/digits_files.h"
#include "tests/examples/example.h"

namespace rondo::testing {
namespace {

double exact(const std::string& text) { return number_after(text, "exact "); }

TEST(Spell, WritesTheWordOfAnImage) {
  const TempDir dir;
  write_digits(dir, 2000);
  const std::string text = run_example("spell --epochs 20 --batch 16 --hidden 128 --data " + dir.file(""));
  EXPECT_GE(exact(text), 94);
  for (const char* how : {"greedy", "sampled", "beam"}) EXPECT_NE(text.find(how), std::string::npos);
}

TEST(Spell, SpellsMnist) {
  const auto mnist = case_path("mnist-10k");
  RONDO_NEED_CASE(mnist);
  EXPECT_GE(exact(run_example("spell --epochs 8 --data " + mnist.string())), 94);
}

TEST(Spell, SaysWhatItNeeds) {
  EXPECT_EQ(run_example("spell", 1),
            "spell: --data is needed: a folder with MNIST's files images-idx3-ubyte and "
            "labels-idx1-ubyte (idx format)\n");
}

/// Of up to three digits, some of whose numbers it has never seen.
TEST(Numbers, AreWrittenInWords) {
  const TempDir dir;
  const std::string plot = dir.file("attention.svg");
  const std::string text =
      run_example("numbers --digits 3 --hidden 64 --batch 32 --updates 1500 --attention dot --plot " + plot);
  EXPECT_GE(exact(text), 95);
  for (const char* how : {"greedy", "sampled", "beam 1"}) EXPECT_NE(text.find(how), std::string::npos);
  std::ostringstream svg;
  svg << std::ifstream(plot).rdbuf();
  EXPECT_TRUE(svg.str().starts_with("<svg "));
}

TEST(Numbers, NoAttentionHasNoPlot) {
  EXPECT_EQ(run_example("numbers --plot a.svg", 1),
            "numbers: --plot shows attention: --attention dot or additive\n");
}

TEST(Teacher, TeachesFasterThanRunningFree) {
  const std::string text = run_example("teacher --steps 400 --updates 150");
  EXPECT_GT(number_after(text, "a taught update is "), 1);
  const std::vector<double> taught = numbers_after(text, "\ntaught "),
                            free = numbers_after(text, "free running ");
  ASSERT_EQ(free.size(), 1u);  // "ms" ends what is read
  EXPECT_GT(free[0], taught.at(0));
}

}  // namespace
}  // namespace rondo::testing
