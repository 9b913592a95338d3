#include "codegen/lowering/placement.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "ir/op_def.h"
#include "support/error.h"

namespace rondo::codegen {
namespace {

using namespace ir;

/// Sums and products that take no longer than a load.
constexpr int kOpsAgain = 2;

class UnionFind {
 public:
  explicit UnionFind(size_t n) : parent_(n) { std::iota(parent_.begin(), parent_.end(), 0); }
  size_t find(size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void unite(size_t a, size_t b) { parent_[find(a)] = find(b); }

 private:
  std::vector<size_t> parent_;
};

class Placer {
 public:
  Placer(const Func& f, bool in_loop)
      : f_(f), in_loop_(in_loop), uses_(use_counts(f)), forced_(f.values.size()), level_(f.values.size()) {
    plan_.root.assign(f.values.size(), 0);
    plan_.kernel.assign(f.values.size(), -1);
  }

  Placement run() {
    force_roots();
    find_levels();
    choose_roots();
    if (compute_early()) choose_roots();
    connect();
    return std::move(plan_);
  }

 private:
  OpClass cls(const Op& op) const { return def_of(op.kind).cls; }
  OpClass cls(Value v) const { return cls(*f_.def(v)); }
  bool has_own_buffer(Value v) const {
    return !f_.def(v) || cls(v) == OpClass::scan || cls(v) == OpClass::placed;
  }
  /// A placed op that writes rows which ids choose; the others are written by the kernels of their operands.
  bool scatters(const Op& op) const { return cls(op) == OpClass::placed && def_of(op.kind).ids; }
  static bool computes(OpClass c) {
    return c == OpClass::pointwise || c == OpClass::reduction || c == OpClass::indexed;
  }

  /// Whether a kernel writes what v stands for (through inline slices).
  bool written(Value v) const {
    if (has_own_buffer(v)) return false;
    if (forced_[v.id] || computes(cls(v))) return true;
    return cls(v) == OpClass::slice && written(f_.def(v)->operands[0]);
  }

  /// v is read at other indices than it is computed at: what it stands for must be in a buffer.
  void force_base(Value v) {
    while (!has_own_buffer(v) && !forced_[v.id]) {
      OpClass c = cls(v);
      if (computes(c)) {
        forced_[v.id] = true;
        return;
      }
      const int base = def_of(f_.def(v)->kind).elements_of;
      if (base < 0 || (c != OpClass::slice && c != OpClass::view)) return;
      v = f_.def(v)->operands[static_cast<size_t>(base)];
    }
  }

  /// v must be a row-major buffer of its own.
  void force(Value v) {
    if (!has_own_buffer(v)) forced_[v.id] = true;
  }

  /// The term of a reduction that is computed inside its accumulator.
  bool inline_term(const Op& user, Value v) const {
    return user.kind != OpKind::matmul && !has_own_buffer(v) && !forced_[v.id] &&
           cls(v) == OpClass::pointwise && uses_[v.id] == 1;
  }

  /// A carry that starts as a number is filled with it where it is.
  void force_operands(const Op& scan) {
    for (size_t i = 0; i < scan.operands.size(); ++i) {
      const Op* def = f_.def(scan.operands[i]);
      const bool init = i >= scan.attrs.consts && i < scan.attrs.consts + scan.attrs.carries;
      if (!(init && def && def->kind == OpKind::constant)) force(scan.operands[i]);
    }
  }

  void force_roots() {
    for (Value v : f_.results) force(v);
    for (size_t i = f_.ops.size(); i-- > 0;) {
      const Op& op = f_.ops[i];
      switch (cls(op)) {
        case OpClass::scan: force_operands(op); break;
        case OpClass::view:
          for (Value v : op.operands) op.kind == OpKind::reshape ? force_unless_uniform(v) : force_base(v);
          break;
        case OpClass::reduction:
          for (Value v : op.operands)
            if (!inline_term(op, v)) force_base(v);
          break;
        case OpClass::indexed:
          force(op.operands[0]);  // rows are found by their stride
          force_base(op.operands[1]);
          break;
        case OpClass::placed:
          if (scatters(op))
            for (Value v : op.operands) force_base(v);
          if (op.kind == OpKind::scatter) force(op.operands[0]);  // copied
          break;
        default: break;
      }
    }
  }

