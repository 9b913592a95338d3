// A scan of stacked layers becomes one scan a layer, where that frees a product: layer 2's  h1_t W  needs no
// carry of layer 2, so it can leave a scan of its own, for all t at once. The steps of each layer stay as
// they are, so no bit changes.
#include <algorithm>
#include <bit>
#include <numeric>
#include <set>

#include "passes/copier.h"
#include "passes/liveness.h"
#include "passes/passes.h"
#include "passes/rewrite_scans.h"

namespace rondo::passes {

using namespace ir;

namespace {

/// Sets of carries are bits of a word; scans of more carries stay whole.
using CarrySet = uint64_t;
constexpr uint32_t kMostCarries = 64;

bool contains(CarrySet set, uint32_t i) { return set >> i & 1; }

/// How deep values stand in recurrences: 0 for what depends on no carry. Carries that depend on each other
/// are one recurrence, which stands one deeper than the deepest that it reads.
struct Depths {
  std::vector<uint32_t> of_carry, of_value;

  explicit Depths(const ScanView& scan) : of_carry(scan.carries), of_value(scan.body.values.size()) {
    std::vector<CarrySet> reads(scan.body.values.size());  // within one step
    for (uint32_t i = 0; i < scan.carries; ++i) reads[scan.carry_param(i).id] = CarrySet{1} << i;
    for (const Op& op : scan.body.ops)
      for (uint32_t i = 0; i < op.result_count; ++i)
        for (Value v : op.operands) reads[op.result(i).id] |= reads[v.id];
    set_carries(scan, reads);
    for (size_t v = 0; v < reads.size(); ++v)
      for (uint32_t i = 0; i < scan.carries; ++i)
        if (contains(reads[v], i)) of_value[v] = std::max(of_value[v], of_carry[i]);
  }

 private:
  void set_carries(const ScanView& scan, const std::vector<CarrySet>& reads) {
    std::vector<CarrySet> all(scan.carries);  // over any number of steps
    for (uint32_t i = 0; i < scan.carries; ++i) all[i] = reads[scan.next(i).id];
    for (uint32_t via = 0; via < scan.carries; ++via)
      for (uint32_t i = 0; i < scan.carries; ++i)
        if (contains(all[i], via)) all[i] |= all[via];
    std::vector<uint32_t> order(
        scan.carries);  // what a carry reads, and does not read it, comes before it: it reads less
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t i, uint32_t j) { return std::popcount(all[i]) < std::popcount(all[j]); });
    for (uint32_t i : order) {
      of_carry[i] = 1;
      for (uint32_t j = 0; j < scan.carries; ++j)
        if (contains(all[i], j) && !contains(all[j], i)) of_carry[i] = std::max(of_carry[i], of_carry[j] + 1);
    }
  }
};

class Splitter {
 public:
  Splitter(Builder& b, const Func& func, const Op& op, std::vector<Value> operands)
      : b_(b),
        func_(func),
        scan_(op),
        operands_(std::move(operands)),
        steps_(trip_count(func, op)),
        depths_(scan_),
        changing_(changing_values(scan_)),
        outside_(scan_.body),
        results_(op.result_count) {
    find_cuts();
  }

  bool splits() const { return !cuts_.empty(); }

  std::vector<Value> run() {
    find_homes();
    for (uint32_t part = 0; part <= cuts_.size(); ++part) emit_part(part);
    return results_;
  }

 private:
  static constexpr uint32_t kNever = ~0u;

  /// For each value the smallest of  at(result)  over the body's results that it takes part in.
  template <class At>
  std::vector<uint32_t> earliest_use(At at) const {
    std::vector<uint32_t> earliest(scan_.body.values.size(), kNever);
    for (uint32_t i = 0; i < scan_.body.results.size(); ++i) {
      uint32_t& e = earliest[scan_.body.results[i].id];
      e = std::min(e, at(i));
    }
    for (size_t k = scan_.body.ops.size(); k-- > 0;) {
      const Op& op = scan_.body.ops[k];
      uint32_t use = kNever;
      for (uint32_t i = 0; i < op.result_count; ++i) use = std::min(use, earliest[op.result(i).id]);
      for (uint32_t i = 0; i < op.result_count; ++i) earliest[op.result(i).id] = use;
      for (Value v : op.operands) earliest[v.id] = std::min(earliest[v.id], use);
    }
    return earliest;
  }

  /// A cut after depth d pays if a product by a fixed matrix is made at depth d and only needed deeper.
  void find_cuts() {
    const std::vector<uint32_t> needed = earliest_use(
        [&](uint32_t result) { return result < scan_.carries ? depths_.of_carry[result] : kNever; });
    for (const Op& op : scan_.body.ops) {
      if (op.kind != OpKind::matmul || op.attrs.ta || changing_[op.operands[1].id]) continue;
      const uint32_t depth = depths_.of_value[op.result().id], use = needed[op.result().id];
      if (depth > 0 && use != kNever && use > depth) cuts_.insert(depth);
    }
  }

  uint32_t part_of_depth(uint32_t depth) const {
    return static_cast<uint32_t>(std::distance(cuts_.begin(), cuts_.lower_bound(depth)));
  }
  uint32_t part_of_result(uint32_t i) const {
    return part_of_depth(i < scan_.carries ? depths_.of_carry[i]
                                           : depths_.of_value[scan_.body.results[i].id]);
  }

