#include "runtime/checkpoint.h"

#include <gtest/gtest.h>

#include "tests/runtime/util.h"

namespace rondo {
namespace {

using testing::error_of;
using testing::TempDir;
using testing::write_text;

Checkpoint sample(float value, int64_t hidden = 3, int64_t batch = 2) {
  Checkpoint c{.model = "lstm 1x3",
               .weights = {},
               .state = {},
               .notes = {{"updates", "12"}, {"rondo.model", "a note of any name"}}};
  c.weights.get("w", DType::f32, {hidden}).as<float>()[0] = value;
  c.weights.get("adam.step", DType::i32, {}).as<int32_t>()[0] = 12;
  c.state.get("w", DType::f32, {batch, hidden}).as<float>()[1] = -value;
  return c;
}

TEST(Checkpoint, RestoresWeightsStateAndNotes) {
  TempDir dir;
  save_checkpoint(dir.file("c"), sample(5));
  Checkpoint c = sample(0);
  c.notes.clear();
  const float* memory = c.weights.at("w").as<float>().data();
  load_checkpoint(dir.file("c"), c);
  EXPECT_EQ(c.weights.at("w").as<float>().data(), memory);
  EXPECT_EQ(memory[0], 5);
  EXPECT_EQ(c.weights.at("adam.step").as<int32_t>()[0], 12);
  EXPECT_EQ(c.state.at("w").as<float>()[1], -5);
  EXPECT_EQ(c.notes, sample(0).notes);
  std::string model;
  EXPECT_EQ(read_checkpoint_notes(dir.file("c"), &model), c.notes);
  EXPECT_EQ(model, "lstm 1x3");
}

TEST(Checkpoint, RefusesAnotherModelAndChangesNothing) {
  TempDir dir;
  const std::string path = dir.file("c");
  save_checkpoint(path, sample(5));
  const std::string other = path + ": a checkpoint of another model: ";

  Checkpoint c = sample(0);
  c.model = "gru 1x3";
  EXPECT_EQ(error_of([&] { load_checkpoint(path, c); }), other + "`lstm 1x3`, not `gru 1x3`");
  c = sample(0, 4);
  EXPECT_EQ(error_of([&] { load_checkpoint(path, c); }), other + "state/w is f32[2,3], not f32[2,4]");
  c = sample(0, 3, 1);
  EXPECT_EQ(error_of([&] { load_checkpoint(path, c); }), other + "state/w is f32[2,3], not f32[1,3]");
  c = sample(0);
  c.weights.get("b", DType::f32, {1});
  EXPECT_EQ(error_of([&] { load_checkpoint(path, c); }), other + "weights/b f32[1] is missing");
  EXPECT_EQ(c.weights.at("w").as<float>()[0], 0);
}

TEST(Checkpoint, RefusesOtherFiles) {
  TempDir dir;
  Checkpoint c = sample(0);
  c.weights.save(dir.file("w"));
  EXPECT_EQ(error_of([&] { load_checkpoint(dir.file("w"), c); }), dir.file("w") + ": not a checkpoint");
  EXPECT_EQ(error_of([&] { read_checkpoint_notes(dir.file("w")); }), dir.file("w") + ": not a checkpoint");
  c.weights.save(dir.file("v"), {{"rondo.checkpoint", "2"}, {"rondo.model", ""}});
  EXPECT_EQ(error_of([&] { load_checkpoint(dir.file("v"), c); }),
            dir.file("v") + ": a checkpoint of version 2, not 1");
  write_text(dir.file("t"), "some text");
  EXPECT_NE(error_of([&] { load_checkpoint(dir.file("t"), c); }).find("not a safetensors file"),
            std::string::npos);
}

}  // namespace
}  // namespace rondo
