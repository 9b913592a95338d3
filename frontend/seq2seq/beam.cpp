// Beam search as recurrence: a state of K sequences a row, of which each step makes K * V and keeps K. What
// it keeps is noted as symbols and parents, which a scan backwards turns into sequences. A sequence that has
// ended goes on with its end symbol alone, at no cost, and so competes with those that go on.
#include <fmt/format.h>

#include "frontend/scan.h"
#include "frontend/seq2seq/modes.h"

namespace rondo {
namespace {

constexpr double kImpossible = -1e30;  // the log probability of what cannot be, and the least there is

struct Choice {
  Tensor ids, values;  // [B,K]
};

/// The k largest of each row of ranks [B,M], largest first: their indices, and `values` [B,M] there.
Choice largest(const Tensor& ranks, const Tensor& values, int64_t k) {
  auto [rest, chosen] = repeat(ranks, k, [&](const Tensor& left) {
    const Tensor id = argmax(left);
    const Tensor here = equal(expand(id, -1, left.dim(-1)), iota(left.shape(), -1));
    const Tensor taken = constant(10 * kImpossible, left.shape());
    return std::pair(select(here, taken, left), Choice{id, sum(select(here, values, 0), -1)});
  });
  return {transpose(chosen.ids), transpose(chosen.values)};
}

/// Row b's elements of x [B,K,...] at the places at [B,K], each in [0,K).
Tensor take(const Tensor& x, const Tensor& at) {
  const int64_t k = x.dim(1).size();
  Tensor here = equal(expand(at, -1, k), iota({at.dim(0), k, k}, -1));
  for (int axis = 2; axis < x.rank(); ++axis) here = expand(here, -1, x.dim(axis));
  return sum(select(here, expand(x, 1, k), constant(0, {x.dtype(), here.shape()})), 2);
}

struct Beam {
  Decoder::State state;
  Tensor before, alive, score, length;  // [B,K]: the last symbol, 1 until it is the end, log p, symbols
};

struct Kept {
  Tensor symbol, parent;  // [B,K]
};

class BeamSearch {
 public:
  BeamSearch(const SequenceWriter& model, const BeamOptions& options, Trace& t, Where where)
      : decoder_(model.decoder), k_(options.width), symbols_(decoder_.symbols()) {
    start_ = model.start(t);
    power_ = t.setting("length_power", options.length_power, where);
  }

  Beam start() const {
    const Shape rows = {"B", k_};
    Decoder::State state = start_.state;
    for_each_tensor(state, [&](Tensor& s) { s = expand(s, 1, k_); });
    // One sequence, empty; the others of the beam cannot be.
    const Tensor first = equal(iota(rows, 1), 0);
    return {state, constant(decoder_.end(), {i32, rows}), ones(rows), select(first, zeros(rows), kImpossible),
            zeros(rows)};
  }

  std::pair<Beam, Kept> step(const Beam& beam) const {
    Decoder::Step next = decoder_(start_.memory, beam.state, beam.before);
    const Shape all = next.logits.shape();  // [B,K,V]
    const Tensor is_end = equal(iota(all, -1), decoder_.end());
    const Tensor ended = select(is_end, zeros(all), kImpossible);
    const Tensor log_p = select(less(0.5, each(beam.alive)), log_softmax(next.logits), ended);
    const Tensor total = max(each(beam.score) + log_p, kImpossible);
    const Tensor rank = total / each(penalty(beam.length + beam.alive));
    const Choice best = largest(flat(rank), flat(total), k_);
    const Tensor which = cast(best.ids, total.dtype()) + 0.5;
    const Kept kept{best.ids - parent_of(which) * static_cast<double>(symbols_), parent_of(which)};
    Beam chosen = beam;
    chosen.state = next.state;
    chosen.length = beam.length + beam.alive;
    for_each_tensor(chosen, [&](Tensor& s) { s = take(s, kept.parent); });
    chosen.before = kept.symbol;
    chosen.alive = select(equal(kept.symbol, decoder_.end()), 0, chosen.alive);
    chosen.score = best.values;
    return {chosen, kept};
  }

  /// What a beam is ranked by.
  Tensor ranks(const Beam& beam) const {
    return select(less(beam.score, kImpossible / 10), kImpossible, beam.score / penalty(beam.length));
  }

  /// The sequences [N,B,K] that end in the beam.
  Tensor sequences(const Kept& kept) const {
    return scan(iota({"B", k_}, 1), kept,
                [](const Tensor& at, const Kept& k) {
                  return std::pair(take(k.parent, at), take(k.symbol, at));
                },
                {.reverse = true})
        .second;
  }

 private:
  /// [B,K], repeated for each symbol.
  Tensor each(const Tensor& x) const { return expand(x, -1, symbols_); }
  Tensor flat(const Tensor& x) const { return reshape(x, {x.dim(0), k_ * symbols_}); }
  Tensor penalty(const Tensor& length) const { return exp(power_ * log(max(length, 1))); }
  /// Which of the beam an index of [B,K,V] belongs to; exact below 2^23 of them.
  Tensor parent_of(const Tensor& which) const {
    return cast(floor(which / static_cast<double>(symbols_)), i32);
  }

  const Decoder& decoder_;
  const int64_t k_, symbols_;
  SequenceWriter::Start start_;
  Tensor power_;
};

}  // namespace

Function beam_function(const SequenceWriter& model, const BeamOptions& options, Where where) {
  if (options.width < 1) fail(fmt::format("beam_function: a beam of {}", options.width), where);
  return Function("beam", model, [&](Trace& t) {
    LibraryCall call("beam_function", where);
    const BeamSearch search(model, options, t, where);
    auto [last, kept] = repeat(search.start(), "N", [&](const Beam& beam) { return search.step(beam); });
    t.output("ids", search.sequences(kept), where);
    t.output("lengths", cast(last.length + last.alive - 1, i32), where);
    t.output("scores", search.ranks(last), where);
  });
}

}  // namespace rondo
