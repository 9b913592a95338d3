// An LSTM by hand over Eigen, as one writes it for speed: features are rows, so that [steps,batch,hidden] is
// a matrix of steps * batch columns; the input's product for all steps at once; in training the gradients of
// the weights as one product each after the walk back.
#include <Eigen/Dense>

#include "benchmarks/compare/peer.h"

namespace {

using compare::Floats;
using Eigen::Index;
using Eigen::MatrixXf;
using Map = Eigen::Map<const MatrixXf>;

class Lstm : public compare::Work {
 public:
  explicit Lstm(const compare::Row& row)
      : row_(row), H(row.hidden), B(row.batch), T(row.steps), train_(row.mode == "train") {
    const compare::Data data = compare::read_data(row);
    const compare::LayerWeights& w = data.layers[0];
    wx_ = Map(w.wx.data(), 4 * H, row.input);
    wh_ = Map(w.wh.data(), 4 * H, H);
    b_ = Map(w.b.data(), 4 * H, 1);
    x_ = Map(data.x.data(), row.input, T * B);
    if (train_) dy_ = Map(data.dy.data(), H, T * B);
    z_.resize(4 * H, T * B);
    h_ = MatrixXf::Zero(H, (T + 1) * B);
    c_ = MatrixXf::Zero(H, (T + 1) * B);
    tanh_c_.resize(H, B * (train_ ? T : 1));
    dz_.resize(4 * H, train_ ? T * B : 0);
  }

  void call() override {
    forward();
    if (train_) backward();
  }

  Floats results() override {
    call();
    Floats all;
    auto append = [&](const auto& m) { all.insert(all.end(), m.data(), m.data() + m.size()); };
    if (train_) {
      append(dwx_), append(dwh_), append(db_), append(dx_);
    } else {
      all.assign(h_.data() + H * B, h_.data() + h_.size());
    }
    return all;
  }

 private:
  void forward() {
    z_.noalias() = wx_ * x_;
    z_.colwise() += b_;
    for (Index t = 0; t < T; ++t) {
      auto z = z_.middleCols(t * B, B);
      z.noalias() += wh_ * h_.middleCols(t * B, B);
      for (Index b = 0; b < B; ++b) cell(t * B + b, train_ ? t * B + b : b);
    }
  }

  /// The gates, c and h of one row at one step; gates stay where they were computed.
  void cell(Index n, Index kept) {
    auto z = z_.col(n).array();
    z.head(2 * H) = z.head(2 * H).logistic();
    z.segment(2 * H, H) = z.segment(2 * H, H).tanh();
    z.tail(H) = z.tail(H).logistic();
    auto c = c_.col(n + B).array();
    c = z.segment(H, H) * c_.col(n).array() + z.head(H) * z.segment(2 * H, H);
    tanh_c_.col(kept) = c.tanh();
    h_.col(n + B) = z.tail(H) * tanh_c_.col(kept).array();
  }

  void backward() {
    dh_ = MatrixXf::Zero(H, B);
    dc_ = MatrixXf::Zero(H, B);
    for (Index t = T - 1; t >= 0; --t) {
      dh_ += dy_.middleCols(t * B, B);
      for (Index b = 0; b < B; ++b) cell_backward(t * B + b, b);
      dh_.noalias() = wh_.transpose() * dz_.middleCols(t * B, B);
    }
    dwx_.noalias() = dz_ * x_.transpose();
    dwh_.noalias() = dz_ * h_.leftCols(T * B).transpose();
    db_ = dz_.rowwise().sum();
    dx_.noalias() = wx_.transpose() * dz_;
  }

  void cell_backward(Index n, Index b) {
    const auto i = z_.col(n).array().head(H), f = z_.col(n).array().segment(H, H);
    const auto g = z_.col(n).array().segment(2 * H, H), o = z_.col(n).array().tail(H);
    const auto tanh_c = tanh_c_.col(n).array(), dh = dh_.col(b).array();
    auto dc = dc_.col(b).array(), dz = dz_.col(n).array();
    dc += dh * o * (1 - tanh_c.square());
    dz.head(H) = dc * g * i * (1 - i);
    dz.segment(H, H) = dc * c_.col(n).array() * f * (1 - f);
    dz.segment(2 * H, H) = dc * i * (1 - g.square());
    dz.tail(H) = dh * tanh_c * o * (1 - o);
    dc *= f;
  }

  compare::Row row_;
  Index H, B, T;
  bool train_;
  MatrixXf wx_, wh_, x_, dy_, z_, h_, c_, tanh_c_, dz_, dh_, dc_, dwx_, dwh_, dx_;
  Eigen::VectorXf b_, db_;
};

}  // namespace

int main() {
  return compare::serve([](const compare::Row& row) {
    if (row.cell != "lstm" || row.layers != 1 || row.mode == "stream" || row.vocabulary > 0)
      throw compare::Unable("one LSTM layer over sequences only");
    return std::make_unique<Lstm>(row);
  });
}
