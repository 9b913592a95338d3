// Tags whose words can be told by later words only: one direction of time against both. See README.md.
#include <fmt/format.h>
#include <rondo/rondo.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "examples/tagging/sentences.h"

using namespace rondo;

namespace {

struct Tagger : Model {
  SequenceStack layers;  // ids [T,B] to the logits of the tags [T,B,3]

  Tagger(bool both_ways, int64_t words, int64_t hidden) {
    layers.layers.push_back(Embedding(*this, "embedding", words, 16));
    if (both_ways) {
      layers.layers.push_back(Bidirectional<Lstm>(*this, "lstm", 16, hidden));
    } else {
      layers.layers.push_back(Lstm(*this, "lstm", 16, hidden));
    }
    layers.layers.push_back(Linear(*this, "head", hidden, kTags));
  }

  /// Inputs "words" [T,B], "lengths" [B] and "tags" [T,B]; outputs "found" [T,B], and "loss", the mean over
  /// the words.
  Function function() const {
    return Function("loss", *this, [&](Trace& t) {
      const Tensor words = t.input("words", i32, {"T", "B"}), tags = t.input("tags", i32, {"T", "B"});
      const Tensor lengths = t.input("lengths", i32, {"B"});
      auto [last, logits] = layers(layers.initial("B"), words, {.lengths = lengths});
      t.output("found", argmax(logits));
      t.output("loss", CrossEntropy{}(logits, tags, mask_of(lengths, "T")));
    });
  }
};

using Batch = std::vector<Sentence>;

Batch random_batch(Random& random, int64_t rows, int64_t gap) {
  Batch batch;
  for (int64_t row = 0; row < rows; ++row) batch.push_back(random_sentence(random, gap));
  return batch;
}

/// Each sentence as a column of words [T,B], T the longest; what stands beyond a sentence does not matter.
void fill(Program& program, const Batch& batch) {
  size_t steps = 0;
  for (const Sentence& s : batch) steps = std::max(steps, s.words.size());
  program.resize({{"T", static_cast<int64_t>(steps)}, {"B", static_cast<int64_t>(batch.size())}});
  auto words = program.i32("words"), tags = program.i32("tags"), lengths = program.i32("lengths");
  for (size_t b = 0; b < batch.size(); ++b) {
    lengths[b] = static_cast<int32_t>(batch[b].words.size());
    for (size_t t = 0; t < batch[b].words.size(); ++t) {
      words[t * batch.size() + b] = batch[b].words[t];
      tags[t * batch.size() + b] = batch[b].tags[t];
    }
  }
}

/// Shares of right tags, in percent.
struct Accuracy {
  double ambiguous, others;
};

Accuracy test(Program& program, const Batch& batch) {
  fill(program, batch);
  program.run();
  const auto found = program.i32("found");
  double right[2] = {}, all[2] = {};
  for (size_t b = 0; b < batch.size(); ++b)
    for (size_t t = 0; t < batch[b].words.size(); ++t) {
      ++all[batch[b].ambiguous[t]];
      right[batch[b].ambiguous[t]] += found[t * batch.size() + b] == batch[b].tags[t];
    }
  return {100 * right[1] / all[1], 100 * right[0] / all[0]};
}

void show(Program& program, const Sentence& s) {
  const char* marks[] = {"", "/person", "/toy"};
  fill(program, {s});
  program.run();
  for (size_t t = 0; t < s.words.size(); ++t)
    fmt::print(" {}{}", vocabulary()[s.words[t]], marks[program.i32("found")[t]]);
  fmt::print("\n");
}

}  // namespace

int main(int argc, char** argv) {
  int64_t updates = 500, gap = 8, hidden = 64, seed = 1;
  CLI::App app("Tags words as persons and toys, by a forward and by a bidirectional LSTM.");
  app.add_option("--updates", updates, "training steps of each")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--gap", gap, "most words between a Teddy and what he is")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--hidden", hidden, "outputs of the LSTMs, of both directions together")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", seed, "of weights and sentences")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    Random unseen(static_cast<uint64_t>(seed) + 1'000'000);
    const Batch held_out = random_batch(unseen, 1000, gap);
    for (const bool both_ways : {false, true}) {
      const Tagger model(both_ways, static_cast<int64_t>(vocabulary().size()), hidden);
      const Function function = model.function();
      const Weights weights = model.init(seed);
      Program train = compile_training(function, Adam{.lr = 5e-3, .clip_norm = 1}, weights);
      Program tagger = compile(function, weights);
      Random random(seed);
      fmt::print("{}: {} parameters\n", both_ways ? "bidirectional" : "forward only", model.count());
      for (int64_t update = 1; update <= updates; ++update) {
        fill(train, random_batch(random, 32, gap));
        train.run();
        if (update % std::max<int64_t>(1, updates / 5) != 0) continue;
        const Accuracy accuracy = test(tagger, held_out);
        fmt::print(
            "  update {:4}: loss {:.4f}, of held-out words right: Teddy {:.1f} %, all others {:.1f} %\n",
            update, train.f32("loss")[0], accuracy.ambiguous, accuracy.others);
      }
      show(tagger, held_out[0]);
    }
  } catch (const std::exception& e) {
    fmt::print(stderr, "tagging: {}\n", e.what());
    return 1;
  }
}
