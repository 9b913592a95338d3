// One place per op: its name, attributes, type rule, meaning, gradient, how it leaves a scan, and lowering.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "ir/builder.h"
#include "ir/func.h"
#include "ir/lowering.h"

namespace rondo::ir {

/// The attributes that text shows; `type` is shown as the result type itself.
enum class Attr : uint8_t { number, type, axes, axis, lo, hi, ta, tb, dim, reverse };

/// How an op reads its operands; lowering decides from this what is computed in place and what lives in a
/// buffer.
enum class OpClass : uint8_t {
  leaf,       // no tensor operands: computed wherever it is used
  pointwise,  // element i of the result from element i of each operand
  slice,      // element i from element i + shift
  view,       // elements of the operand at other indices
  reduction,  // accumulates over dims of its operands
  indexed,    // rows chosen by another operand
  placed,     // writes parts of its buffer (`place`)
  scan,
};

/// A dense tensor of the reference evaluator. i32 and pred are exact in double.
struct Array {
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  std::vector<double> data;  // row-major

  int64_t count() const { return static_cast<int64_t>(data.size()); }
};

struct EvalContext {
  const Func& func;
  const Op& op;
  const DimValues& dims;
  std::span<const Array* const> in;
  std::span<Array> out;  // dtype, shape and data's size are set
};

/// What a gradient rule sees. It returns one cotangent per operand; Value{} where there is none.
struct GradContext {
  Builder& b;        // receives the derivative's ops
  const Func& func;  // the function that is differentiated
  const Op& op;
  std::span<const Value> d;                   // cotangents of the results, values of b
  const std::function<Value(Value)>& primal;  // a value of func, as a value of b

  Value in(size_t i) const { return primal(op.operands[i]); }
  Value out(uint32_t i = 0) const { return primal(op.result(i)); }
  const Type& in_type(size_t i) const { return func.type(op.operands[i]); }
};

/// What a `vectorize` rule sees: an op of a scan's body that shall run for all steps at once. The rule turns
/// it into the op that does.
struct AllSteps {
  Dim steps;
  Attrs attrs;                // the op's
  std::vector<char> stacked;  // per operand, not all 0: has a leading dim of steps; the rest never changes

  /// Repeats the rest for all steps, and counts the leading dim in axes and result type.
  void stack_all();
};
/// False: not with these operands stacked.
using VectorizeRule = bool (*)(AllSteps&);

/// Turns the attributes of an op into those of the op whose result, over operands of all steps, is the sum
/// over the steps of this op's. False: there is none.
using SumRule = bool (*)(Attrs&);

/// How an op works on each row by itself, a row being what stands at one index along a dim: some rows of the
/// result are the op over the same rows of the operands that have them.
struct ByRow {
  static constexpr int64_t kNone = -1;
  std::vector<int64_t> axes;  // per operand: the dim along which it has rows; kNone: each row may need all
  int64_t result = kNone;     // the same of the result; kNone: it is the sum of what the op gives for parts

  bool sums() const { return result == kNone; }
};
/// For rows along `axis`, a dim of the first operand of a reduction, else of the result. None: rows mix.
using ByRowRule = std::optional<ByRow> (*)(const Func&, const Op&, int64_t axis);

/// Elements of an operand, an i32, lie in [low, dim + more).
struct IdRange {
  size_t operand;
  Dim dim;
  int64_t more = 0, low = 0;
};
using IdRangeRule = IdRange (*)(const Func&, const Op&);

/// What a pointwise op gives where an operand is 0 and the others are finite: 0, or the other operand, of
/// three the last.
enum class AtZero : uint8_t { unknown, zero, other };

struct OpDef {
  OpKind kind;
  std::string_view name;  // in text: "const", "matmul"
  int arity;              // operands; -1: any number
  OpClass cls;
  std::vector<Attr> attrs;
  /// Result types. Throws Error with the reason only; the caller adds the op's name and operand types.
  std::vector<Type> (*infer)(const Func&, const Op&, std::span<const Type> in);
  void (*eval)(const EvalContext&);
  std::vector<Value> (*grad)(const GradContext&);  // null: not differentiable, cotangents stop here
  VectorizeRule vectorize = nullptr;  // null: stays in its scan, unless it is the same at every step
  SumRule sum_steps = nullptr;        // null: no op is the sum over steps of this one
  ByRowRule by_row = nullptr;         // null: rows mix
  LowerRule lower;                    // null for placed ops and scan
  PlaceRule place = nullptr;
  IdRangeRule ids = nullptr;  // null: operands may hold any numbers
  int elements_of = -1;  // the operand from whose elements the result's are taken, but for zeros of a pad
  bool cheap = false;    // recomputed rather than stashed for a gradient
  bool linear = false;   // of all operands together: op(x + y) = op(x) + op(y)
  /// Other sets of operands, as bits, of which it is linear together where the rest stay as they are.
  std::array<uint32_t, 2> linear_in = {};
  bool chooses = false;                // each element is that of one of the last two operands
  std::array<AtZero, 2> at_zero = {};  // per operand, of the first two of pointwise ops
};

/// The operand that AtZero::other means for operand i.
inline size_t other_operand(const Op& op, size_t i) { return op.operands.size() == 2 ? 1 - i : 2; }

const OpDef& def_of(OpKind);
/// By the name in text; null if there is none.
const OpDef* find_op(std::string_view name);

}  // namespace rondo::ir
