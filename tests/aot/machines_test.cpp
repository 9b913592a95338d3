// Libraries for other machines, run under emulators: the self-test passes there, mostly with the bits of the
// host.
#include <gtest/gtest.h>

#include "codegen/target.h"
#include "tests/aot/amp_model.h"

namespace rondo {
namespace {

using testing::error_of;
using testing::read_text;
using testing::TempDir;
using namespace test;

/// Code of other machines can be made here, if not run: what it would need of a library is an error.
TEST(Library, IsMadeForOtherMachines) {
  TempDir dir;
  Amp amp;
  std::vector<Function> functions = streaming(amp);
  functions.push_back(training(amp));
  std::vector<std::string> targets = {"aarch64", "armv7",     "riscv64",  "riscv64v",
                                      "wasm32",  "thumbv7em", "x86-64-v3"};
  export_library(functions, amp.init(1), options_for(dir, "amp", targets));
  targets.back() = "x86-64";
  for (const std::string& target : targets) {
    EXPECT_EQ(read_text(dir.file(target + "/libamp.a")).substr(0, 8), "!<arch>\n") << target;
    // What linkers of WebAssembly make by themselves, a memory and its stack, has no name elsewhere.
    EXPECT_EQ(
        shell(dir, std::string(RONDO_LLVM_BIN) + "/llvm-nm --undefined-only --just-symbol-name " + target +
                       "/libamp.a | grep -vE '^(amp.o:|__linear_memory|__stack_pointer|)$' > undefined; "
                       "! grep . undefined"),
        "")
        << target;
  }
  EXPECT_EQ(error_of([&] {
              export_library(streaming(amp), amp.init(1),
                             options_for(dir, "amp", {"thumbv7em-none-eabi:cortex-m3"}));
            }).find("rondo: target thumbv7em-none-eabi:cortex-m3: its CPU has no instructions for"),
            0u);
}

struct Machine {
  const char *name, *targets, *triple, *flags, *emulator;
  bool fma;  // same bits as the host
};

void PrintTo(const Machine& m, std::ostream* out) { *out << m.name; }

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> items(1);
  for (char c : text)
    if (c == ',')
      items.emplace_back();
    else
      items.back() += c;
  return items;
}

bool there_is(const Machine& m) {
  const std::string emulator = m.emulator;
  return std::system(("command -v " + emulator.substr(0, emulator.find(' ')) + " > /dev/null").c_str()) == 0;
}

std::string link_selftest(const TempDir& dir, const Machine& m, const std::string& define) {
  const std::string compile = std::string("clang --target=") + m.triple + " " + m.flags +
                              " -O1 -ffreestanding -fno-pic -fno-stack-protector -fomit-frame-pointer"
                              " -DAMP_SELFTEST_NO_MAIN -I. " +
                              define;
  return shell(dir, compile + "-c amp_selftest.c -o test.o && " + compile +
                        "-c '" RONDO_SAMPLES
                        "/start.c' -o start.o && ld.lld -static start.o test.o libamp.a -o test");
}

class Machines : public ::testing::TestWithParam<Machine> {
 protected:
  /// Steps, runs and trains.
  void export_to(const TempDir& dir, const std::string& targets) {
    Amp amp;
    std::vector<Function> functions = streaming(amp);
    functions.push_back(training(amp));
    export_library(functions, amp.init(1), options_for(dir, "amp", split(targets)));
  }
};

TEST_P(Machines, PassTheSelfTest) {
  const Machine& m = GetParam();
  if (!there_is(m)) GTEST_SKIP() << "no " << m.emulator;
  TempDir dir;
  export_to(dir, m.targets);
  const bool exact = m.fma && codegen::target_for().fma;
  ASSERT_EQ(link_selftest(dir, m, exact ? "-DAMP_SELFTEST_EXACT " : ""), "");
  EXPECT_EQ(shell(dir, std::string(m.emulator) + " ./test"), "");
}

/// The emulated CPU does lack what the library's choice of a level is there for.
TEST(Nehalem, EndsWhereItMeetsCodeOfALaterLevel) {
  const Machine old{"nehalem", "", "x86_64-linux-gnu", "", "qemu-x86_64-static -cpu Nehalem", false};
  if (!there_is(old)) GTEST_SKIP() << "no " << old.emulator;
  TempDir dir;
  Amp amp;
  export_library(streaming(amp), amp.init(1), options_for(dir, "amp", {"x86-64-v3"}));
  ASSERT_EQ(link_selftest(dir, old, ""), "");
  EXPECT_NE(shell(dir, std::string(old.emulator) + " ./test").find("Illegal instruction"), std::string::npos);
}

// The 64-bit RISC-V of the C side is the plain one: what it calls has the same conventions with vectors.
INSTANTIATE_TEST_SUITE_P(
    Under, Machines,
    ::testing::Values(
        Machine{"aarch64", "aarch64", "aarch64-linux-gnu", "", "qemu-aarch64-static", true},
        Machine{"armv7", "armv7", "armv7-linux-gnueabihf", "-mfpu=neon-vfpv4", "qemu-arm-static", true},
        Machine{"thumbv7em", "thumbv7em", "armv7em-none-eabihf", "-mcpu=cortex-m4 -mfloat-abi=hard -mthumb",
                "qemu-arm-static", true},
        Machine{"riscv64", "riscv64", "riscv64-linux-gnu", "-march=rv64gc -mabi=lp64d -mno-relax",
                "qemu-riscv64-static", true},
        Machine{"riscv64v", "riscv64v", "riscv64-linux-gnu", "-march=rv64gc -mabi=lp64d -mno-relax",
                "qemu-riscv64-static -cpu rv64,v=true,vlen=128,vext_spec=v1.0", true},
        // The levels that a CPU lacks are not run: they would end in an illegal instruction.
        Machine{"nehalem", "x86-64-v2,x86-64-v3,x86-64-v4", "x86_64-linux-gnu", "",
                "qemu-x86_64-static -cpu Nehalem", false},
        Machine{"haswell", "x86-64-v2,x86-64-v3,x86-64-v4", "x86_64-linux-gnu", "",
                "qemu-x86_64-static -cpu Haswell", true}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace rondo
