// A vanilla RNN learns to write "hello". See README.md.
#include <fmt/format.h>
#include <rondo/rondo.h>

#include <CLI/CLI.hpp>
#include <map>

using namespace rondo;

namespace {

constexpr std::string_view kVocabulary = "helo", kWord = "hello";
constexpr int64_t kSymbols = 4, kHidden = 8;

struct Hello : Model {  // vectors are rows: where the books write U x, here stands x U
  Activation f;
  Param b = param("b", {kHidden}, init::zeros()), c = param("c", {kSymbols}, init::zeros());
  Param W = param("W", {kHidden, kHidden}), U = param("U", {kSymbols, kHidden});
  Param V = param("V", {kHidden, kSymbols});

  explicit Hello(Activation f) : f(std::move(f)) {}

  HiddenState initial(Dim batch) const { return {zeros({batch, kHidden})}; }

  std::pair<HiddenState, Tensor> step(const HiddenState& s, Tensor id) const {
    const Tensor x = one_hot(id, kSymbols);
    const Tensor a = b + matmul(s.h, W) + matmul(x, U);
    const Tensor h = f(a);
    const Tensor o = c + matmul(h, V);
    return {{h}, o};
  }
};

/// Output "losses" [T,B]: L_t = -log y_t[target_t], y_t = softmax o_t. Output "loss": their sum over time.
Function loss_of(const Hello& model) {
  return Function("loss", model, [&](Trace& t) {
    const Tensor x = t.input("x", i32, {"T", "B"}), target = t.input("target", i32, {"T", "B"});
    auto [end, o] = run(model, model.initial("B"), x);
    const Tensor losses = logsumexp(o) - sum(o * one_hot(target, kSymbols), -1);
    t.output("losses", losses);
    t.output("loss", sum(losses));
  });
}

std::vector<int32_t> encode(std::string_view text) {
  std::vector<int32_t> ids;
  for (const char c : text) ids.push_back(static_cast<int32_t>(kVocabulary.find(c)));
  return ids;
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, Activation> activations = {
      {"tanh", rondo::tanh}, {"relu", relu}, {"softsign", [](Tensor a) { return a / (1 + abs(a)); }}};
  std::string activation = "tanh";
  int updates = 100, seed = 1;
  CLI::App app("Trains a vanilla RNN on the word hello.");
  app.add_option("--activation", activation, "of h: tanh, relu or softsign")
      ->check(CLI::IsMember(activations))
      ->capture_default_str();
  app.add_option("--updates", updates, "training steps")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--seed", seed, "of the first weights and of the writing")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const Hello model(activations.at(activation));
  Weights weights = model.init(seed);
  const int64_t steps = kWord.size() - 1;
  Program train = compile_training(loss_of(model), Adam{.lr = 0.03}, weights);
  train.resize({{"T", steps}, {"B", 1}});
  train.set("x", encode(kWord.substr(0, steps)));  // hell
  train.set("target", encode(kWord.substr(1)));    // ello

  Program generate = compile(generate_function(model), weights);
  generate.resize({{"P", 1}, {"N", steps}, {"B", 1}});
  generate.set("prime", encode("h"));
  generate.set_scalar("seed", seed);

  fmt::print("update   h->e   e->l   l->l   l->o    sum   writes\n");
  for (int update = 0; update <= updates; ++update) {
    generate.reset();
    generate.run();
    std::string written = "h";
    for (const int32_t id : generate.i32("ids")) written += kVocabulary[id];
    train.run();
    if (update % 10 != 0) continue;
    fmt::print("{:6} ", update);
    for (const float loss : train.f32("losses")) fmt::print("{:7.3f}", loss);
    fmt::print("{:7.3f}   {}\n", train.f32("loss")[0], written);
  }
}