  /// A reshape reads its operand through the row-major order of its buffer, unless all elements are the same.
  void force_unless_uniform(Value v) {
    if (!has_own_buffer(v) && f_.def(v)->kind != OpKind::constant) forced_[v.id] = true;
  }

  int operand_level(const Op& op, Value v) const {
    bool same_kernel = false;
    switch (cls(op)) {
      case OpClass::pointwise:
      case OpClass::slice: same_kernel = true; break;
      case OpClass::reduction: same_kernel = inline_term(op, v); break;
      default: break;
    }
    return level_[v.id] + (!same_kernel && written(v) ? 1 : 0);
  }

  void find_levels() {
    for (const Op& op : f_.ops) {
      int level = 0;
      for (Value v : op.operands) level = std::max(level, operand_level(op, v));
      // The pieces of a placed value are written at their operands' level; it is whole only after them.
      if (cls(op) == OpClass::placed) ++level;
      for (uint32_t i = 0; i < op.result_count; ++i) level_[op.result(i).id] = level;
    }
  }

  void demand(Value v, const std::optional<Space>& space) {
    if (has_own_buffer(v)) return;
    if (!space || (demand_[v.id] && *demand_[v.id] != *space)) conflict_[v.id] = true;
    demand_[v.id] = space;
  }

  /// The space in which op's own result is computed; none if several.
  std::optional<Space> space_of(const Op& op) const {
    Value v = op.result();
    if (plan_.root[v.id]) return Space{f_.type(v).shape, level_[v.id], -1};
    if (conflict_[v.id]) return std::nullopt;
    return demand_[v.id];
  }

  /// What is computed in each kernel that reads it, since that takes no longer than to load it: a mask that
  /// follows from numbers at hand, as whether a symbol is the one that is wanted, which may be as large as
  /// all logits; and what is little more than the elements of one buffer, as they less their mean are.
  bool is_made_again(const Op& op) const {
    if (cls(op) != OpClass::pointwise) return false;
    if (f_.type(op.result()).dtype != DType::pred) return is_adjusted(op.result(), kOpsAgain);
    return std::ranges::all_of(op.operands, [&](Value u) {
      return has_own_buffer(u) || !(computes(cls(u)) || cls(u) == OpClass::slice);
    });
  }

  /// Whether v follows from a buffer and what its rows or columns share in so many sums and products.
  bool is_adjusted(Value v, int ops) const {
    if (has_own_buffer(v)) return true;
    const Op& op = *f_.def(v);
    const bool fused = op.kind == OpKind::fma;
    if (!fused && op.kind != OpKind::add && op.kind != OpKind::sub && op.kind != OpKind::mul) return false;
    const int left = ops - (fused ? 2 : 1);
    return left >= 0 && std::ranges::any_of(op.operands, [&](Value u) {
             return std::ranges::all_of(op.operands, [&](Value s) { return s == u || is_shared(s); }) &&
                    is_adjusted(u, left);
           });
  }

  bool is_shared(Value v) const {
    const Op* op = f_.def(v);
    return op && op->kind == OpKind::broadcast && f_.type(op->operands[0]).rank() < f_.type(v).rank();
  }

