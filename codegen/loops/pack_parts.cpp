#include "codegen/loops/pack_parts.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "codegen/kernels/schedule_gemm.h"
#include "codegen/loops/touches.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// A matrix that a kernel copies to columns [first, first + width) of the rows of a wider one.
struct Part {
  Kernel* kernel;
  BufferId matrix;
  int64_t rows, first, width, row;
};
using Parts = std::vector<Part>;  // by column

/// Of an access that is this number and strides; none of others.
std::optional<int64_t> plain_offset(const Access& a) {
  if (a.row != kNone || !a.outer.empty() || !a.offset.is_constant()) return std::nullopt;
  return a.offset.constant();
}

/// What a column-wise or a transposed reader of the copy reads of the matrices: kernels of the same columns.
class Sources {
 public:
  Sources(BufferId copy, const Parts& parts) : copy_(copy), parts_(parts) {}

  /// Packs that fill the same packed copy from the matrices; none if that can't be.
  std::vector<Pack> packs(const Pack& pack) const {
    const Kernel& kernel = *pack.kernel;
    const GemmGroup group = gemm_groups(kernel).at(pack.group);
    const Poly rows(parts_[0].rows), row(parts_[0].row);
    auto all = [&](const Poly& terms, const Poly& by_column, const Poly& by_term) {
      return std::ranges::all_of(group.accs, [&](uint32_t a) {
        const Access& right = *gemm_operands(kernel, a).right;
        return right.buffer == copy_ && plain_offset(right) &&
               kernel.accs[a].dims == std::vector<Poly>{terms} &&
               stride_of(right, column(kernel)) == by_column &&
               stride_of(right, column(kernel) + 1) == by_term;
      });
    };
    if (!kernel.dims.back().is_constant()) return {};
    if (all(rows, Poly(1), row)) return by_columns(pack, group);
    if (all(row, row, Poly(1)) && kernel.dims.back() == rows) return by_terms(pack, group);
    return {};
  }

 private:
  static size_t column(const Kernel& kernel) { return kernel.dims.size() - 1; }

  /// Each sum reads columns of one matrix.
  std::vector<Pack> by_columns(const Pack& pack, const GemmGroup& group) const {
    auto source = std::make_shared<Kernel>(*pack.kernel);
    for (uint32_t a : group.accs) {
      const int64_t first = *plain_offset(*gemm_operands(*source, a).right);
      const auto part = std::ranges::find_if(parts_, [&](const Part& p) {
        return first >= p.first && first + source->dims.back().constant() <= p.first + p.width;
      });
      if (part == parts_.end()) return {};
      read(*source, a, *part, first - part->first, Poly(1), Poly(part->width));
    }
    return {Pack{pack.kernel, pack.group, source, 0}};
  }

  /// Each sum reads all matrices, one after the other.
  std::vector<Pack> by_terms(const Pack& pack, const GemmGroup& group) const {
    std::vector<Pack> packs;
    for (const Part& part : parts_) {
      auto source = std::make_shared<Kernel>(*pack.kernel);
      for (uint32_t a : group.accs) {
        if (plain_offset(*gemm_operands(*source, a).right) != 0) return {};
        read(*source, a, part, 0, Poly(part.width), Poly(1));
        source->accs[a].dims = {Poly(part.width)};
      }
      packs.push_back({pack.kernel, pack.group, source, part.first});
    }
    return packs;
  }

  void read(Kernel& kernel, uint32_t a, const Part& part, int64_t offset, const Poly& by_column,
            const Poly& by_term) const {
    for (Node& n : kernel.accs[a].nodes) {
      if (n.op != ScalarOp::load || n.access.buffer != copy_) continue;
      n.access.buffer = part.matrix;
      n.access.offset = Poly(offset);
      n.access.strides.resize(column(kernel) + 2);
      n.access.strides[column(kernel)] = by_column;
      n.access.strides[column(kernel) + 1] = by_term;
    }
  }

  const BufferId copy_;
  const Parts& parts_;
};

class PartPacker {
 public:
  PartPacker(LoopProgram& program, const std::vector<Signature::Alias>& aliases)
      : program_(program), touches_(touches_of(program)) {
    for (const Signature::Alias& a : aliases) updates_.insert(program.inputs + a.output);
  }

  void run() {
    for (Stmt& s : program_.stmts)
      if (s.kernel)
        if (const std::optional<Part> part = part_of(*s.kernel))
          copies_[s.kernel->stores[0].access.buffer].push_back(*part);
    find_packs(program_.stmts);
    for (auto& [copy, parts] : copies_) std::ranges::sort(parts, {}, &Part::first);
    std::erase_if(copies_, [&](const auto& c) {
      return !is_whole(c.first, c.second) || !is_packed(c.first, c.second);
    });
    if (copies_.empty()) return;
    rewrite(program_.stmts);
    for (const auto& [copy, parts] : copies_)
      for (const Part& p : parts) p.kernel->schedule.form = Schedule::Form::none;
  }

