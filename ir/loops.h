// The loop program: kernels and loops over buffers, between the tensor IR and LLVM.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ir/poly.h"
#include "support/dtype.h"

namespace rondo::ir {

using BufferId = uint32_t;
using NodeId = uint32_t;
using LoopId = uint32_t;
inline constexpr uint32_t kNone = ~0u;

/// Where the elements of a tensor live.
struct Buffer {
  enum class Kind : uint8_t { input, output, scratch };
  std::string name;
  DType dtype = DType::f32;
  Poly size;  // elements
  Kind kind = Kind::scratch;
  uint32_t arg = kNone;   // input, output: its index among the arguments (inputs first, then outputs)
  uint32_t slot = kNone;  // scratch: the slot of the arena that plan_memory gave it
  Poly own = {};          // scratch: elements of each thread's own copy; zero: all threads share the buffer
  int64_t row = 1;        // elements of a row: the last dim, if that is a number
};

/// One element of a buffer: offset + sum of kernel variable * stride + sum of loop variable * stride
/// (+ value of `row` * row_stride, for gather and scatter). All in elements.
struct Access {
  BufferId buffer = kNone;
  Poly offset;
  std::vector<Poly> strides;  // one per kernel variable in scope: dims, then the accumulator's own
  std::vector<std::pair<LoopId, Poly>> outer;  // enclosing time loops
  NodeId row = kNone;                          // an i32 node; clamped to [0, rows-1]
  Poly row_stride;
  Poly rows;

  bool operator==(const Access&) const = default;
};

/// The stride over a variable; variables past its strides have stride 0.
inline Poly stride_of(const Access& a, size_t variable) {
  return variable < a.strides.size() ? a.strides[variable] : Poly();
}
inline Poly stride_of_loop(const Access& a, LoopId loop) {
  Poly sum;
  for (const auto& [id, stride] : a.outer)
    if (id == loop) sum += stride;
  return sum;
}

enum class ScalarOp : uint8_t {
  constant,  // number
  load,      // access
  index,  // i32: offset + sum of kernel variable * coefficient (strides of access, constants) + outer loops
  size,   // the value of a polynomial (access.offset) in the dtype
  acc,    // the value of accumulator `acc`
  cast,
  neg,
  exp,
  log,
  tanh,
  sigmoid,
  sqrt,
  rsqrt,
  abs,
  cos,
  floor,
  add,
  sub,
  mul,
  div,
  max,
  min,
  less,
  equal,
  fma,  // floats: x y + z
  select,
  random,  // (key, counter, index): Threefry-2x32-20 of key {key, counter} and counter {index, 0}; top 24
           // bits to [0, 1)
};

/// One node of a scalar expression DAG.
struct Node {
  ScalarOp op = ScalarOp::constant;
  DType dtype = DType::f32;  // of the result
  std::vector<NodeId> args;
  double number = 0;
  Access access;
  uint32_t acc = kNone;

  bool operator==(const Node&) const = default;
};

/// Nodes in topological order, shared where equal.
using Nodes = std::vector<Node>;

enum class AccKind : uint8_t { sum, max, argmax };

/// The order of a sum, which is part of its meaning. All fuse multiply and add where the value is a product,
/// whether its factors are loaded or computed there, and each partial sum starts from zero.
enum class SumOrder : uint8_t {
  chain,     // over the reduced dims in ascending row-major order
  halves,    // two partial sums of a single dim, of the terms of even and of odd number, each a chain; then
             // added
  quarters,  // term i of a single dim goes to partial sum i mod 4; then (0 + 2) + (1 + 3)
  lanes,     // term i of the last reduced dim goes to partial sum i mod 32, outer reduced dims ascending; the
             // partial sums are then added as a tree (l with l+16, l+8, l+4, l+2, l+1)
};
constexpr int64_t partial_sums(SumOrder order) {
  switch (order) {
    case SumOrder::chain: return 1;
    case SumOrder::halves: return 2;
    case SumOrder::quarters: return 4;
    case SumOrder::lanes: return 32;
  }
  return 0;
}

/// A value per point of the kernel's dims, accumulated over further dims. argmax keeps the first of equal
/// maxima and yields an i32; it and max reduce a single dim or more in row-major order.
struct Accumulator {
  AccKind kind = AccKind::sum;
  DType dtype = DType::f32;  // of the value summed or compared
  std::vector<Poly> dims;    // reduced extents, outermost first; their variables follow the kernel's dims
  Nodes nodes;               // the expression of one term, in the scope dims + these dims
  NodeId value = 0;          // into nodes
  SumOrder order = SumOrder::chain;

  bool operator==(const Accumulator&) const = default;
};

struct Store {
  Access access;            // in the scope of the kernel's dims
  NodeId value = 0;         // into the kernel's nodes
  bool add = false;         // adds to what is there, points in row-major order; a chain goes on from it
  bool may_repeat = false;  // several points may store to one element: in row-major order, so the last stays

