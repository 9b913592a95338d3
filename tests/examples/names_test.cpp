#include <random>

#include "tests/cases.h"
#include "tests/examples/example.h"
#include "tests/runtime/util.h"

namespace rondo::testing {
namespace {

/// Three languages that have the same letters; in each, other letters follow a vowel.
void write_names(const TempDir& dir) {
  std::mt19937 random(1);
  const std::string vowels = "aeiou", consonants = "bdfgklmnprst";
  for (size_t language = 0; language < 3; ++language) {
    std::string names;
    for (int i = 0; i < 500; ++i) {
      for (size_t syllables = 2 + random() % 4; syllables > 0; --syllables) {
        const size_t vowel = random() % 5;
        names += vowels[vowel];
        names += consonants[(5 * vowel + 4 * language + random() % 6) % 12];
      }
      names += '\n';
    }
    write_text(dir.file("language" + std::to_string(language) + ".txt"), names);
  }
}

void expect_right(const std::string& text, double least) {
  const size_t mean = text.find("by the mean of the states:");
  ASSERT_NE(mean, text.npos) << text;
  EXPECT_GE(number_after(text.substr(0, mean), "held out "), least) << text;
  EXPECT_GE(number_after(text, "held out "), least) << text;
}

TEST(Names, TellTheirLanguage) {
  const TempDir dir;
  write_names(dir);
  const std::string text = run_example("names --epochs 10 --batch 32 --data " + dir.file("") + " abacabad");
  expect_right(text, 80);
  EXPECT_NE(text.find("  abacabad: language"), text.npos) << text;
}

TEST(Names, OfEighteenLanguages) {
  const auto names = case_path("corpora/names");
  RONDO_NEED_CASE(names);
  expect_right(run_example("names --epochs 1 --data " + names.string()), 68);
}

TEST(Names, SayWhatTheyNeed) {
  const std::string needed =
      "a folder with a file for each language, <language>.txt, a surname a line (UTF-8)\n";
  EXPECT_EQ(run_example("names", 1), "names: --data is needed: " + needed);
  EXPECT_EQ(run_example("names --data /nowhere", 1),
            "names: --data `/nowhere` is no folder: needed is " + needed);
}

}  // namespace
}  // namespace rondo::testing
