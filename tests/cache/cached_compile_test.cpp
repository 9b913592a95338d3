// Compilation that finds its code on disk.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "codegen/compile.h"
#include "codegen/compiled_code.h"
#include "codegen/target.h"
#include "ir/text.h"
#include "support/error.h"
#include "tests/runtime/util.h"
#include "tests/support/environment.h"
#include "tests/support/execute.h"

namespace rondo::test {
namespace {

namespace fs = std::filesystem;
using codegen::CompileOptions;
using rondo::testing::TempDir;

/// Rows of a table, an argument that is updated, scratch memory of a named size: all that a signature may
/// say.
std::string text(const std::string& name = "sums", const std::string& number = "0.5") {
  return "func @" + name + R"((%table: f32[V,4], %ids: i32[B], %sum: f32[4]) -> (f32[4], f32[B,4]) {
  %rows = gather %table, %ids : f32[B,4]
  %c = const {value=)" +
         number + R"(} : f32[B,4]
  %scaled = mul %rows, %c : f32[B,4]
  %added = reduce_sum %scaled {axes=[0]} : f32[4]
  %next = add %sum, %added : f32[4]
  return %next, %scaled
}
)";
}

class CachedCompile : public ::testing::Test {
 protected:
  /// Whether the code came from the cache.
  static bool hit(const std::string& function, const CompileOptions& options = {}) {
    codegen::CompileTimes times;
    EXPECT_TRUE(codegen::compile(ir::parse(function), options, &times));
    EXPECT_EQ(times.from_cache, times.machine == 0);
    return times.from_cache;
  }
  std::vector<fs::path> entries() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(dir_.file("cache"))) files.push_back(entry.path());
    return files;
  }

  TempDir dir_;
  Environment cache_{"RONDO_CACHE", dir_.file("cache")};
};

std::vector<ir::Array> run(const Executable& code) {
  const std::vector<ir::Array> inputs = {{DType::f32, {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}},
                                         {DType::i32, {3}, {1, 0, 1}},
                                         {DType::f32, {4}, {1, 1, 1, 1}}};
  const std::vector<std::vector<int64_t>> shapes = {{4}, {3, 4}};
  return execute(code, inputs, shapes, {{"V", 2}, {"B", 3}});
}

TEST_F(CachedCompile, GivesTheSameFunction) {
  const CompileOptions options{.aliases = {{2, 0}}, .outputs = {"total", "scaled"}};
  const auto fresh = codegen::compile(ir::parse(text()), options);
  codegen::CompileTimes times;
  const auto kept = codegen::compile(ir::parse(text()), options, &times);
  ASSERT_TRUE(times.from_cache);
  EXPECT_EQ(times.lower + times.emit + times.optimize + times.machine, 0);
  const Signature &a = fresh->signature(), &b = kept->signature();
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.dims, b.dims);
  ASSERT_EQ(a.inputs.size(), b.inputs.size());
  ASSERT_EQ(a.outputs.size(), b.outputs.size());
  for (size_t i = 0; i < a.inputs.size(); ++i) {
    EXPECT_EQ(a.inputs[i].name, b.inputs[i].name);
    EXPECT_EQ(a.inputs[i].dtype, b.inputs[i].dtype);
    EXPECT_EQ(a.inputs[i].shape, b.inputs[i].shape);
  }
  EXPECT_EQ(b.outputs[0].name, "total");
  ASSERT_EQ(b.aliases.size(), 1u);
  EXPECT_EQ(b.aliases[0].input, 2u);
  ASSERT_EQ(b.bounds.size(), 1u);
  EXPECT_EQ(b.bounds[0].input, 1u);
  EXPECT_EQ(b.bounds[0].bound, a.bounds[0].bound);
  const std::vector<int64_t> dims = {3, 5};
  EXPECT_EQ(fresh->scratch_bytes(dims.data()), kept->scratch_bytes(dims.data()));
  const auto expected = run(*fresh), actual = run(*kept);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(expected[i].data, actual[i].data);
  EXPECT_EQ(expected[0].data, (std::vector<double>{6.5, 8, 9.5, 11}));
}

