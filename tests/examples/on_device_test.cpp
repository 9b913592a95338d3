// A device that learns its user's walk from the library alone.
#include "tests/examples/example.h"
#include "tests/runtime/util.h"

namespace rondo::testing {
namespace {

TEST(OnDevice, LearnsItsUsersWalkAndGoesOnFromAFile) {
  TempDir dir;
  const std::string text = run_example("on_device " + dir.file("user.bin"));
  EXPECT_GT(number_after(text, "\n      0 "), 0.05);   // g, before
  EXPECT_LT(number_after(text, "\n      6 "), 0.025);  // after six minutes
  EXPECT_NE(text.find("restored after 3 minutes, it learned the same bits\n"), std::string::npos) << text;
  EXPECT_EQ(read_text(dir.file("user.bin")).size(), 64u + 7744 + 15616 + 128);
}

TEST(OnDevice, StartsFromAModelOfPeople) {
  TempDir dir;
  const std::string weights = " --weights " + dir.file("gait.safetensors");
  const double few = number_after(run_example("gait_train --updates 1" + weights), "others: ");
  const double more = number_after(run_example("gait_train --updates 200" + weights), "others: ");
  EXPECT_GT(few, 0.05);  // g
  EXPECT_LT(more, 0.04);
}

TEST(OnDevice, SaysWhatIsWrong) {
  EXPECT_EQ(run_example("on_device", 1), "usage: on_device FILE\n");
  const std::string text = run_example("on_device /no/such/folder/user.bin", 1);
  EXPECT_NE(text.find("on_device: /no/such/folder/user.bin: cannot write\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace rondo::testing
