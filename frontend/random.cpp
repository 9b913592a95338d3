#include "frontend/random.h"

#include <fmt/format.h>

#include "frontend/function.h"
#include "frontend/region.h"

namespace rondo {
namespace {

void check_rate(double rate, Where where) {
  if (!(rate >= 0 && rate < 1)) fail(fmt::format("a rate of {} is not in [0,1)", rate), where);
}

/// 24 random bits as an i32: a key made of a key and a counter. Exact, as a uniform is a multiple of 2^-24.
Tensor derive_key(const Tensor& key, const Operand& counter) {
  return cast(floor(random_uniform(key, counter, {}) * 0x1p24), i32);
}

/// What a site draws with in a region: the key of the function is made of seed, site and count, that of a
/// scan's body of the key and the counter around it.
struct Stream {
  Tensor key, counter;
};

Stream stream_in(Region& region, int64_t site, Where where) {
  Region::Within within(region);
  if (Region* outer = region.outer()) {
    const Stream around = stream_in(*outer, site, where);
    Region::Within outside(*outer);
    const Tensor key = derive_key(around.key, around.counter);
    return {key, region.step()};
  }
  Trace& trace = region.trace();
  const Tensor of_site = derive_key(trace.random_seed(where), static_cast<double>(site));
  return {derive_key(of_site, trace.random_count(where)), constant(0, Type{i32, {}}, where)};
}

}  // namespace

Tensor training(Where where) { return Region::current(where).outermost().trace().training(where); }

Tensor draw_uniform(Shape shape, Draw draw, Where where) {
  Region& here = Region::current(where);
  Region& region = draw == Draw::once ? here.outermost() : here;
  Region::Within within(region);
  const Stream stream = stream_in(region, region.outermost().trace().next_site(), where);
  return random_uniform({stream.key, where}, {stream.counter, where}, std::move(shape));
}

Tensor dropout_mask(Shape shape, double rate, Draw draw, Where where) {
  LibraryCall call("dropout_mask", where);
  check_rate(rate, where);
  const Tensor all = ones(shape, where);
  if (rate == 0) return all;
  const Tensor mask = select(less(draw_uniform(std::move(shape), draw, where), rate), 0, all / (1 - rate));
  return select(training(where), mask, all);
}

Tensor dropout(Operand x, double rate, Draw draw) {
  LibraryCall call("dropout", x.where());
  return x * dropout_mask(x.tensor().shape(), rate, draw, x.where());
}

Tensor zoneout(Operand before, Operand after, double rate) {
  LibraryCall call("zoneout", after.where());
  check_rate(rate, after.where());
  if (rate == 0) return after;
  const Tensor stays = less(draw_uniform(after.tensor().shape(), Draw::each_step, after.where()), rate);
  return select(training(after.where()), select(stays, before, after), rate * before + (1 - rate) * after);
}

Tensor word_dropout(Operand ids, double rate, int32_t unknown) {
  LibraryCall call("word_dropout", ids.where());
  check_rate(rate, ids.where());
  if (rate == 0) return ids;
  const Tensor drops = less(draw_uniform(ids.tensor().shape(), Draw::each_step, ids.where()), rate);
  return select(training(ids.where()), select(drops, unknown, ids), ids);
}

Tensor embedding_dropout(Operand rows, Operand ids, Dim count, double rate) {
  LibraryCall call("embedding_dropout", rows.where());
  check_rate(rate, rows.where());
  if (rate == 0) return rows;
  const Tensor kept = gather(dropout_mask({std::move(count)}, rate, Draw::once, rows.where()), ids);
  const Tensor dropped = rows * expand(kept, -1, rows.tensor().dim(-1, rows.where()));
  return select(training(rows.where()), dropped, rows);
}

}  // namespace rondo