TEST_F(CachedCompile, MissesWhereAnyPartOfTheKeyDiffers) {
  EXPECT_FALSE(hit(text()));
  EXPECT_TRUE(hit(text()));
  EXPECT_FALSE(hit(text("other")));
  EXPECT_FALSE(hit(text("sums", "0.50000001")));
  std::string renamed = text();
  renamed.replace(renamed.find("%ids"), 4, "%idx");
  renamed.replace(renamed.find("%ids"), 4, "%idx");
  EXPECT_FALSE(hit(renamed));
  EXPECT_FALSE(hit(text(), {.outputs = {"a", "b"}}));
  EXPECT_FALSE(hit(text(), {.outputs = {"a", "c"}}));
  EXPECT_FALSE(hit(text(), {.aliases = {{2, 0}}}));
  const codegen::Target host = codegen::target_for();
  EXPECT_TRUE(hit(text(), {.cpu = host.cpu, .features = host.features}));
  EXPECT_FALSE(hit(text(), {.cpu = host.cpu}));
  EXPECT_FALSE(hit(text(), {.bound_rows = false}));
  {
    const Environment skip("RONDO_SKIP", "by-points");
    EXPECT_FALSE(hit(text()));
    EXPECT_TRUE(hit(text()));
  }
  EXPECT_TRUE(hit(text()));
  EXPECT_EQ(entries().size(), 10u);
}

TEST_F(CachedCompile, OptionsThatOnlyLookAtTheCodeMakeItAnew) {
  EXPECT_FALSE(hit(text()));
  EXPECT_FALSE(hit(text(), {.dump_dir = dir_.file("dump")}));
  EXPECT_TRUE(fs::exists(dir_.file("dump/sums/32.s")));
  EXPECT_TRUE(hit(text()));
}

TEST_F(CachedCompile, CompilesAnewWhereTheEntryIsDamaged) {
  EXPECT_FALSE(hit(text()));
  const fs::path file = entries().at(0);
  const auto size = static_cast<std::streamoff>(fs::file_size(file));
  for (std::streamoff at = 0; at < size; at += std::max<std::streamoff>(1, size / 7)) {
    std::fstream io(file, std::ios::binary | std::ios::in | std::ios::out);
    io.seekg(at);
    const char byte = static_cast<char>(io.get() ^ 0x40);
    io.seekp(at);
    io.put(byte).flush();
    EXPECT_FALSE(hit(text())) << "byte " << at;
    EXPECT_TRUE(hit(text()));
  }
  for (const char* bytes : {"", "garbage"}) {
    std::ofstream(file, std::ios::trunc) << bytes;
    EXPECT_FALSE(hit(text()));
    EXPECT_TRUE(hit(text()));
  }
  EXPECT_EQ(entries().size(), 1u);
}

TEST_F(CachedCompile, WorksWithoutAFolderThatItCanWrite) {
  const Environment nowhere("RONDO_CACHE", "/proc/rondo");
  EXPECT_FALSE(hit(text()));
  EXPECT_FALSE(hit(text()));
  const auto expected = run(*codegen::compile(ir::parse(text())));
  EXPECT_EQ(expected[0].data, (std::vector<double>{6.5, 8, 9.5, 11}));
}

TEST_F(CachedCompile, ServesProcessesThatStartTogether) {
  std::vector<pid_t> children;
  for (int p = 0; p < 4; ++p) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    bool good = true;
    for (int round = 0; round < 2; ++round)
      for (const char* number : {"0.5", "0.25"}) {
        const auto out = run(*codegen::compile(ir::parse(text("sums", number))));
        good &= out[1].data[0] == 5 * std::stod(number);
      }
    ::_exit(good ? 0 : 1);
  }
  for (const pid_t child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_TRUE(hit(text()));
  EXPECT_EQ(entries().size(), 2u);
}

TEST(CompiledCode, OtherBytesAreRefused) {
  codegen::CompiledCode code;
  code.signature.name = "f";
  code.signature.inputs = {{"x", DType::i32, {{3, -1}, {0, 0}}}};
  code.object = "object";
  const std::string bytes = codegen::to_bytes(code);
  EXPECT_EQ(codegen::compiled_code(bytes).signature.inputs[0].shape, code.signature.inputs[0].shape);
  EXPECT_EQ(codegen::compiled_code(bytes).object, "object");
  for (size_t i = 0; i < bytes.size(); ++i)
    EXPECT_THROW(codegen::compiled_code(bytes.substr(0, i)), InternalError);
  EXPECT_THROW(codegen::compiled_code(bytes + "x"), InternalError);
}

}  // namespace
}  // namespace rondo::test
