// What examples share: files of digits, and plots.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <random>
#include <string>

#include "examples/support/idx.h"
#include "examples/support/svg.h"
#include "support/error.h"
#include "tests/runtime/util.h"

namespace examples {
namespace {

using namespace std::string_literals;
using rondo::testing::TempDir;
using rondo::testing::write_text;

class IdxFiles : public ::testing::Test {
 protected:
  /// What read_idx says of a file of these bytes; empty if it reads it.
  std::string error_of(const std::string& bytes) const {
    write_text(dir_.file("file"), bytes);
    return outcome([&] { read_idx(dir_.file("file")); });
  }
  std::string digits_error(const std::string& images, const std::string& labels) const {
    write_text(dir_.file("images-idx3-ubyte"), images);
    write_text(dir_.file("labels-idx1-ubyte"), labels);
    return outcome([&] { read_digits(dir_.file("")); });
  }
  static std::string outcome(const std::function<void()>& action) {
    try {
      action();
      return "";
    } catch (const rondo::Error& error) {
      return error.what();
    }
  }

  const std::string images_ = "\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03"s + "abcdef";
  const std::string labels_ = "\0\0\x08\x01\0\0\0\x02"s + "\x07\x09"s;
  TempDir dir_;
};

TEST_F(IdxFiles, ImagesAndLabels) {
  EXPECT_EQ(digits_error(images_, labels_), "");
  const Digits digits = read_digits(dir_.file(""));
  EXPECT_EQ(digits.count, 2);
  EXPECT_EQ(digits.rows, 1);
  EXPECT_EQ(digits.columns, 3);
  EXPECT_EQ(std::string(digits.image(1).begin(), digits.image(1).end()), "def");
  EXPECT_EQ(digits.labels, (std::vector<uint8_t>{7, 9}));
}

TEST_F(IdxFiles, SaysWhatIsWrong) {
  EXPECT_NE(error_of("").find("ends at byte 0"), std::string::npos);
  EXPECT_NE(error_of("\0\0\x0d\x01\0\0\0\x01"s).find("no idx file of bytes: starts with 00 00 0d"),
            std::string::npos);
  EXPECT_NE(error_of("\0\0\x08\xff\0\0\0\x01"s).find("ends at byte 8"), std::string::npos);
  EXPECT_NE(error_of(images_ + "g").find("elements of [2,1,3]"), std::string::npos);
  EXPECT_NE(error_of(images_.substr(0, 20)).find("20 bytes"), std::string::npos);
  const std::string huge = "\xff\xff\xff\xff"s;
  EXPECT_NE(error_of("\0\0\x08\x03"s + huge + huge + huge).find("elements of"), std::string::npos);
  EXPECT_NE(digits_error(labels_, labels_).find("is not [count,rows,columns]"), std::string::npos);
  EXPECT_NE(digits_error(images_, "\0\0\x08\x01\0\0\0\x01\x07"s).find("[1], beside 2 images"),
            std::string::npos);
  EXPECT_NE(digits_error(images_, "\0\0\x08\x01\0\0\0\x02\x07\x0a"s).find("label 1 is 10"),
            std::string::npos);
  std::filesystem::remove(dir_.file("images-idx3-ubyte"));
  EXPECT_THROW(read_digits(dir_.file("")), rondo::Error);
}

TEST_F(IdxFiles, RandomBytesAreReadOrRefused) {
  std::mt19937 random(1);
  int read = 0;
  for (int i = 0; i < 300; ++i) {
    std::string bytes = images_.substr(0, random() % (images_.size() + 1));
    for (size_t changes = random() % 3; changes > 0 && !bytes.empty(); --changes)
      bytes[random() % bytes.size()] = static_cast<char>(random() % 4);
    read += error_of(bytes).empty();
  }
  EXPECT_GT(read, 2);
  EXPECT_LT(read, 150);
}

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

TEST(Plots, HaveALineAndALegendForEachSeries) {
  LinePlot plot{"a < b & c", "steps", "loss", false, false, {}};
  plot.series = {{"one", {{0, 0}, {1, 1}}}, {"two", {{0, 1}, {1, 0}, {2, 0.5}}}};
  const std::string svg = draw({plot, plot}).to_string();
  EXPECT_EQ(count(svg, "class=\"s0\""), 4u);
  EXPECT_EQ(count(svg, "class=\"s1\""), 4u);
  EXPECT_EQ(count(svg, ">one</text>"), 2u);
  EXPECT_EQ(count(svg, "a &lt; b &amp; c"), 2u);
  EXPECT_NE(svg.find("prefers-color-scheme: dark"), std::string::npos);
  for (const char* tick : {">0</text>", ">0.5</text>", ">1</text>", ">2</text>"})
    EXPECT_NE(svg.find(tick), std::string::npos) << tick;
}

TEST(Plots, ALogScaleHasPowersOfTenAndLeavesOutWhatItCannotShow) {
  LinePlot plot{"", "", "", true, true, {{"g", {{0, 1}, {1, 1e-9}, {2, 0}, {3, -1}, {4, NAN}}}}};
  const std::string svg = draw({plot}).to_string();
  EXPECT_NE(svg.find(">10⁰</text>"), std::string::npos);
  EXPECT_NE(svg.find(">10⁻⁸</text>"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  const size_t line = svg.find("class=\"s0\""), points = svg.find("points=\"", line) + 8;
  EXPECT_EQ(count(svg.substr(points, svg.find('"', points) - points), ","), 2u);
}

TEST(Plots, NothingAndASinglePointArePlots) {
  const std::string svg = draw({{}, {"", "", "", true, false, {{"p", {{1, 5}}}}}}).to_string();
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_THROW(draw({}).save("/nowhere/plot.svg"), rondo::Error);
}

TEST(Plots, AHeatMapShadesWhatIsToBeSeen) {
  const std::string svg = draw_heat_map({{"4", "2"}, {"a", "b", "<"}, {{1, 0.5, 0}, {0.004, 0, 0.25}}}).to_string();
  EXPECT_EQ(count(svg, "class=\"s0\""), 3u);
  for (const char* shade : {"opacity:1.000", "opacity:0.500", "opacity:0.250"})
    EXPECT_EQ(count(svg, shade), 1u) << shade;
  EXPECT_NE(svg.find(">&lt;</text>"), std::string::npos);
}

}  // namespace
}  // namespace examples
