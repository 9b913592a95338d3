// Firmware that names gestures: on the host, and on a Cortex-M4F under qemu.
#include "codegen/target.h"
#include "tests/examples/example.h"
#include "tests/runtime/util.h"

namespace rondo::testing {
namespace {

TEST(Gesture, FirmwareNamesGestures) {
  const std::string text = run_example("gesture_firmware");
  const size_t line = text.rfind("\n", text.size() - 2) + 1;
  EXPECT_GE(std::atoi(text.c_str() + line), 190) << text;
  EXPECT_NE(text.find(" of 200 right; bits of all outputs: "), std::string::npos) << text;
}

TEST(Gesture, IsTrainedOnOtherHands) {
  TempDir dir;
  const std::string text =
      run_example("gesture_train --updates 1000 --weights " + dir.file("gesture.safetensors"));
  EXPECT_GT(number_after(text, "of 5000 others "), 70) << text;  // percent; 98 after 4000 updates
}

TEST(Gesture, ABoardGivesTheBitsOfTheHost) {
  if (!std::filesystem::exists(RONDO_GESTURE_ELF)) GTEST_SKIP() << "no clang or lld when this was built";
  if (shell("command -v qemu-system-arm").code != 0) GTEST_SKIP() << "no qemu-system-arm";
  const Outcome board = shell(
      "timeout 60 qemu-system-arm -M mps2-an386 -display none -monitor none -serial none"
      " -semihosting-config enable=on,target=native -kernel " RONDO_GESTURE_ELF);
  EXPECT_EQ(board.code, 0) << board.text;
  const size_t memory = board.text.find("flash ");
  ASSERT_NE(memory, std::string::npos) << board.text;
  if (codegen::target_for().fma) {
    EXPECT_EQ(board.text.substr(0, memory), run_example("gesture_firmware"));
  }
  EXPECT_LT(number_after(board.text, "flash "), 24'000);  // bytes
  EXPECT_LT(number_after(board.text, "RAM "), 1'000);
  EXPECT_LT(number_after(board.text, "stack "), 2'000);
}

}  // namespace
}  // namespace rondo::testing
