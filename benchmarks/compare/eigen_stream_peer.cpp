// One step of an LSTM of one input, with all sizes known to the compiler: -DHIDDEN=16.
#include <Eigen/Dense>

#include "benchmarks/compare/peer.h"

namespace {

constexpr int H = HIDDEN;

class Lstm : public compare::Work {
 public:
  explicit Lstm(const compare::Data& data) : x_(data.x[0]) {
    const compare::LayerWeights& w = data.layers[0];
    wx_ = Eigen::Map<const Eigen::Matrix<float, 4 * H, 1>>(w.wx.data());
    wh_ = Eigen::Map<const Eigen::Matrix<float, 4 * H, H>>(w.wh.data());
    b_ = Eigen::Map<const Eigen::Matrix<float, 4 * H, 1>>(w.b.data());
  }

  void call() override {
    asm volatile("" : "+m"(x_));
    Eigen::Matrix<float, 4 * H, 1> z = wx_ * x_ + b_;
    z.noalias() += wh_ * h_;
    const auto a = z.array();
    c_ = a.template segment<H>(H).logistic() * c_ +
         a.template head<H>().logistic() * a.template segment<H>(2 * H).tanh();
    h_ = a.template tail<H>().logistic() * c_.tanh();
    asm volatile("" : : "r"(h_.data()) : "memory");
  }

  compare::Floats results() override {
    compare::Floats all;
    for (int step = 0; step < 4; ++step) {
      call();
      all.insert(all.end(), h_.data(), h_.data() + H);
    }
    return all;
  }

 private:
  Eigen::Matrix<float, 4 * H, 1> wx_, b_;
  Eigen::Matrix<float, 4 * H, H> wh_;
  Eigen::Matrix<float, H, 1> h_ = Eigen::Matrix<float, H, 1>::Zero();
  Eigen::Array<float, H, 1> c_ = Eigen::Array<float, H, 1>::Zero();
  float x_;
};

}  // namespace

int main() {
  return compare::serve([](const compare::Row& row) {
    if (row.cell != "lstm" || row.mode != "stream" || row.hidden != H || row.input != 1 || row.batch != 1)
      throw compare::Unable("one step of an LSTM of the compiled size only");
    return std::make_unique<Lstm>(compare::read_data(row));
  });
}