  void choose_roots() {
    again_.assign(f_.values.size(), false);
    demand_.assign(f_.values.size(), std::nullopt);
    conflict_.assign(f_.values.size(), false);
    for (size_t i = f_.ops.size(); i-- > 0;) {
      const Op& op = f_.ops[i];
      Value v = op.result();
      OpClass c = cls(op);
      if (c == OpClass::scan) continue;
      if (c == OpClass::placed) {
        if (scatters(op)) continue;
        for (Value u : op.operands) demand(u, Space{f_.type(u).shape, level_[u.id], -1});
        continue;
      }
      bool root = forced_[v.id];
      if (computes(c) &&
          (conflict_[v.id] || (c != OpClass::pointwise && demand_[v.id] && demand_[v.id]->reduction >= 0)))
        root = true;
      again_[v.id] = root && !forced_[v.id] && is_made_again(op);
      plan_.root[v.id] = root && !again_[v.id];
      if (c == OpClass::pointwise || c == OpClass::slice) {
        std::optional<Space> space = space_of(op);
        for (Value u : op.operands) demand(u, space);
      } else if (c == OpClass::reduction) {
        for (Value u : op.operands)
          if (inline_term(op, u)) demand(u, Space{f_.type(u).shape, level_[v.id], static_cast<int>(i)});
      }
    }
  }

  /// Where a value is in a buffer only for an op of a later kernel that could be computed beside it, as u is
  /// for  u * z  of a buffer z, that op goes to the buffer instead, and the later kernel reads neither u nor
  /// z. Whether there are such.
  bool compute_early() {
    bool any = false;
    for (const Op& op : f_.ops) {
      if (cls(op) != OpClass::pointwise || plan_.root[op.result().id] || !may_be_early(op)) continue;
      forced_[op.result().id] = true;
      any = true;
    }
    return any;
  }

  bool may_be_early(const Op& op) const {
    const std::optional<Space> space = space_of(op);
    const Space own{f_.type(op.result()).shape, level_[op.result().id], -1};
    if (!space || space->dims != own.dims || space->level <= own.level || space->reduction >= 0) return false;
    const bool reads_buffers = std::ranges::all_of(
        op.operands, [&](Value u) { return has_own_buffer(u) || plan_.root[u.id] || !computes(cls(u)); });
    return reads_buffers && std::ranges::any_of(op.operands, [&](Value u) {
             return !has_own_buffer(u) && plan_.root[u.id] && !forced_[u.id] && is_root_for(u, op, own);
           });
  }

  /// Whether u is computed in `own` and op is its only user elsewhere.
  bool is_root_for(Value u, const Op& op, const Space& own) const {
    if (f_.type(u).shape != own.dims || level_[u.id] != own.level || cls(u) != OpClass::pointwise)
      return false;
    return std::ranges::all_of(f_.ops, [&](const Op& user) {
      if (&user == &op || std::ranges::find(user.operands, u) == user.operands.end()) return true;
      return cls(user) == OpClass::placed ? !scatters(user)
                                          : cls(user) == OpClass::pointwise && space_of(user) == own;
    });
  }

  /// Where v is at hand without a load when computing in `space`: v is computed there too.
  bool shares(Value v, const Space& space) const {
    if (has_own_buffer(v)) return false;
    if (!plan_.root[v.id]) return true;
    return space.reduction < 0 && f_.type(v).shape == space.dims && level_[v.id] == space.level;
  }

  void connect() {
    // Nodes: values, then pieces.
    std::vector<Space> piece_spaces;
    for (uint32_t i = 0; i < f_.ops.size(); ++i)
      if (cls(f_.ops[i]) == OpClass::placed && !scatters(f_.ops[i]))
        for (uint32_t k = 0; k < f_.ops[i].operands.size(); ++k) {
          Value u = f_.ops[i].operands[k];
          plan_.pieces.push_back({i, k, 0});
          piece_spaces.push_back({f_.type(u).shape, level_[u.id], -1});
        }
    size_t n = f_.values.size();
    UnionFind sets(n + plan_.pieces.size());
    for (const Op& op : f_.ops) {
      OpClass c = cls(op);
      Value v = op.result();
      if (c == OpClass::scan || c == OpClass::placed) continue;
      if (c == OpClass::slice && !plan_.root[v.id]) continue;  // transparent: connected through below
      std::optional<Space> space = space_of(op);
      for (Value u : op.operands) connect_use(sets, op, space, u, v.id);
    }
    for (size_t p = 0; p < plan_.pieces.size(); ++p) {
      const Piece& piece = plan_.pieces[p];
      Value u = f_.ops[piece.op].operands[piece.operand];
      if (shares(u, piece_spaces[p])) unite_through_slices(sets, u, n + p);
    }
    if (in_loop_) unite_spaces(sets, piece_spaces);
    number(sets, piece_spaces);
  }

