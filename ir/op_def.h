// One place per op: its name, attributes, type rule, meaning, gradient, how it leaves a scan, and lowering.
#pragma once

#include <functional>
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
  LowerRule lower;                    // null for placed ops and scan
  PlaceRule place = nullptr;
  bool cheap = false;  // recomputed rather than stashed for a gradient
};

const OpDef& def_of(OpKind);
/// By the name in text; null if there is none.
const OpDef* find_op(std::string_view name);

}  // namespace rondo::ir
