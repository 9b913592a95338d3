// Tells the language that a surname comes from. See README.md.
#include <fmt/format.h>
#include <rondo/rondo.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <filesystem>
#include <numeric>

#include "runtime/text_data.h"

using namespace rondo;

namespace {

constexpr const char* kData =
    "a folder with a file for each language, <language>.txt, a surname a line (UTF-8)";

struct Name {
  std::string letters;  // its bytes
  int32_t language;
};

struct Names {
  std::vector<std::string> languages;
  std::vector<Name> names;
};

Names read_names(const std::string& folder) {
  if (!std::filesystem::is_directory(folder))
    throw Error(fmt::format("--data `{}` is no folder: needed is {}", folder, kData));
  Names all;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    const std::string text = read_text(file);
    for (size_t start = 0, end; start < text.size(); start = end + 1) {
      end = std::min(text.find('\n', start), text.size());
      if (end > start)
        all.names.push_back({text.substr(start, end - start), static_cast<int32_t>(all.languages.size())});
    }
    all.languages.push_back(file.stem());
  }
  if (all.languages.size() < 2)
    throw Error(fmt::format("--data `{}` has no two languages: needed is {}", folder, kData));
  return all;
}

enum class Summary { last_state, mean_of_states };

struct Classifier : Model {
  static constexpr int64_t kLetters = 256, kWidth = 48, kHidden = 128;
  Summary summary;
  int64_t languages;
  Embedding letters{*this, "letters", kLetters, kWidth};
  Gru gru{*this, "gru", kWidth, kHidden};
  Linear head;

  Classifier(Summary summary, int64_t languages)
      : summary(summary), languages(languages), head(*this, "head", kHidden, languages) {}

  /// ids [T,B], of which row b has lengths[b]: the logits [B,languages].
  Tensor logits(const Tensor& ids, const Tensor& lengths) const {
    const Tensor x = dropout(letters(ids), 0.2);
    const auto step = [&](const HiddenState& s, const Tensor& letter) {
      const HiddenState next = gru(s, letter);
      return std::pair(next, next.h);
    };
    auto [last, hs] = scan(gru.initial("B"), x, step, {.lengths = lengths});
    // Beyond its length the state of a row stays and what it gives is zero.
    const Tensor mean = sum(hs, 0) / expand(cast(lengths, dtype()), -1, kHidden);
    return head(dropout(summary == Summary::last_state ? last.h : mean, 0.5));
  }

  Function loss() const {
    return Function("loss", *this, [&](Trace& t) {
      const Tensor ids = t.input("ids", i32, {"T", "B"}), lengths = t.input("lengths", i32, {"B"});
      const Tensor language = t.input("language", i32, {"B"}), y = logits(ids, lengths);
      t.output("loss", softmax_cross_entropy(y, language));
      t.output("right", select(equal(argmax(y), language), 1, 0));
      t.output("probability", softmax(y));
    });
  }
};

/// The names of a batch into the inputs of a program.
void fill(Program& program, std::span<const Name> names) {
  size_t longest = 0;
  for (const Name& name : names) longest = std::max(longest, name.letters.size());
  const size_t batch = names.size();
  program.resize({{"T", static_cast<int64_t>(longest)}, {"B", static_cast<int64_t>(batch)}});
  auto ids = program.i32("ids"), lengths = program.i32("lengths"), language = program.i32("language");
  for (size_t b = 0; b < batch; ++b) {
    const std::string& letters = names[b].letters;
    for (size_t t = 0; t < letters.size(); ++t) ids[t * batch + b] = static_cast<uint8_t>(letters[t]);
    lengths[b] = static_cast<int32_t>(letters.size());
    language[b] = names[b].language;
  }
}

template <class T>
void shuffle(std::span<T> items, Random& random) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.bits() % i]);
}

struct Settings {
  int64_t batch = 64, epochs = 12, seed = 1;
};

/// Trains, and prints how many of the names that are held out are right. The program that tests them.
Program train_and_test(const Classifier& model, std::span<Name> training, std::span<const Name> held_out,
                       const Settings& s) {
  const Weights weights = model.init(s.seed);
  Program train = compile_training(model.loss(), Adam{.clip_norm = 1}, weights);
  Program test = compile(model.loss(), weights);
  Random random(s.seed);
  const size_t batch = std::min<size_t>(s.batch, training.size()), updates = training.size() / batch;
  const Schedule rate = schedule::linear(4e-3, 0, s.epochs * static_cast<int64_t>(updates));
  for (int64_t epoch = 0, done = 0; epoch < s.epochs; ++epoch) {
    shuffle(training, random);
    double loss = 0;
    for (size_t i = 0; i < updates; ++i, ++done) {
      fill(train, training.subspan(i * batch, batch));
      train.set_scalar("lr", rate(done));
      train.run();
      loss += train.f32("loss")[0] / static_cast<double>(updates);
    }
    fill(test, held_out);
    test.run();
    const auto right = test.f32("right");
    fmt::print("epoch {:3}  loss {:.4f}  held out {:.2f} % right\n", epoch + 1, loss,
               100 * std::accumulate(right.begin(), right.end(), 0.0) / static_cast<double>(right.size()));
  }
  return test;
}

/// Prints the three likeliest languages of a name.
void guess(Program& program, const std::string& name, const std::vector<std::string>& languages) {
  if (name.empty()) throw Error("a name has letters");
  fill(program, std::vector<Name>{{name, 0}});
  program.run();
  std::vector<std::pair<float, std::string>> guesses;
  for (size_t i = 0; i < languages.size(); ++i)
    guesses.push_back({program.f32("probability")[i], languages[i]});
  std::sort(guesses.rbegin(), guesses.rend());
  fmt::print("  {}:", name);
  for (size_t i = 0; i < std::min<size_t>(3, guesses.size()); ++i)
    fmt::print(" {} {:.0f} %", guesses[i].second, 100 * guesses[i].first);
  fmt::print("\n");
}

}  // namespace

int main(int argc, char** argv) try {
  std::string data;
  std::vector<std::string> asked;
  Settings s;
  CLI::App app("Tells the language that a surname comes from.");
  app.add_option("--data", data, kData);
  app.add_option("--batch", s.batch, "names an update")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--epochs", s.epochs, "passes over the names")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seed", s.seed, "of weights, split and order")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("name", asked, "names to tell the language of, after training");
  CLI11_PARSE(app, argc, argv);
  if (data.empty()) throw Error(fmt::format("--data is needed: {}", kData));

  Names all = read_names(data);
  const std::span<Name> names(all.names);
  Random random(s.seed);
  shuffle(names, random);
  const size_t training = names.size() * 4 / 5;
  fmt::print("{} names in {} languages\n", names.size(), all.languages.size());
  for (const Summary summary : {Summary::last_state, Summary::mean_of_states}) {
    fmt::print("{}\n", summary == Summary::last_state ? "by the last state:" : "by the mean of the states:");
    const Classifier model(summary, static_cast<int64_t>(all.languages.size()));
    Program test = train_and_test(model, names.first(training), names.subspan(training), s);
    for (const std::string& name : asked) guess(test, name, all.languages);
  }
} catch (const std::exception& e) {
  fmt::print(stderr, "names: {}\n", e.what());
  return 1;
}
