#include <rondo/rondo.h>
#include <cstdio>
#include <random>
using namespace rondo;

struct Echo : Model {  // says what it heard three steps ago
  Param wx = param("wx", {1, 32}), wh = param("wh", {32, 32}), b = param("b", {32}, init::zeros());
  Linear head{*this, "head", 32, 1};

  HiddenState initial(Dim batch) const { return {zeros({batch, 32})}; }
  std::pair<HiddenState, Tensor> step(HiddenState s, Tensor x) const {  // a cell of one's own, as an equation
    s.h = tanh(matmul(x, wx) + matmul(s.h, wh) + b);
    return {s, head(s.h)};
  }
};

int main() {
  Echo model;
  Weights weights = model.init(1);
  const StepInput number{f32, {1}};
  Program train =
      compile_training(loss_function(model, number, number, mse), Adam{.lr = 5e-3, .clip_norm = 1}, weights);
  train.resize({{"T", 24}, {"B", 16}});
  std::mt19937 random(7);
  for (int update = 1; update <= 600; ++update) {
    auto x = train.f32("x"), target = train.f32("target");
    for (size_t i = 0; i < x.size(); ++i) x[i] = random() % 2, target[i] = i < 48 ? 0 : x[i - 48];  // [T,B,1]
    train.reset();
    train.run();  // forward, backward, clipping and Adam in one native call
    if (update % 200 == 0) std::printf("update %d: loss %.5f\n", update, train.f32("loss")[0]);
  }
  Program stream = compile(step_function(model, number), weights, {.dims = {{"B", 1}}});
  for (float x : {1, 0, 1, 1, 0, 0, 1, 0}) {
    stream.f32("x")[0] = x;
    stream.run();
    std::printf("heard %.0f, says %5.2f\n", x, stream.f32("y")[0]);
  }
}