  /// Each value is made in the first part that needs it, and is an x of later ones. What does not change from
  /// step to step is made in each.
  void find_homes() {
    homes_ = earliest_use([&](uint32_t result) { return part_of_result(result); });
    for (uint32_t i = 0; i < scan_.carries; ++i) homes_[scan_.carry_param(i).id] = part_of_result(i);
    ops_.resize(cuts_.size() + 1);
    last_use_.assign(scan_.body.values.size(), 0);
    for (const Op& op : scan_.body.ops) {
      const uint32_t home = homes_[op.result().id];
      if (home == kNever) continue;  // dead
      if (changing_[op.result().id]) ops_[home].push_back(&op);
      for (Value v : op.operands) last_use_[v.id] = std::max(last_use_[v.id], home);
    }
    for (uint32_t i = 0; i < scan_.body.results.size(); ++i) {
      uint32_t& last = last_use_[scan_.body.results[i].id];
      last = std::max(last, part_of_result(i));
    }
  }

  struct Part {
    Builder body;
    ValueMap map;
    std::vector<Value> operands, results;
    std::vector<std::string> names;
    Attrs attrs;
  };

  void emit_part(uint32_t part) {
    Part p{Builder(scan_.body.name), ValueMap(scan_.body), {}, {}, {}, scan_.op.attrs};
    add_params(p, part);
    for (const Op& op : scan_.body.ops)
      if (!changing_[op.result().id]) p.map.copy(p.body, op);
    for (const Op* op : ops_[part]) p.map.copy(p.body, *op);

    std::vector<uint32_t> own;  // results of the whole scan
    std::vector<Value> passed;  // values of the body for later parts
    for (uint32_t i = 0; i < scan_.body.results.size(); ++i) {
      if (part_of_result(i) != part) continue;
      own.push_back(i);
      add_result(p, scan_.body.results[i], func_.value_name(scan_.op.result(i)));
    }
    auto pass = [&](Value v) {
      if (!changing_[v.id] || homes_[v.id] != part || last_use_[v.id] <= part) return;
      passed.push_back(v);
      const std::string& name = scan_.body.value_name(v);
      add_result(p, v, name.empty() ? "" : name + "s");
    };
    for (uint32_t i = 0; i < scan_.carries; ++i) pass(scan_.carry_param(i));
    for (const Op* op : ops_[part])
      for (uint32_t i = 0; i < op->result_count; ++i) pass(op->result(i));

    const std::vector<Value> out =
        b_.emit_scan(std::move(p.operands), std::move(p.attrs),
                     std::make_shared<Func>(std::move(p.body).finish(std::move(p.results))), p.names);
    for (size_t i = 0; i < own.size(); ++i) results_[own[i]] = out[i];
    for (size_t i = 0; i < passed.size(); ++i) outside_[passed[i]] = out[own.size() + i];
  }

  void add_params(Part& p, uint32_t part) {
    auto add = [&](Value v, Value operand) {
      p.map[v] = p.body.param(scan_.body.type(v), scan_.body.value_name(v));
      p.operands.push_back(operand);
    };
    for (uint32_t i = 0; i < scan_.consts; ++i) add(scan_.const_param(i), operands_[i]);
    p.attrs.carries = 0;
    for (uint32_t i = 0; i < scan_.carries; ++i) {
      if (part_of_result(i) != part) continue;
      ++p.attrs.carries;
      add(scan_.carry_param(i), operands_[scan_.consts + i]);
    }
    for (uint32_t i = 0; i < scan_.xs; ++i)
      add(scan_.x_param(i), operands_[scan_.consts + scan_.carries + i]);
    for (uint32_t id = 0; id < scan_.body.values.size(); ++id)
      if (outside_[Value{id}] && last_use_[id] >= part) add({id}, outside_[Value{id}]);
    p.attrs.dim = p.operands.size() == p.attrs.consts + p.attrs.carries ? steps_ : Dim();
  }

  void add_result(Part& p, Value v, const std::string& name) const {
    p.results.push_back(p.map[v]);
    p.names.push_back(name);
  }

  Builder& b_;
  const Func& func_;
  const ScanView scan_;
  const std::vector<Value> operands_;
  const Dim steps_;
  const Depths depths_;
  const Flags changing_;
  std::set<uint32_t> cuts_;                  // depths after which a part ends
  std::vector<uint32_t> homes_, last_use_;   // parts, of the values of the body
  std::vector<std::vector<const Op*>> ops_;  // of each part
  ValueMap outside_;                         // values of the body that a part passes on, for all steps
  std::vector<Value> results_;
};

}  // namespace

Func split_scan(const Func& func, const Options&) {
  return rewrite_scans(func, [](Builder& b, const Func& outer, const Op& op, std::vector<Value> operands) {
    if (op.attrs.carries > kMostCarries) return b.copy(outer, op, std::move(operands));
    Splitter splitter(b, outer, op, operands);
    return splitter.splits() ? splitter.run() : b.copy(outer, op, std::move(operands));
  });
}

}  // namespace rondo::passes
