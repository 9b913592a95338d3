// A product and a sum become one op:  a b + c = fma(a, b, c).  It takes the time of either, and rounds once.
//
// What this changes is the last bit of a result, so it depends on nothing that differs between the functions
// of one declaration, such as who else reads the product: a step called T times and a run of T steps stay the
// same to the bit. It comes before what moves ops out of time, for which an fma is one op like any other.
#include <algorithm>

#include "ir/op_def.h"
#include "passes/activity.h"
#include "passes/copier.h"
#include "passes/passes.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// For each value, how many ops that take long, such as activations and products of matrices, it waits for.
/// What a select chooses from is there as soon as the first of both: a state that starts at what is learned
/// waits for no more than any other.
std::vector<int> waits_of(const Func& func) {
  std::vector<int> waits(func.values.size());
  for (const Op& op : func.ops) {
    const OpDef& def = def_of(op.kind);
    const auto wait = [&](size_t operand) { return waits[op.operands[operand].id]; };
    const size_t count = op.operands.size();
    int longest = 0;
    for (size_t i = 0; i < count; ++i) longest = std::max(longest, wait(i));
    if (def.chooses) longest = std::min(wait(count - 2), wait(count - 1));
    const bool quick = def.cheap || def.cls == OpClass::view || def.cls == OpClass::slice;
    for (uint32_t i = 0; i < op.result_count; ++i) waits[op.result(i).id] = longest + (quick ? 0 : 1);
  }
  return waits;
}

/// For each value the product that its op, a sum, shall compute as well, or none.
std::vector<const Op*> products_of(const Func& func) {
  const std::vector<int> waits = waits_of(func);
  const auto product = [&](Value v) -> const Op* {
    const Op* op = func.def(v);
    return op && op->kind == OpKind::mul && is_float(func.type(v).dtype) ? op : nullptr;
  };
  std::vector<const Op*> products(func.values.size());
  for (const Op& op : func.ops) {
    if (op.kind != OpKind::add) continue;
    const Op *x = product(op.operands[0]), *y = product(op.operands[1]);
    // Of two products it is the later one. Where neither is, two products and a sum take no longer than a
    // product and an fma, and which of them is on the longer path nobody knows.
    const int later = waits[op.operands[0].id] - waits[op.operands[1].id];
    products[op.result().id] = x && (!y || later > 0) ? x : y && (!x || later < 0) ? y : nullptr;
  }
  return products;
}

/// For each value whether anything reads it but the sums that compute it themselves.
Flags still_read(const Func& func, const std::vector<const Op*>& products) {
  Flags read(func.values.size());
  for (Value v : func.results) read[v.id] = true;
  for (const Op& op : func.ops) {
    const Op* product = products[op.result().id];
    for (Value v : op.operands)
      if (!product || product->result() != v) read[v.id] = true;
  }
  return read;
}

}  // namespace

Func fuse_multiply_adds(const Func& func, const Options& options) {
  const std::vector<const Op*> products = products_of(func);
  const Flags read = still_read(func, products);
  return rebuild(func, [&](Builder& b, ValueMap& map, const Op& op) {
    if (op.kind == OpKind::scan) {
      Op inner = op;
      inner.body = std::make_shared<Func>(fuse_multiply_adds(*op.body, options));
      return map.set_results(op, b.copy(func, inner, map.operands(op)));
    }
    const Value v = op.result();
    if (op.kind == OpKind::mul && !read[v.id]) return;
    const Op* product = products[v.id];
    if (!product) return map.copy(b, op);
    const Value other = op.operands[op.operands[0] == product->result() ? 1 : 0];
    map[v] = b.fma(map[product->operands[0]], map[product->operands[1]], map[other]);
    b.set_name(map[v], func.value_name(v));
  });
}

}  // namespace rondo::passes
