// One step of an LSTM or GRU of one input by RTNeural, with all sizes known to the compiler: -DHIDDEN=16.
#include <RTNeural/RTNeural.h>

#include "benchmarks/compare/peer.h"

namespace {

constexpr int H = HIDDEN;

using Matrix = std::vector<std::vector<float>>;

/// Rows of `columns`; RTNeural's GRU has z before r.
Matrix rows_of(const compare::Floats& values, int columns, bool swap_rz) {
  Matrix rows;
  for (size_t at = 0; at < values.size(); at += columns) {
    rows.emplace_back(values.begin() + at, values.begin() + at + columns);
    if (swap_rz) std::swap_ranges(rows.back().begin(), rows.back().begin() + H, rows.back().begin() + H);
  }
  return rows;
}

template <class Layer>
class Step : public compare::Work {
 public:
  Step(const compare::Row& row, const compare::Data& data) : x_(data.x[0]) {
    const compare::LayerWeights& w = data.layers[0];
    const bool gru = row.cell == "gru";
    const int columns = row.gates() * H;
    auto& layer = model_.template get<0>();
    layer.setWVals(rows_of(w.wx, columns, gru));
    layer.setUVals(rows_of(w.wh, columns, gru));
    if constexpr (requires(Matrix b) { layer.setBVals(b); }) {
      compare::Floats both = w.b;
      both.insert(both.end(), w.bh.begin(), w.bh.end());
      layer.setBVals(rows_of(both, columns, gru));
    } else {
      layer.setBVals(w.b);
    }
    model_.reset();
  }
  void call() override { model_.forward(&x_); }
  compare::Floats results() override {
    compare::Floats all;
    for (int step = 0; step < 4; ++step) {
      call();
      all.insert(all.end(), model_.getOutputs(), model_.getOutputs() + H);
    }
    return all;
  }

 private:
  RTNeural::ModelT<float, 1, H, Layer> model_;
  alignas(64) float x_;
};

}  // namespace

int main() {
  return compare::serve([](const compare::Row& row) -> std::unique_ptr<compare::Work> {
    if (row.mode != "stream" || row.hidden != H || row.input != 1 || row.batch != 1)
      throw compare::Unable("one step of the compiled size only");
    const compare::Data data = compare::read_data(row);
    if (row.cell == "lstm") return std::make_unique<Step<RTNeural::LSTMLayerT<float, 1, H>>>(row, data);
    if (row.cell == "gru") return std::make_unique<Step<RTNeural::GRULayerT<float, 1, H>>>(row, data);
    throw compare::Unable("LSTM and GRU only");
  });
}
