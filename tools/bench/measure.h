// A compiled model with inputs, ready to be timed; how far it is from the reference evaluator; its memory.
#pragma once

#include <optional>

#include "frontend/compile.h"
#include "tools/bench/models.h"

namespace rondo::bench {

/// Gives x and dy values from [-1, 1), and ids from the vocabulary; the same each time.
void fill_inputs(Program& program, const Spec& spec);

/// How a model is compiled.
BuildOptions build_options(const Spec& spec);

/// A model, compiled for its batch, over inputs that are the same each time.
class Bench {
 public:
  explicit Bench(const Spec& spec);

  Program& program() { return program_; }
  const Weights& weights() const { return built_.weights; }
  /// Of the widest vectors of the CPU that it is compiled for.
  int vector_bytes() const;
  double compile_seconds() const { return times_.total(); }
  /// Of the weights that a step reads which the step before has read.
  size_t read_bytes() const;
  /// Of the matrix products of a call; in training three times those forward.
  double flops() const;
  /// Seconds that a call takes at least on a machine with this peak of multiply-adds and, for one row, this
  /// bandwidth of reading read_bytes() again and again: the products' flops() at the peak, for one row
  /// product by product the longer of both.
  double least_seconds(double peak_gflops, double read_gbs) const;

  /// Seconds a call, over so many calls that follow one which is not counted: what ran before has left other
  /// things in the caches.
  double seconds(int64_t calls);
  /// The number of calls that take so long, at least one.
  int64_t calls_in(double wanted);
  /// Sum of all outputs of the first call from the state zero; in stream mode of the first 16.
  double checksum() const { return checksum_; }

 private:
  ir::Func after_passes() const;

  Spec spec_;
  Built built_;
  BuildTimes times_;
  Program program_;
  double checksum_ = 0;
};

/// The largest |compiled - evaluated| over all outputs of a small instance of the same model.
double max_abs_diff_vs_evaluator(const Spec& spec);

/// Bytes of a program that runs; in training of a whole update.
struct Memory {
  double weights = 0, gradients = 0, optimizer = 0, stash = 0;
  double arguments = 0;  // inputs, outputs and state of its own
  double whole = 0;      // all that the program holds, scratch included
  double needed() const { return weights + gradients + optimizer + stash + arguments; }
};
Memory memory_of(const Spec& spec);

}  // namespace rondo::bench