  bool ordered() const { return add || may_repeat; }
};

/// How the threads of a program share the points of a kernel: by one of its dims.
struct Split {
  uint32_t dim = kNone;  // kNone: one thread runs all points
  int64_t grain = 1;     // runs of consecutive points, of about one length, in multiples of this
  bool in_turn = false;  // or every threads-th point: who runs a point does not depend on the extent
};

/// How a kernel is to be run. Results never depend on it.
struct Schedule {
  enum class Form : uint8_t {
    vector,  // loops over the dims, the last one in lanes
    gemm,    // register tiles over the last two dims, accumulators are products of two loads
    row,     // the same for one row, all of constant size: sums never leave registers
    none,    // not at all: what it copies is packed from where it is (Pack::source)
  };
  Form form = Form::vector;
  uint32_t rows = 1;             // gemm: rows of a register tile
  uint32_t vectors = 1;          // gemm: vectors of lanes of a register tile, for each accumulator
  bool block = false;            // gemm: blocks of k and of rows, operands packed on the way
  std::vector<BufferId> packed;  // for each accumulator's group, the packed right operand, or kNone
  BufferId workspace = kNone;    // gemm with block: for packed operands and sums; row: for the turn of a call
  BufferId overwritten = kNone;  // row: a left operand over which the kernel stores its outputs
  int64_t panel_kb = 128;        // gemm with block: KB of a panel of packed right operands
  int64_t most_terms = 0;        // gemm with block: no sum has more, whatever it is named by; 0: not known
  Split split;                   // of a program for several threads
};

/// One loop nest: for every point of dims (row-major), the accumulators, then the nodes, then the stores.
struct Kernel {
  std::string name;
  std::vector<Poly> dims;
  std::vector<Accumulator> accs;
  Nodes nodes;  // the expression after the accumulators, in the scope of dims
  std::vector<Store> stores;
  Schedule schedule;
};

struct Stmt;

/// Runs its body for its variable in 0..trip-1, or trip-1..0.
struct Loop {
  LoopId id = 0;
  Poly trip;
  bool reverse = false;
  bool windows = false;  // its variable counts windows of steps, whose number is a count where they differ
  std::vector<Stmt> body;
  /// How it may be run; results never depend on it: each point of its only kernel walks all steps by itself.
  bool by_points = false;
  /// Of a loop by points whose carried elements are a h + b: how many stretches of time run side by side,
  /// joined by products of a. Results depend on it by rounding. 0: one after the other.
  int64_t chunks = 0;
  /// It counts rows, of which its kernels finish each, or so many side by side, before the next ones; the
  /// buffers `own` hold as many, and are of no use after them (codegen/loops/fuse_rows.h).
  bool rows = false;
  int64_t abreast = 1;
  std::vector<BufferId> own = {};
};

/// Fills a packed copy of a gemm kernel's right operands. It is a copy in another layout, so it has no
/// meaning of its own.
struct Pack {
  std::shared_ptr<const Kernel> kernel;
  uint32_t group = 0;
  std::shared_ptr<const Kernel> source =
      nullptr;        // reads the operands elsewhere, or terms of them; null: kernel
  int64_t first = 0;  // the place of the source's first term
};

struct Stmt {
  std::shared_ptr<Kernel> kernel;  // exactly one of the three is set
  std::shared_ptr<Loop> loop;
  std::shared_ptr<Pack> pack;
  bool sync = false;  // all threads wait for each other before it
};

/// Says that the elements of input `input`, an i32, must lie in [low, bound): they index rows, or are
/// lengths.
struct IndexBound {
  uint32_t input = 0;
  Poly bound;
  int64_t low = 0;  // at most 0
};

/// A number that the program computes while it runs. The polynomials of kernels may hold its name as they
/// hold those of dims.
struct Count {
  std::string name;         // where `loop` is one of windows, loops inside of which it is meant may share it
  BufferId buffer = kNone;  // i32, not negative
  LoopId loop = kNone;      // the element at this loop's step; kNone: the first
  Poly most;                // it is never more than this
  Poly steps = {};          // without a buffer: the count is min(most, steps - step of loop * most)
};

struct LoopProgram {
  std::string name;
  std::vector<std::string> dims;  // named dims, in the order in which a call passes their values
  std::vector<Count> counts;
  std::vector<Buffer> buffers;
  std::vector<Stmt> stmts;
  std::vector<Poly> slots;  // scratch arena: bytes of each slot; slot i starts where the 64-byte rounded
                            // sizes before it end
  std::vector<IndexBound> bounds;
  uint32_t inputs = 0, outputs = 0;
  /// Packed copies of constants: arguments after the outputs, which who compiles the program has to make.
  /// Those of a program for several threads stand after those of the same program for one.
  std::vector<Pack> prepared;
  int64_t threads = 1;  // each runs all statements, and of each kernel the points that are its share
};

std::string to_string(const LoopProgram&);

}  // namespace rondo::ir
