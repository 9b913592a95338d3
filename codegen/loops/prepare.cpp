#include "codegen/loops/prepare.h"

#include <algorithm>
#include <cstring>

#include "codegen/kernels/schedule_gemm.h"
#include "codegen/kernels/simplify_kernel.h"

namespace rondo::codegen {

using namespace ir;

namespace {

bool is_number(const Poly& p) { return p.is_constant(); }

bool loads(const Nodes& nodes, BufferId b) {
  return std::ranges::any_of(nodes,
                             [&](const Node& n) { return n.op == ScalarOp::load && n.access.buffer == b; });
}

/// Of what an accumulator loads, all but a packed right operand.
bool accumulator_reads(const Kernel& kernel, uint32_t acc, BufferId b) {
  const std::vector<GemmGroup> groups =
      kernel.schedule.packed.empty() ? std::vector<GemmGroup>{} : gemm_groups(kernel);
  for (size_t g = 0; g < groups.size(); ++g)
    if (kernel.schedule.packed[g] != kNone && std::ranges::count(groups[g].accs, acc) > 0)
      return loads(operand_nodes(kernel, acc, *gemm_operands(kernel, acc).left), b);
  return loads(kernel.accs[acc].nodes, b);
}

bool kernel_reads(const Kernel& kernel, BufferId b) {
  for (uint32_t a = 0; a < kernel.accs.size(); ++a)
    if (accumulator_reads(kernel, a, b)) return true;
  return loads(kernel.nodes, b);
}

bool stmts_read(const std::vector<Stmt>& stmts, BufferId b) {
  return std::ranges::any_of(stmts, [&](const Stmt& s) {
    if (s.loop) return stmts_read(s.loop->body, b);
    if (s.kernel) return kernel_reads(*s.kernel, b);
    const GemmGroup group = gemm_groups(*s.pack->kernel).at(s.pack->group);
    return std::ranges::any_of(group.accs,
                               [&](uint32_t a) { return loads(s.pack->kernel->accs[a].nodes, b); });
  });
}

}  // namespace

bool can_prepare(const Kernel& kernel, uint32_t group, const std::function<bool(BufferId)>& is_constant) {
  const GemmGroup g = gemm_groups(kernel).at(group);
  return is_number(kernel.dims.back()) && std::ranges::all_of(kernel.accs[g.accs[0]].dims, is_number) &&
         std::ranges::all_of(g.accs, [&](uint32_t acc) {
           const Access& right = *gemm_operands(kernel, acc).right;
           return is_constant(right.buffer) && right.row == kNone && right.outer.empty() &&
                  is_number(right.offset) && std::ranges::all_of(right.strides, is_number);
         });
}

std::string prepare(const Pack& pack, const Target& target,
                    const std::function<std::span<const std::byte>(BufferId)>& data) {
  const Kernel kernel = merge_dims(*pack.kernel, true);
  const GemmGroup group = gemm_groups(kernel).at(pack.group);
  const size_t element = size_of(kernel.accs[0].dtype);
  const GemmColumns cut = gemm_columns(kernel, target);
  const int64_t columns = cut.whole + cut.rest;
  const std::vector<Poly>& k_dims = kernel.accs[group.accs[0]].dims;
  const int64_t elements = packed_size(kernel, pack.group, target).constant();
  std::string packed(static_cast<size_t>(elements) * element, '\0');
  const int64_t evens = packed_evens(*pack.kernel, gemm_groups(*pack.kernel).at(pack.group));
  std::vector<int64_t> at(k_dims.size(), 0);  // the variables of k, as an odometer
  auto step = [&] {
    for (size_t d = k_dims.size(); d-- > 0;) {
      if (++at[d] < k_dims[d].constant()) return;
      at[d] = 0;
    }
  };
  const int64_t columns_of_all_k = elements / static_cast<int64_t>(group.accs.size());
  for (int64_t first = 0, terms = columns_of_all_k / (cut.whole + cut.rest_width), width = 0; first < columns;
       first += width) {
    width = first < cut.whole ? cut.width : cut.rest_width;
    for (int64_t term = 0; term < terms; ++term, step()) {
      const int64_t place = evens > 0 ? term % 2 * evens + term / 2 : term;
      const auto accs = static_cast<int64_t>(group.accs.size());
      char* to = &packed[static_cast<size_t>((first * terms + place * width) * accs) * element];
      for (uint32_t acc : group.accs) {
        const Access& right = *gemm_operands(kernel, acc).right;
        int64_t from = right.offset.constant();
        for (size_t d = 0; d < at.size(); ++d)
          from += at[d] * stride_of(right, kernel.dims.size() + d).constant();
        const int64_t stride = stride_of(right, kernel.dims.size() - 1).constant();
        for (int64_t c = first; c < first + width; ++c, to += element)
          if (c < columns)
            std::memcpy(to, data(right.buffer).data() + static_cast<size_t>(from + c * stride) * element,
                        element);
      }
    }
  }
  return packed;
}

LoopProgram packing(LoopProgram program, const std::vector<Pack>& copies) {
  program.stmts.clear();
  program.slots.clear();
  for (const Pack& pack : copies) program.stmts.push_back({nullptr, nullptr, std::make_shared<Pack>(pack)});
  return program;
}

bool reads(const LoopProgram& program, BufferId b) {
  return stmts_read(program.stmts, b) ||
         std::ranges::any_of(program.counts, [&](const Count& c) { return c.buffer == b; });
}

}  // namespace rondo::codegen
