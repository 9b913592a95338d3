// Values of a scan's body, for all steps, to what comes after the scan.
#pragma once

#include <vector>

#include "ir/builder.h"
#include "passes/activity.h"
#include "passes/vectorize.h"

namespace rondo::passes {

/// Emits a scan with some of its results left out, and with further ys. Returns its results (Value{} for
/// those left out), then those of the further ys. A carry that is left out must not be read by what stays.
std::vector<ir::Value> emit_scan_with(ir::Builder& b, const ir::Func& func, const ir::Op& op,
                                      const std::vector<ir::Value>& operands, const Flags& keep_results,
                                      const std::vector<ir::Value>& further_ys);

/// Decides how each needed value is had after the scan: consts and xs are its operands, ys its results;
/// leaves are made again, and so is what is cheap and made of such, and what does not change from step to
/// step; the rest become further ys.
class AfterScan {
 public:
  /// `keep_results` flags the results that stay. `moved` flags values of the body whose ops run after the
  /// scan in any case.
  AfterScan(const ir::Func& func, const ir::Op& op, std::vector<ir::Value> operands, Flags keep_results,
            Flags moved);

  void need(ir::Value v) { needed_[v.id] = true; }
  /// Emits the scan and what is made again, after all calls of need().
  void emit(ir::Builder& b);

  /// A needed value of the body.
  const Outside& operator[](ir::Value v) const { return outside_[v.id]; }
  /// A result of the scan that stays.
  ir::Value result(uint32_t i) const { return results_[i]; }
  const ir::Dim& steps() const { return steps_; }

 private:
  enum class Source : char { none, operand, y, made };
  void choose();
  bool can_make(const ir::Op& op) const;

  const ir::Func& func_;
  const ir::Op& op_;
  const ir::ScanView scan_;
  const std::vector<ir::Value> operands_;
  const ir::Dim steps_;
  const Flags keep_;
  // Of the values of the body:
  const Flags moved_, changing_;
  Flags needed_;
  std::vector<Source> source_;
  std::vector<Outside> outside_;
  std::vector<ir::Value> further_ys_, results_;
};

}  // namespace rondo::passes
