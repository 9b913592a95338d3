#include "frontend/seq2seq/modes.h"

#include "frontend/losses.h"
#include "frontend/random.h"
#include "frontend/sampling.h"
#include "frontend/scan.h"

namespace rondo {
namespace {

/// pred[T,B]: whether a symbol counts, as those up to its row's first end symbol do.
Tensor counts_of(const Tensor& target, int32_t end) {
  const Tensor counts = scan(ones({target.dim(1)}), target, [&](const Tensor& alive, Tensor id) {
                          return std::pair(select(equal(id, end), 0, alive), alive);
                        }).second;
  return less(0.5, counts);
}

}  // namespace

Function loss_function(const SequenceWriter& model, Feeding feeding, Where where) {
  return Function("loss", model, [&](Trace& t) {
    LibraryCall call("loss_function", where);
    const Decoder& decoder = model.decoder;
    const SequenceWriter::Start start = model.start(t);
    const Tensor target = check_ids(t.input("target", i32, {"T", "B"}, where), decoder.symbols());
    const Tensor end = constant(decoder.end(), Type{i32, {"B"}});
    Tensor logits;
    if (feeding == Feeding::teacher) {
      logits = scan(start.state, delayed(target, end), [&](const Decoder::State& s, Tensor before) {
                 Decoder::Step step = decoder(start.memory, s, before);
                 return std::pair(step.state, step.logits);
               }).second;
    } else {
      struct Speaker {
        Decoder::State state;
        Tensor before;
      };
      const Speaker speaker{start.state, end};
      const bool draws = feeding == Feeding::scheduled;
      const Tensor rate = draws ? t.setting("own_rate", 0, where) : Tensor();
      logits = scan(speaker, target, [&](const Speaker& s, Tensor id) {
                 Decoder::Step step = decoder(start.memory, s.state, s.before);
                 Tensor next = argmax(step.logits);
                 if (draws) next = select(less(draw_uniform({"B"}), rate), next, id);
                 return std::pair(Speaker{step.state, next}, step.logits);
               }).second;
    }
    t.output("loss", CrossEntropy()(logits, target, counts_of(target, decoder.end())), where);
  });
}

Function write_function(const SequenceWriter& model, Where where) {
  return Function("write", model, [&](Trace& t) {
    LibraryCall call("write_function", where);
    const Decoder& decoder = model.decoder;
    const SequenceWriter::Start start = model.start(t);
    const Tensor temperature = t.setting("temperature", 0, where), seed = t.setting("seed", i32, 0, where);
    const Tensor k = t.setting("top_k", i32, 0, where);
    struct Writer {
      Decoder::State state;
      Tensor before, alive, score, length, count;
    };
    struct Written {
      Tensor id;
      std::vector<Tensor> weights;
    };
    const Shape batch = {"B"};
    const Type ids = {i32, batch};
    const Tensor end = constant(decoder.end(), ids);
    const Writer writer{start.state,           end, ones(batch), zeros(batch), constant(0, ids),
                        constant(0, {i32, {}})};
    auto [last, written] = repeat(writer, "N", [&](const Writer& w) {
      Decoder::Step step = decoder(start.memory, w.state, w.before);
      const Tensor drawn = sample(top_k(step.logits, k), temperature, seed, w.count);
      const Tensor lives = less(0.5, w.alive), id = select(lives, drawn, end);
      const Tensor chosen = equal(expand(id, -1, decoder.symbols()), iota(step.logits.shape(), -1));
      const Tensor log_p = sum(select(chosen, log_softmax(step.logits), 0), -1);
      const Tensor alive = select(equal(id, end), 0, w.alive);
      const Writer next{step.state, id, alive, w.score + log_p * w.alive, w.length + cast(alive, i32),
                        w.count + 1};
      return std::pair(next, Written{id, step.weights});
    });
    t.output("ids", written.id, where);
    t.output("lengths", last.length, where);
    t.output("score", last.score, where);
    if (!written.weights.empty()) t.output("attention", written.weights[0], where);
  });
}

}  // namespace rondo
