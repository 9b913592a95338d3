#include "tests/codegen/loop_programs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "codegen/loops/interpreter.h"
#include "support/threefry.h"

namespace rondo::test {

using namespace ir;

BufferId Loops::input(DType dtype, Poly size) {
  program.buffers.push_back({"in", dtype, size, Buffer::Kind::input, program.inputs++, kNone});
  return static_cast<BufferId>(program.buffers.size() - 1);
}

BufferId Loops::output(DType dtype, Poly size) {
  program.buffers.push_back(
      {"out", dtype, size, Buffer::Kind::output, program.inputs + program.outputs++, kNone});
  return static_cast<BufferId>(program.buffers.size() - 1);
}

BufferId Loops::scratch(DType dtype, Poly size) {
  auto slot = static_cast<uint32_t>(program.slots.size());
  program.slots.push_back(size * Poly(static_cast<int64_t>(size_of(dtype))));
  program.buffers.push_back({"scratch", dtype, size, Buffer::Kind::scratch, kNone, slot});
  return static_cast<BufferId>(program.buffers.size() - 1);
}

void Loops::add(const Kernel& kernel) {
  program.stmts.push_back({std::make_shared<Kernel>(kernel), nullptr, nullptr});
}

NodeId Expr::add(Node n) {
  nodes_.push_back(std::move(n));
  return static_cast<NodeId>(nodes_.size() - 1);
}

NodeId Expr::load(DType dtype, BufferId buffer, std::vector<Poly> strides, Poly offset) {
  Node n;
  n.op = ScalarOp::load;
  n.dtype = dtype;
  n.access.buffer = buffer;
  n.access.strides = std::move(strides);
  n.access.offset = std::move(offset);
  return add(n);
}

NodeId Expr::row(DType dtype, BufferId buffer, NodeId row, Poly row_stride, Poly rows,
                 std::vector<Poly> strides) {
  NodeId id = load(dtype, buffer, std::move(strides));
  nodes_[id].access.row = row;
  nodes_[id].access.row_stride = std::move(row_stride);
  nodes_[id].access.rows = std::move(rows);
  return id;
}

NodeId Expr::constant(DType dtype, double number) {
  Node n;
  n.dtype = dtype;
  n.number = number;
  return add(n);
}

NodeId Expr::index(DType dtype, std::vector<Poly> strides, Poly offset) {
  NodeId id = load(dtype, kNone, std::move(strides), std::move(offset));
  nodes_[id].op = ScalarOp::index;
  return id;
}

NodeId Expr::acc(DType dtype, uint32_t acc) {
  Node n;
  n.op = ScalarOp::acc;
  n.dtype = dtype;
  n.acc = acc;
  return add(n);
}

NodeId Expr::apply(ScalarOp op, DType dtype, std::vector<NodeId> args) {
  Node n;
  n.op = op;
  n.dtype = dtype;
  n.args = std::move(args);
  return add(n);
}

Store store(BufferId buffer, NodeId value, std::vector<Poly> strides, Poly offset) {
  Store s;
  s.access.buffer = buffer;
  s.access.strides = std::move(strides);
  s.access.offset = std::move(offset);
  s.value = value;
  return s;
}

Array random_array(DType dtype, int64_t count, uint32_t seed) {
  Array a{dtype, {count}, std::vector<double>(static_cast<size_t>(count))};
  for (int64_t i = 0; i < count; ++i) {
    double u = threefry_uniform(seed, 0, static_cast<double>(i));
    double v = dtype == DType::i32    ? std::floor(u * 40) - 20
               : dtype == DType::pred ? (u < 0.5 ? 0 : 1)
                                      : u * 4 - 2;
    a.data[i] = v;
  }
  return a;
}

namespace {

struct FreeAligned {
  void operator()(void* p) const { std::free(p); }
};
using Memory = std::unique_ptr<char, FreeAligned>;

Memory allocate(size_t bytes) {
  size_t rounded = (bytes + 127) / 64 * 64;
  Memory m(static_cast<char*>(std::aligned_alloc(64, rounded)));
  std::memset(m.get(), 0xff, rounded);
  return m;
}

template <class T>
void write(char* to, const Array& a) {
  for (size_t i = 0; i < a.data.size(); ++i) reinterpret_cast<T*>(to)[i] = static_cast<T>(a.data[i]);
}

template <class T>
void read(const char* from, Array& a) {
  for (size_t i = 0; i < a.data.size(); ++i) a.data[i] = reinterpret_cast<const T*>(from)[i];
}

void for_dtype(DType t, auto&& visit) {
  switch (t) {
    case DType::f32: return visit(float{});
    case DType::f64: return visit(double{});
    case DType::i32: return visit(int32_t{});
    case DType::pred: return visit(uint8_t{});
  }
}

std::vector<const Buffer*> arguments(const LoopProgram& p) {
  std::vector<const Buffer*> found(p.inputs + p.outputs);
  for (const Buffer& b : p.buffers)
    if (b.kind != Buffer::Kind::scratch) found.at(b.arg) = &b;
  return found;
}

}  // namespace

Native::Native(const LoopProgram& p, const codegen::Target& target)
    : program_(p), code_(codegen::jit(p, target)) {}

std::vector<Array> Native::run(const std::vector<Array>& inputs, const DimValues& dims) const {
  const LoopProgram& p = program_;
  std::vector<Memory> memory;
  std::vector<void*> pointers;
  std::vector<const Buffer*> args = arguments(p);
  for (size_t i = 0; i < args.size(); ++i) {
    memory.push_back(allocate(static_cast<size_t>(args[i]->size.evaluate(dims)) * size_of(args[i]->dtype)));
    pointers.push_back(memory.back().get());
    if (i < inputs.size())
      for_dtype(args[i]->dtype, [&](auto t) { write<decltype(t)>(memory[i].get(), inputs[i]); });
  }
  size_t bytes = 0;
  for (const Poly& slot : p.slots) bytes += static_cast<size_t>((slot.evaluate(dims) + 63) / 64 * 64);
  Memory scratch = allocate(bytes);
  std::vector<int64_t> values;
  for (const std::string& name : p.dims) values.push_back(dims.at(name));
  code_->entry()(pointers.data(), values.data(), scratch.get());
  std::vector<Array> outputs;
  for (size_t i = inputs.size(); i < args.size(); ++i) {
    int64_t count = args[i]->size.evaluate(dims);
    Array a{args[i]->dtype, {count}, std::vector<double>(static_cast<size_t>(count))};
    for_dtype(a.dtype, [&](auto t) { read<decltype(t)>(memory[i].get(), a); });
    // Nothing is written past the end.
    size_t end = static_cast<size_t>(count) * size_of(a.dtype);
    for (size_t byte = end; byte < end + 64; ++byte)
      EXPECT_EQ(static_cast<uint8_t>(memory[i].get()[byte]), 0xff) << "past output";
    outputs.push_back(std::move(a));
  }
  return outputs;
}

std::vector<Array> run_native(const LoopProgram& p, const std::vector<Array>& inputs, const DimValues& dims,
                              const codegen::Target& target) {
  return Native(p, target).run(inputs, dims);
}

std::vector<Array> run_interpreted(const LoopProgram& p, const std::vector<Array>& inputs,
                                   const DimValues& dims) {
  std::vector<std::vector<int64_t>> shapes;
  std::vector<const Buffer*> args = arguments(p);
  for (size_t i = inputs.size(); i < args.size(); ++i) shapes.push_back({args[i]->size.evaluate(dims)});
  return codegen::interpret(p, inputs, shapes, dims);
}

std::vector<Array> random_inputs(const LoopProgram& p, const DimValues& dims) {
  std::vector<Array> inputs;
  std::vector<const Buffer*> args = arguments(p);
  for (uint32_t i = 0; i < p.inputs; ++i) {
    inputs.push_back(random_array(args[i]->dtype, args[i]->size.evaluate(dims), i + 1));
    // The values that f32 memory holds.
    if (args[i]->dtype == DType::f32)
      for (double& v : inputs.back().data) v = static_cast<float>(v);
  }
  return inputs;
}

void expect_near(const std::vector<Array>& expected, const std::vector<Array>& got, double tolerance) {
  for (size_t o = 0; o < expected.size(); ++o)
    for (size_t i = 0; i < expected[o].data.size(); ++i) {
      double want = expected[o].data[i], have = got[o].data[i];
      bool same = std::isnan(want)
                      ? std::isnan(have)
                      : std::abs(want - have) <= tolerance * (1 + std::abs(want)) || want == have;
      ASSERT_TRUE(same) << "output " << o << " element " << i << ": " << have << " is not " << want;
    }
}

void expect_same_for_all(const LoopProgram& p, const std::vector<DimValues>& all, double tolerance,
                         const codegen::Target& target) {
  ASSERT_FALSE(all.empty());
  SCOPED_TRACE("on " + target.cpu);
  const Native native(p, target);
  for (const DimValues& dims : all) {
    std::string trace = "with dims";
    for (const auto& [name, size] : dims) trace += " " + name + "=" + std::to_string(size);
    SCOPED_TRACE(trace);
    std::vector<Array> inputs = random_inputs(p, dims);
    expect_near(run_interpreted(p, inputs, dims), native.run(inputs, dims), tolerance);
  }
}

void expect_same(const LoopProgram& p, const DimValues& dims, double tolerance,
                 const codegen::Target& target) {
  expect_same_for_all(p, {dims}, tolerance, target);
}

std::vector<codegen::Target> targets() {
  codegen::Target host = codegen::target_for();
  std::vector<codegen::Target> found = {host};
  if (host.triple.starts_with("x86_64")) {
    found.push_back(codegen::target_for("x86-64"));
    if (host.fma) found.push_back(codegen::target_for("x86-64-v3"));
  }
  return found;
}

}  // namespace rondo::test
