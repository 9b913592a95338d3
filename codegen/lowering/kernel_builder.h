// Builds the scalar expressions of one kernel from the ops' own lowering rules.
#pragma once

#include <map>
#include <unordered_map>
#include <vector>

#include "codegen/loops/program_builder.h"
#include "ir/func.h"
#include "ir/loops.h"
#include "ir/lowering.h"

namespace rondo::codegen {

class KernelBuilder : public ir::ElementBuilder {
 public:
  /// views[v]: where v can be loaded from, if anywhere. computed(v): v is computed by this kernel even if it
  /// has a view.
  KernelBuilder(const ir::Func& region, const ir::Shape& dims, const std::vector<View>& views,
                std::function<bool(ir::Value)> computed);

  /// The kernel's own point: index i is variable i.
  ir::Indices point() const;
  void store(const View& to, ir::Value v);
  void store(const View& to, ir::NodeId node, const ir::Indices& at);
  /// to[ids[point prefix], rest of the point] = or += rows[point].
  void store_rows(const View& to, const ir::Shape& shape, ir::Value ids, ir::Value rows, bool add);
  /// last[ids[point]] = the point's row-major number, so that the last of equal ids stays.
  void store_positions(const View& last, const ir::Dim& dim, ir::Value ids);
  /// to[last[ids[point prefix]], rest of the point] += updates[point], where leading dims of `to` are one.
  void add_at_positions(const View& to, const View& last, const ir::Dim& dim, ir::Value ids,
                        ir::Value updates);
  ir::Kernel finish(std::string name) &&;

  ir::NodeId element(ir::Value v, const ir::Indices& at) override;
  ir::NodeId row_element(ir::Value table, ir::NodeId row, const ir::Indices& rest) override;
  ir::NodeId reduce(ir::AccKind, DType, const ir::Shape& extents, ir::SumOrder,
                    const std::function<ir::NodeId(const ir::Indices&)>& term) override;
  ir::NodeId apply(ir::ScalarOp, DType, std::vector<ir::NodeId> args) override;
  ir::NodeId constant(DType, double) override;
  ir::NodeId index(DType, const ir::Index&) override;
  ir::NodeId size(DType, const ir::Dim&) override;

 private:
  using Memo = std::map<std::pair<uint32_t, ir::Indices>, ir::NodeId>;

  /// One expression DAG under construction: the epilogue's, or an accumulator's term.
  struct Scope {
    ir::Nodes nodes;
    Memo memo;
    std::unordered_multimap<size_t, ir::NodeId> known;
    size_t variables = 0;
  };

  ir::Access access(const View&, const ir::Indices& at, size_t first_dim = 0) const;
  ir::Access row_access(const View&, ir::NodeId row, const ir::Dim& rows, const ir::Indices& rest) const;
  std::pair<ir::NodeId, ir::Indices> id_and_rest(ir::Value ids);
  ir::NodeId add(ir::Node);

  const ir::Func& region_;
  const std::vector<View>& views_;
  std::function<bool(ir::Value)> computed_;
  ir::Kernel kernel_;
  Scope epilogue_;
  Scope* scope_ = &epilogue_;
};

}  // namespace rondo::codegen
