// The models that are measured: layers of one cell, written in the DSL as a user writes them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "frontend/function.h"

namespace rondo::bench {

/// One step a call; a sequence a call; forward and backward a call.
enum class Mode { stream, infer, train };
/// Throws Error for a word that names none.
Mode parse_mode(const std::string& text);

struct Spec {
  std::string cell = "lstm";
  Mode mode = Mode::infer;
  int64_t layers = 1, hidden = 256, batch = 1, steps = 50;
  int64_t input = 0;  // 0: as hidden
  /// Not 0: a language model over so many symbols, whose embeddings have the size `input`. Its training is a
  /// whole update with the optimizer, adam or sgd.
  int64_t vocabulary = 0;
  std::string optimizer = "adam";
  int64_t threads = 1;
  std::string schedule = {}, cpu = {};  // as in BuildOptions

  int64_t input_size() const { return input == 0 ? hidden : input; }
  /// Steps a call.
  int64_t call_steps() const { return mode == Mode::stream ? 1 : steps; }
};

/// A model of random weights. Training without a vocabulary is that of the layers alone: from the gradient dy
/// [T,B,H] of their output come those of all parameters and of x.
struct Built {
  Function forward;   // outputs or loss: what work is counted by
  Function function;  // what is compiled
  Function update;    // in training: a whole update by the optimizer
  Weights weights;
};

/// Throws Error for a cell, an optimizer or sizes that there are not.
Built build(const Spec& spec);

/// The dims that its functions leave to be bound, but for the number of steps. The training of layers alone
/// is declared for the batch, so that passes know whether its rows are few.
ir::DimValues dims_to_bind(const Spec& spec);

/// The names of all cells.
std::vector<std::string> cell_names();

}  // namespace rondo::bench
