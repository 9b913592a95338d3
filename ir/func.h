// Functions of the tensor IR: SSA in execution order, values are ids, regions are isolated.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ir/op_kind.h"
#include "ir/type.h"

namespace rondo::ir {

struct Func;

/// An id into the Func that owns the value.
struct Value {
  static constexpr uint32_t kNone = ~0u;
  uint32_t id = kNone;

  explicit operator bool() const { return id != kNone; }
  bool operator==(const Value&) const = default;
  auto operator<=>(const Value&) const = default;
};

/// The attributes of an op. Which of them an op has, its OpDef lists; the others keep their defaults.
struct Attrs {
  double number = 0;  // const: the value of every element
  // The result's type, printed as such: const, iota, size, random, cast, broadcast, reshape, scatter_add.
  Type type = {};
  std::vector<int64_t> axes = {};  // transpose, broadcast, reduce_sum, reduce_max
  int64_t axis = 0;                // iota, slice, pad, concat, argmax
  int64_t lo = 0, hi = 0;          // slice: first and one past the last; pad: elements before and after;
                                   // in_range: from lo to hi more than dim
  bool ta = false, tb = false;     // matmul
  Dim dim = {};  // size, in_range: which dim; sum_repeated: of the ids; scan without xs: the trip count
  bool reverse = false;              // scan
  uint32_t consts = 0, carries = 0;  // scan: how many operands are consts and carries; xs follow
  bool lengths = false;              // scan: the last operand is the rows' lengths
  int64_t chunks = 0;                // scan: stretches of time that may run side by side; 0: none may
  Dim window = {};   // scan: the body's name for the number of its steps, if it runs for windows of them
  Dim longest = {};  // scan of windows: the most steps of one

  bool operator==(const Attrs&) const = default;
};

/// One op. Results are consecutive values. Only scan has several results and a body.
///
/// scan: operands are consts(C), carries' initial values(S), xs(X). The body's params are C, S and one slice
/// of each x (leading dim T dropped); its results are the S next carries and any number of ys. The op's
/// results are the final carries and the ys stacked along a new leading T. `reverse` walks T-1..0 and still
/// writes y_t at index t. T is the leading dim of the xs, or attrs.dim where there are none.
///
/// With lengths L, an i32[B] of numbers from 0 to T, row b takes part in steps t < L[b] only: beyond, its
/// carries stay, its ys are zero, and the body reads zeros for its slices of float xs. In reverse each row
/// thus starts at its own last step. Carries, ys and the slices of float xs have B as their leading dim.
///
/// A scan of windows runs its body once for each `longest` steps, the last time for those that are left:
/// window i are the steps from i * longest on. The body gets windows of the xs whose param there has the dim
/// `window`, which stands for their number of steps, in place of T, and one slice a window of the others,
/// whose leading dim is T/longest; the same holds for ys. T is attrs.dim, and what is called steps here may
/// be rows as well: x and y have T where their windows have `window`, in front or elsewhere. In reverse the
/// last window comes first.
///
/// With chunks K, steps mean what they mean without, but a carry  a h + b  may be computed in K stretches of
/// time side by side, which are joined by products of a: rounding then depends on T.
struct Op {
  OpKind kind = OpKind::constant;
  std::vector<Value> operands;
  Attrs attrs;
  Value first_result;
  uint32_t result_count = 1;
  std::shared_ptr<const Func> body;

  Value result(uint32_t i = 0) const { return {first_result.id + i}; }
};

/// A function, or the body of a scan. Nothing is captured: a body sees its own params only.
struct Func {
  struct ValueInfo {
    Type type;
    std::string name;  // the source's name without '%'; may be empty
    int32_t op = -1;   // index of the defining op; -1 for a param
  };

  std::string name;
  std::vector<ValueInfo> values;
  std::vector<Value> params;
  std::vector<Op> ops;
  std::vector<Value> results;

  const Type& type(Value v) const { return values[v.id].type; }
  const std::string& value_name(Value v) const { return values[v.id].name; }
  /// The op that defines v, or null for a param.
  const Op* def(Value v) const { return values[v.id].op < 0 ? nullptr : &ops[values[v.id].op]; }
};

/// The parts of a scan op, named.
struct ScanView {
  explicit ScanView(const Op&);
  const Op& op;
  const Func& body;
  uint32_t consts, carries, xs, ys;

  Value const_operand(uint32_t i) const { return op.operands[i]; }
  Value init(uint32_t i) const { return op.operands[consts + i]; }
  Value x(uint32_t i) const { return op.operands[consts + carries + i]; }
  /// Value{} for none.
  Value lengths() const { return op.attrs.lengths ? op.operands.back() : Value{}; }
  Value const_param(uint32_t i) const { return body.params[i]; }
  Value carry_param(uint32_t i) const { return body.params[consts + i]; }
  Value x_param(uint32_t i) const { return body.params[consts + carries + i]; }
  Value next(uint32_t i) const { return body.results[i]; }
  Value y_value(uint32_t i) const { return body.results[carries + i]; }
  bool windows() const { return op.attrs.window.is_named(); }
  /// The dim of a param or result of the body along which it is a window of an x or y; -1: it is one slice.
  int64_t window_axis(Value v) const;
  bool is_window(Value v) const { return window_axis(v) >= 0; }
  Value final_carry(uint32_t i) const { return op.result(i); }
  Value y(uint32_t i) const { return op.result(carries + i); }
};

/// How often a scan of func runs its body: for each element of its xs, or `dim` times where there are none;
/// or for each of its windows.
Dim trip_count(const Func& func, const Op& scan);

/// Every named dim of the function (its bodies included), in order of first appearance.
std::vector<std::string> named_dims(const Func&);

/// The function with numbers for named dims, its bodies included.
Func replace_dims(const Func&, const DimValues&);

/// For each value of func: how many operands (of ops and of the return) are that value.
std::vector<uint32_t> use_counts(const Func&);

}  // namespace rondo::ir
