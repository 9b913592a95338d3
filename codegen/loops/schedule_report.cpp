#include "codegen/loops/schedule_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "codegen/kernels/kernel_costs.h"
#include "codegen/kernels/schedule_gemm.h"
#include "codegen/kernels/simplify_kernel.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// Vectors of multiply-adds, and of loads, that a core begins in a cycle.
constexpr int64_t kVectorsACycle = 2;

class Report {
 public:
  Report(const LoopProgram& program, const Target& target) : program_(program), target_(target) {}

  std::string run() {
    text_ = fmt::format("{}: {} vector registers of {} bytes\n", target_.cpu, target_.vector_registers,
                        target_.vector_bytes);
    add(program_.stmts, 0);
    return std::move(text_);
  }

 private:
  void add(const std::vector<Stmt>& stmts, int depth) {
    for (const Stmt& s : stmts) {
      const std::string indent(static_cast<size_t>(2 * depth), ' ');
      if (s.loop) {
        text_ +=
            fmt::format("\n{}loop of {}{}\n", indent, to_string(s.loop->trip),
                        s.loop->by_points ? ": where points are few, each walks all steps in registers" : "");
        add(s.loop->body, depth + 1);
      } else if (s.pack) {
        text_ += fmt::format("\n{}pack for {}: before the loop, whose steps all read it\n", indent,
                             s.pack->kernel->name);
      } else {
        add(*s.kernel, indent);
      }
    }
  }

  void add(const Kernel& kernel, const std::string& indent) {
    std::vector<std::string> dims;
    for (const Poly& d : kernel.dims) dims.push_back(to_string(d));
    text_ += fmt::format("\n{}{} [{}]\n", indent, kernel.name, fmt::join(dims, ", "));
    for (const std::string& line : lines_of(kernel)) text_ += indent + "  " + line + "\n";
  }

  std::vector<std::string> lines_of(const Kernel& kernel) const {
    std::vector<std::string> lines;
    switch (kernel.schedule.form) {
      case Schedule::Form::vector:
        lines.push_back(kernel.accs.empty() ? "vector: no sums"
                                            : "vector: sums that are no product of matrices");
        break;
      case Schedule::Form::row:
        lines.push_back("row: sums stay in registers to the end, " + where_matrices_are(kernel));
        if (kernel.schedule.overwritten != kNone) lines.push_back(how_it_overwrites(kernel));
        break;
      case Schedule::Form::none:
        lines.push_back("not at all: who reads the copy packs it from where the matrix is");
        break;
      case Schedule::Form::gemm: describe_gemm(kernel, lines); break;
    }
    const Poly work = costs_of(kernel).multiply_adds;
    const int64_t a_cycle = kVectorsACycle * lanes(kernel);
    if (work.is_constant() && !work.is_zero())
      lines.push_back(
          fmt::format("{} multiply-adds, {} cycles at least", work.constant(), work.constant() / a_cycle));
    else if (!work.is_zero())
      lines.push_back(fmt::format("{} multiply-adds, {} a cycle at most", to_string(work), a_cycle));
    lines.push_back(fmt::format("{} bytes", to_string(bytes(kernel))));
    return lines;
  }

  void describe_gemm(const Kernel& original, std::vector<std::string>& lines) const {
    const Kernel kernel = merge_dims(original, true);
    const GemmTile tile = gemm_tile(kernel, target_);
    int64_t sums = 1;
    for (const GemmGroup& g : gemm_groups(kernel)) sums = std::max(sums, static_cast<int64_t>(g.accs.size()));
    const int64_t vectors = sums * tile.vectors;
    const char* how = original.schedule.rows > 1 ? " as told" : tile.parts > 1 ? " in halves" : "";
    lines.push_back(fmt::format("gemm: tile={}x{}{}, vectors of {}: {} of {} registers hold sums", tile.rows,
                                vectors, how, gemm_lanes(kernel, target_),
                                tile.rows * ((vectors + tile.parts - 1) / tile.parts),
                                target_.vector_registers));
    const GemmColumns cut = gemm_columns(kernel, target_);
    if (cut.rest > 0 && cut.whole > 0)
      lines.push_back(fmt::format("{} columns at the end in tiles of {} lanes", cut.rest, cut.rest_width));
    // A term of k loads the tile's right operands and one left operand a row.
    const int64_t loads = tile.parts * tile.rows + vectors, multiply_adds = tile.rows * vectors;
    lines.push_back(fmt::format("{:.2f} loads a multiply-add: bound by {}",
                                static_cast<double>(loads) / static_cast<double>(multiply_adds),
                                loads > multiply_adds ? "loads" : "multiply-adds"));
    if (kernel.schedule.block) {
      const GemmBlocks blocks = gemm_blocks(kernel, target_);
      const auto panel = gemm_workspace(kernel, target_).right.constant() *
                         static_cast<int64_t>(size_of(kernel.accs[0].dtype));
      lines.push_back(fmt::format(
          "blocks of {} rows and {}{} terms: panels of {} KB of right operands, packed on the way",
          blocks.rows, blocks.whole_k ? "all " : "", blocks.k, (panel + 1023) / 1024));
      return;
    }
    lines.push_back(is_packed(kernel) ? "right operands packed before"
                                      : "right operands read where they are: one use each, or few");
  }

  static std::string where_matrices_are(const Kernel& kernel) {
    const bool near = is_near_row(kernel);
    if (is_packed(kernel) && near) return "matrices of the first cache packed before, in whole vectors";
    if (is_packed(kernel)) return "matrices packed before and walked to and fro";
    if (near) return "matrices of the first cache in place, in wide blocks";
    return takes_wide_blocks(kernel) ? "matrices in place, in wide blocks, as their rows are far apart"
                                     : "matrices beyond the first cache in place, in narrow blocks";
  }

  std::string how_it_overwrites(const Kernel& kernel) const {
    const std::string name = program_.buffers[kernel.schedule.overwritten].name;
    const int64_t late = first_late_term(kernel, target_);
    return late == 0 ? fmt::format("{} is overwritten in place", name)
                     : fmt::format("{} is overwritten vector by vector, each after the terms from {} on",
                                   name, late);
  }

  int64_t lanes(const Kernel& kernel) const {
    if (kernel.accs.empty()) return 1;
    return target_.vector_bytes / static_cast<int64_t>(size_of(kernel.accs[0].dtype));
  }

  Poly bytes(const Kernel& kernel) const {
    Poly sum;
    for (const Reached& r : reached(kernel))
      sum += r.elements * Poly(static_cast<int64_t>(size_of(program_.buffers[r.access.buffer].dtype)));
    return sum;
  }

  const LoopProgram& program_;
  const Target& target_;
  std::string text_;
};

}  // namespace

std::string schedule_report(const LoopProgram& program, const Target& target) {
  return Report(program, target).run();
}

}  // namespace rondo::codegen