 private:
  const Buffer& buffer(BufferId b) const { return program_.buffers[b]; }

  std::optional<Part> part_of(Kernel& k) const {
    if (!k.accs.empty() || k.dims.size() != 2 || k.nodes.size() != 1 || k.nodes[0].op != ScalarOp::load ||
        k.stores.size() != 1 || k.stores[0].ordered())
      return std::nullopt;
    const Access &from = k.nodes[0].access, &to = k.stores[0].access;
    const Poly row = stride_of(to, 0);
    if (buffer(from.buffer).kind != Buffer::Kind::input || buffer(to.buffer).kind != Buffer::Kind::scratch ||
        plain_offset(from) != 0 || !plain_offset(to) || !row.is_constant() || !k.dims[0].is_constant() ||
        !k.dims[1].is_constant() || stride_of(from, 0) != k.dims[1] || stride_of(from, 1) != Poly(1) ||
        stride_of(to, 1) != Poly(1))
      return std::nullopt;
    return Part{
        &k, from.buffer, k.dims[0].constant(), *plain_offset(to), k.dims[1].constant(), row.constant()};
  }

  /// Whether the parts are all that writes the copy, and cover it.
  bool is_whole(BufferId copy, const Parts& parts) const {
    int64_t column = 0;
    for (const Part& p : parts) {
      if (p.first != column || p.rows != parts[0].rows || p.row != parts[0].row) return false;
      column += p.width;
    }
    return column == parts[0].row && buffer(copy).size == Poly(column * parts[0].rows) &&
           std::ranges::count_if(touches_.at(copy), &Touch::store) == std::ssize(parts);
  }

  /// Those that stand before inputs are updated in place.
  void find_packs(const std::vector<Stmt>& stmts) {
    for (const Stmt& s : stmts) {
      if (s.loop) find_packs(s.loop->body);
      if (s.pack && !updated_) packs_.push_back(*s.pack);
      if (s.kernel)
        updated_ |= std::ranges::any_of(s.kernel->stores, [&](const Store& store) {
          const Buffer& b = buffer(store.access.buffer);
          return b.kind == Buffer::Kind::output && updates_.contains(b.arg);
        });
    }
  }

  /// Whether all that reads the copy is packed before, and can be packed from the matrices.
  bool is_packed(BufferId copy, const Parts& parts) const {
    const Sources sources(copy, parts);
    return std::ranges::all_of(touches_.at(copy), [&](const Touch& t) {
      return t.store || std::ranges::any_of(packs_, [&](const Pack& p) {
               return p.kernel.get() == t.kernel && reads(p, t) && !sources.packs(p).empty();
             });
    });
  }

  /// Whether an accumulator of the pack's group has this access.
  static bool reads(const Pack& pack, const Touch& t) {
    const GemmGroup group = gemm_groups(*pack.kernel).at(pack.group);
    return std::ranges::any_of(group.accs,
                               [&](uint32_t a) { return gemm_operands(*pack.kernel, a).right == t.access; });
  }

  void rewrite(std::vector<Stmt>& stmts) {
    std::vector<Stmt> out;
    for (Stmt& s : stmts) {
      if (s.loop) rewrite(s.loop->body);
      const std::vector<Pack> packs = s.pack ? from_matrices(*s.pack) : std::vector<Pack>();
      for (const Pack& p : packs) out.push_back({nullptr, nullptr, std::make_shared<Pack>(p)});
      if (packs.empty()) out.push_back(std::move(s));
    }
    stmts = std::move(out);
  }

  std::vector<Pack> from_matrices(const Pack& pack) const {
    const GemmGroup group = gemm_groups(*pack.kernel).at(pack.group);
    const auto copy = copies_.find(gemm_operands(*pack.kernel, group.accs[0]).right->buffer);
    return copy == copies_.end() ? std::vector<Pack>() : Sources(copy->first, copy->second).packs(pack);
  }

  LoopProgram& program_;
  const std::map<BufferId, Touches> touches_;
  std::set<uint32_t> updates_;  // outputs in the memory of an input
  std::map<BufferId, Parts> copies_;
  std::vector<Pack> packs_;
  bool updated_ = false;
};

}  // namespace

void pack_parts(LoopProgram& program, const std::vector<Signature::Alias>& aliases) {
  PartPacker(program, aliases).run();
}

}  // namespace rondo::codegen