  void unite_spaces(UnionFind& sets, const std::vector<Space>& piece_spaces) {
    std::set<size_t> reduces;
    for (const Op& op : f_.ops)
      if (cls(op) == OpClass::reduction || cls(op) == OpClass::indexed)
        reduces.insert(sets.find(op.result().id));
    std::map<Space, size_t> first;
    auto unite = [&](size_t node, const Space& space) {
      if (!reduces.contains(sets.find(node))) sets.unite(node, first.try_emplace(space, node).first->second);
    };
    for (const Op& op : f_.ops) {
      const Value v = op.result();
      if (!has_own_buffer(v) && plan_.root[v.id]) unite(v.id, *space_of(op));
    }
    for (size_t p = 0; p < plan_.pieces.size(); ++p) unite(f_.values.size() + p, piece_spaces[p]);
  }

  void connect_use(UnionFind& sets, const Op& op, const std::optional<Space>& space, Value u, size_t node) {
    OpClass c = cls(op);
    if (c == OpClass::pointwise || c == OpClass::slice) {
      if (space && shares(u, *space)) unite_through_slices(sets, u, node);
    } else if (c == OpClass::reduction && inline_term(op, u) && !plan_.root[u.id]) {
      sets.unite(u.id, node);
    }
  }

  /// An inline slice has no kernel of its own: what it shifts is computed in the user's.
  void unite_through_slices(UnionFind& sets, Value u, size_t node) {
    while (!has_own_buffer(u) && !plan_.root[u.id] && cls(u) == OpClass::slice) {
      u = f_.def(u)->operands[0];
      if (has_own_buffer(u) || plan_.root[u.id]) return;  // read from its buffer
    }
    if (has_own_buffer(u)) return;
    if (!plan_.root[u.id] && (again_[u.id] || !computes(cls(u)))) return;  // also leaves and views
    sets.unite(u.id, node);
  }

  void number(UnionFind& sets, const std::vector<Space>& piece_spaces) {
    std::map<size_t, uint32_t> numbers;
    auto number_of = [&](size_t node, const Shape& dims) {
      auto [it, fresh] = numbers.try_emplace(sets.find(node), plan_.kernels);
      if (fresh) {
        ++plan_.kernels;
        plan_.dims.push_back(dims);
      }
      return it->second;
    };
    for (const Op& op : f_.ops) {
      Value v = op.result();
      if (!has_own_buffer(v) && plan_.root[v.id]) plan_.kernel[v.id] = number_of(v.id, f_.type(v).shape);
    }
    for (size_t p = 0; p < plan_.pieces.size(); ++p)
      plan_.pieces[p].kernel = number_of(f_.values.size() + p, piece_spaces[p].dims);
    // Inline values belong to the kernel of the root or piece that they are connected with; dead ones to
    // none.
    for (const Op& op : f_.ops) {
      Value v = op.result();
      if (has_own_buffer(v) || plan_.root[v.id] || !computes(cls(op))) continue;
      auto it = numbers.find(sets.find(v.id));
      if (it != numbers.end()) plan_.kernel[v.id] = it->second;
    }
  }

  const Func& f_;
  const bool in_loop_;
  std::vector<uint32_t> uses_;
  std::vector<char> forced_;
  std::vector<int> level_;
  std::vector<std::optional<Space>> demand_;
  std::vector<char> conflict_, again_;  // again_: computed where it is read
  Placement plan_;
};

}  // namespace

Placement place(const ir::Func& region, bool in_loop) { return Placer(region, in_loop).run(); }

}  // namespace rondo::codegen
