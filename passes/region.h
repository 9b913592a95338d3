// Reverse mode over one region: a forward part that keeps what the backward part needs, and the backward
// part.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "ir/builder.h"
#include "passes/activity.h"

namespace rondo::passes {

/// What the forward part of a scan leaves for its backward part.
struct ScanRecord {
  std::shared_ptr<const ir::Func> reverse_body;
  std::vector<ir::Value> consts,
      xs;  // of the forward builder: operands of the reverse scan besides cotangents
  // Indices into the forward scan's carries, ys, consts and xs, of those that have a cotangent:
  std::vector<uint32_t> carries, ys;           // in
  std::vector<uint32_t> const_grads, x_grads;  // out (the carries' too)
};

/// A function on its way through reverse mode. Both parts may go to one builder (a whole function) or to two
/// (the body of a scan and of its reverse).
class Region {
 public:
  /// Emits the source into `forward` over args, with scans rebuilt so that they keep what their gradients
  /// need. params and results say which may have cotangents.
  Region(const ir::Func& source, ir::Builder& forward, std::vector<ir::Value> args, const Flags& params,
         const Flags& results);

  /// The value of the forward builder for a value of the source.
  ir::Value forward_value(ir::Value v) const { return map_[v.id]; }

  using Primal = std::function<ir::Value(ir::Value)>;
  /// Emits the cotangents of the params into `back`, given those of the results (Value{} where there is
  /// none). `primal` gives the value of `back` for a value of the forward builder.
  std::vector<ir::Value> backward(ir::Builder& back, const std::vector<ir::Value>& result_cotangents,
                                  const Primal& primal) const;

 private:
  void backward_op(ir::Builder& back, const ir::Op& op, std::vector<ir::Value>& d,
                   const Primal& primal) const;
  bool square(ir::Builder& back, const ir::Op& op, ir::Value cotangent, std::vector<ir::Value>& d,
              const Primal& primal) const;
  void backward_scan(ir::Builder& back, const ir::Op& op, const ScanRecord& record, std::vector<ir::Value>& d,
                     const Primal& primal) const;
  /// d[v] += contribution, unless v does not vary.
  void accumulate(ir::Builder& back, std::vector<ir::Value>& d, ir::Value v, ir::Value contribution) const;

  const ir::Func& source_;
  std::vector<ir::Value> map_;
  Flags varied_;
  std::map<const ir::Op*, ScanRecord> scans_;
};

/// Emits a scan of `func` into `forward` over operands, with the stash of its gradient as further ys; see
/// grad_scan.cpp. `params` and `results` flag the body's params and results that may have cotangents. Appends
/// the results to `results_out`.
ScanRecord forward_scan(ir::Builder& forward, const ir::Func& func, const ir::Op& op,
                        std::vector<ir::Value> operands, const Flags& params, const Flags& results,
                        std::vector<ir::Value>& results_out);

}  // namespace rondo::passes
