#include "runtime/safetensors.h"

#include <cstring>
#include <random>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <csignal>

#include "tests/runtime/util.h"

namespace rondo {
namespace {

using testing::error_of;
using testing::read_text;
using testing::TempDir;
using testing::write_text;

/// A file with this header and `data` bytes after it.
std::string file_text(const std::string& header, const std::string& data = "") {
  const uint64_t length = header.size();
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  return text + header + data;
}

Weights sample() {
  Weights w;
  for (float x = 1; float& v : w.get("z.f32", DType::f32, {2, 3}).as<float>()) v = x++;
  w.get("a.f64", DType::f64, {}).as<double>()[0] = 0.1;
  w.get("m.i32", DType::i32, {2}).as<int32_t>()[1] = -5;
  static_cast<uint8_t*>(w.get("k.pred", DType::pred, {3}).data())[2] = 1;
  w.get("empty", DType::f32, {0, 4});
  return w;
}

TEST(Safetensors, RoundTripKeepsEveryBit) {
  TempDir dir;
  const Weights w = sample();
  w.save(dir.file("w"), {{"step", "17"}, {"note", "\"quoted\"\n"}});
  Metadata metadata;
  const Weights back = Weights::load(dir.file("w"), &metadata);
  EXPECT_EQ(metadata, (Metadata{{"step", "17"}, {"note", "\"quoted\"\n"}}));
  ASSERT_EQ(back.all().size(), w.all().size());
  for (const auto& [name, buffer] : w.all()) {
    const Buffer& other = back.at(name);
    EXPECT_EQ(other.dtype(), buffer.dtype()) << name;
    EXPECT_EQ(other.shape(), buffer.shape()) << name;
    EXPECT_EQ(std::memcmp(other.data(), buffer.data(), buffer.bytes()), 0) << name;
  }
  EXPECT_EQ(dir.entries(), 1u);
}

TEST(Safetensors, WritesWhatTheFormatSays) {
  TempDir dir;
  Weights w;
  w.get("b", DType::f32, {2});
  w.get("a", DType::pred, {1});
  w.save(dir.file("w"), {{"k", "v"}});
  std::string header =
      R"({"__metadata__":{"k":"v"},"a":{"data_offsets":[0,1],"dtype":"BOOL","shape":[1]},"b":{"data_offsets":[1,9],"dtype":"F32","shape":[2]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(read_text(dir.file("w")), file_text(header, std::string(9, '\0')));
}

TEST(Safetensors, ReadsI64ThatFits) {
  TempDir dir;
  const int64_t values[] = {-3, 2147483647};
  std::string data(reinterpret_cast<const char*>(values), sizeof values);
  const std::string header = R"({"n":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}})";
  write_text(dir.file("w"), file_text(header, data));
  const Weights w = Weights::load(dir.file("w"));
  EXPECT_EQ(w.at("n").as<int32_t>()[0], -3);
  EXPECT_EQ(w.at("n").as<int32_t>()[1], 2147483647);
  data[12] = 1;
  write_text(dir.file("w"), file_text(header, data));
  EXPECT_EQ(error_of([&] { Weights::load(dir.file("w")); }),
            dir.file("w") + ": not a safetensors file: tensor n: 6442450943 at index 1 does not fit i32");
}

struct Malformed {
  std::string text, reason;
};

TEST(Safetensors, RefusesMalformedFiles) {
  TempDir dir;
  const std::string d8(8, '\0');
  const std::string nested = "{\"a\":" + std::string(1'000'000, '[');
  const std::vector<Malformed> cases = {
      {"", "0 bytes are too few for a header"},
      {"1234567", "7 bytes are too few for a header"},
      {std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10),
       "a header of 18446744073709551615 bytes does not fit the file of 10 bytes"},
      {std::string("\x03\0\0\0\0\0\0\0{}", 10), "a header of 3 bytes does not fit the file of 10 bytes"},
      {file_text(""), "malformed JSON at byte 1 of the header"},
      {file_text("{\"a\":"), "malformed JSON at byte 6 of the header"},
      {file_text("{} {}"), "malformed JSON at byte 4 of the header"},
      {file_text("[1]"), "the header is an array, not an object"},
      {file_text("7"), "the header is a number, not an object"},
      {file_text(nested), "tensor a is an array, not an object"},
      {file_text(R"({"a":{"dtype":"F32","shape":[[2]],"data_offsets":[0,8]}})", d8),
       "tensor a: unexpected an array at shape"},
      {file_text(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", d8),
       "tensor a: unexpected a negative number at shape"},
      {file_text(R"({"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}})", d8),
       "tensor a: unexpected a fraction at shape"},
      {file_text(R"({"a":{"dtype":"F32","shape":null,"data_offsets":[0,8]}})", d8),
       "tensor a: unexpected null at shape"},
      {file_text(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"order":"C"}})", d8),
       "tensor a: unexpected a string at order"},
      {file_text(R"({"__metadata__":{"k":3}})"), "metadata k is a number, not a string"},
      {file_text(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", d8), "tensor a: has no dtype"},
      {file_text(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", d8), "tensor a: has no shape"},
      {file_text(R"({"a":{"dtype":"F32","shape":[2]}})", d8), "tensor a: has no data_offsets"},
      {file_text(R"({"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}})", d8),
       "tensor a: dtype F16 is none of F32, F64, I32, I64, BOOL"},
      {file_text(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", d8),
       "tensor a: data_offsets are 1 numbers, not 2"},
      {file_text(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", d8),
       "tensor a: data_offsets [8,0] are outside the 8 bytes of data"},
      {file_text(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})", d8),
       "tensor a: data_offsets [0,12] are outside the 8 bytes of data"},
      {file_text(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", d8),
       "tensor a: f32[3] takes 12 bytes, but data_offsets hold 8"},
      {file_text(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})"),
       "tensor a: the shape is too large"},
      {file_text(R"({"a":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}})"),
       "tensor a: the shape is too large"},
      {file_text(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", d8),
       "tensor a: gap at byte 4 of the data"},
      {file_text(
           R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
           d8),
       "tensor b: overlap at byte 4 of the data"},
      {file_text(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", d8),
       "8 bytes of data, but the tensors take 4"},
      {file_text(
           R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
           d8),
       "tensor a is there twice"},
      {file_text(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", d8),
       "key dtype is there twice"},
      {file_text(R"({"a":{"dtype":"BOOL","shape":[8],"data_offsets":[0,8]}})", "1111\1\1\1\1"),
       "tensor a: a BOOL is neither 0 nor 1"},
  };
  const std::string path = dir.file("bad");
  for (const auto& [text, reason] : cases) {
    write_text(path, text);
    EXPECT_EQ(error_of([&] { Weights::load(path); }), path + ": not a safetensors file: " + reason);
  }
}

// Any prefix of a good file and any single damaged byte gives an Error or a file that reads: never a crash
// (the sanitizers see the rest).
TEST(Safetensors, SurvivesDamage) {
  TempDir dir;
  sample().save(dir.file("good"), {{"k", "v"}});
  const std::string good = read_text(dir.file("good")), path = dir.file("bad");
  for (size_t length = 0; length < good.size(); ++length) {
    write_text(path, good.substr(0, length));
    EXPECT_NE(error_of([&] { Weights::load(path); }), "");
  }
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) {
    std::string bad = good;
    bad[random() % bad.size()] = static_cast<char>(random());
    write_text(path, bad);
    try {
      Weights::load(path);
    } catch (const Error&) {
    }
  }
}

TEST(Safetensors, RefusesWhatIsNoFile) {
  TempDir dir;
  EXPECT_EQ(error_of([&] { Weights::load(dir.file("none")); }),
            dir.file("none") + ": cannot open: No such file or directory");
  EXPECT_EQ(error_of([&] { Weights::load("/dev/zero"); }), "/dev/zero: is not a regular file");
  ASSERT_EQ(::mkfifo(dir.file("fifo").c_str(), 0600), 0);
  EXPECT_EQ(error_of([&] { Weights::load(dir.file("fifo")); }), dir.file("fifo") + ": is not a regular file");
  EXPECT_EQ(error_of([&] { sample().save(dir.file("no/w")); }),
            dir.file("no/w") + ": cannot create: No such file or directory");
  EXPECT_EQ(error_of([&] {
              sample().save(dir.file("w"), {{"k", "\xff"}});
            }),
            dir.file("w") + ": cannot write: a name or a piece of metadata is not UTF-8");
}

// A file size limit stands in for the full disk: write() fails after some bytes in both.
TEST(Safetensors, AFullDiskLeavesTheOldFile) {
  TempDir dir;
  const std::string path = dir.file("w");
  sample().save(path);
  const std::string old = read_text(path);
  Weights large;
  large.get("large", DType::f32, {10'000});

  struct rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  struct rlimit limit = before;
  limit.rlim_cur = 20'000;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const std::string error = error_of([&] { large.save(path); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);

  EXPECT_EQ(error, path + ": cannot write: File too large");
  EXPECT_EQ(read_text(path), old);
  EXPECT_EQ(dir.entries(), 1u);
}

}  // namespace
}  // namespace rondo
