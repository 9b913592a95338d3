// Layers by oneDNN 2: the library chooses the layout of the weights, and their conversion to it is not timed.
#include <cstring>
#include <tuple>
#include <unordered_map>

#include <oneapi/dnnl/dnnl.hpp>

#include "benchmarks/compare/peer.h"

static_assert(DNNL_VERSION_MAJOR == 2, "the primitives of oneDNN 3 are made in another way");

namespace {

using namespace dnnl;
using compare::Floats;
using tag = memory::format_tag;

constexpr auto kForward = rnn_direction::unidirectional_left2right;

memory::desc type(const memory::dims& dims, tag format) { return {dims, memory::data_type::f32, format}; }

/// The blocks of columns of a matrix in another order: oneDNN's GRU has z before r.
Floats reordered(const Floats& matrix, int64_t hidden, const std::vector<int>& gates) {
  Floats out(matrix.size());
  const int64_t columns = hidden * static_cast<int64_t>(gates.size());
  for (size_t row = 0; row < matrix.size(); row += columns)
    for (size_t g = 0; g < gates.size(); ++g)
      std::copy_n(&matrix[row + gates[g] * hidden], hidden, &out[row + g * hidden]);
  return out;
}

class Layer : public compare::Work {
 public:
  explicit Layer(const compare::Row& row) : row_(row), train_(row.mode == "train") {
    L = row.layers, I = row.input, H = row.hidden, B = row.batch, T = row.mode == "stream" ? 1 : row.steps;
    G = row.gates();
    data_ = compare::read_data(row);
    src_ = type({T, B, I}, tag::tnc), dst_ = type({T, B, H}, tag::tnc);
    state_ = type({L, 1, B, H}, tag::ldnc);
    wx_user_ = type({L, 1, I, G, H}, tag::ldigo), wh_user_ = type({L, 1, H, G, H}, tag::ldigo);
    bias_ = type({L, 1, row.cell == "gru" ? G + 1 : G, H}, tag::ldgo);
    wx_any_ = type({L, 1, I, G, H}, tag::any), wh_any_ = type({L, 1, H, G, H}, tag::any);
    if (row.cell == "lstm") {
      make<lstm_forward, lstm_backward>(std::tie(state_, state_));
    } else if (row.cell == "gru") {
      make<lbr_gru_forward, lbr_gru_backward>(std::tie(state_));
    } else {
      make<vanilla_rnn_forward, vanilla_rnn_backward>(std::tie(state_), algorithm::eltwise_tanh);
    }
    fill();
  }

  void call() override {
    forward_.execute(stream_, forward_args_);
    if (train_) {
      for (int arg : {DNNL_ARG_DIFF_WEIGHTS_LAYER, DNNL_ARG_DIFF_WEIGHTS_ITER, DNNL_ARG_DIFF_BIAS}) {
        memory& gradient = backward_args_.at(arg);  // the primitive adds to it
        std::memset(gradient.get_data_handle(), 0, gradient.get_desc().get_size());
      }
      backward_.execute(stream_, backward_args_);
    }
    stream_.wait();
    if (row_.mode == "stream") {  // the state of the next step
      copy(forward_args_.at(DNNL_ARG_DST_ITER), forward_args_.at(DNNL_ARG_SRC_ITER));
      if (row_.cell == "lstm")
        copy(forward_args_.at(DNNL_ARG_DST_ITER_C), forward_args_.at(DNNL_ARG_SRC_ITER_C));
    }
  }

  Floats results() override {
    Floats all;
    for (int calls = row_.mode == "stream" ? 4 : 1; calls > 0; --calls) {
      call();
      if (!train_) append(all, forward_args_.at(DNNL_ARG_DST_LAYER));
    }
    if (train_) append_gradients(all);
    return all;
  }

 private:
  /// states: what the cell hands on, as descriptions: its output, and an LSTM's memory.
  template <class Forward, class Backward, class States, class... Algorithm>
  void make(const States& states, Algorithm... algorithm) {
    const auto layer =
        std::tuple_cat(std::tie(src_), states, std::tie(wx_any_, wh_any_, bias_, dst_), states);
    const auto kind = train_ ? prop_kind::forward_training : prop_kind::forward_inference;
    const auto forward = std::apply(
        [&](const auto&... descs) {
          return typename Forward::primitive_desc({kind, algorithm..., kForward, descs...}, engine_);
        },
        layer);
    forward_ = Forward(forward);
    add_forward(forward);
    if (!train_) return;
    const auto backward = std::apply(
        [&](const auto&... descs) {
          return typename Backward::primitive_desc({prop_kind::backward, algorithm..., kForward, descs...},
                                                   engine_, forward);
        },
        std::tuple_cat(layer, layer));
    backward_ = Backward(backward);
    add_backward(backward);
  }

  template <class Desc>
  void add_forward(const Desc& d) {
    forward_args_ = {{DNNL_ARG_SRC_LAYER, zeros(src_)},
                     {DNNL_ARG_SRC_ITER, zeros(state_)},
                     {DNNL_ARG_WEIGHTS_LAYER, zeros(d.weights_layer_desc())},
                     {DNNL_ARG_WEIGHTS_ITER, zeros(d.weights_iter_desc())},
                     {DNNL_ARG_BIAS, zeros(bias_)},
                     {DNNL_ARG_DST_LAYER, zeros(dst_)},
                     {DNNL_ARG_DST_ITER, zeros(state_)}};
    if (train_) forward_args_[DNNL_ARG_WORKSPACE] = zeros(d.workspace_desc());
    if (row_.cell != "lstm") return;
    forward_args_[DNNL_ARG_SRC_ITER_C] = zeros(state_);
    forward_args_[DNNL_ARG_DST_ITER_C] = zeros(state_);
  }

  template <class Desc>
  void add_backward(const Desc& d) {
    backward_args_ = forward_args_;
    backward_args_[DNNL_ARG_WEIGHTS_LAYER] = zeros(d.weights_layer_desc());
    backward_args_[DNNL_ARG_WEIGHTS_ITER] = zeros(d.weights_iter_desc());
    backward_args_[DNNL_ARG_DIFF_SRC_LAYER] = zeros(src_);
    backward_args_[DNNL_ARG_DIFF_SRC_ITER] = zeros(state_);
    backward_args_[DNNL_ARG_DIFF_WEIGHTS_LAYER] = zeros(d.diff_weights_layer_desc());
    backward_args_[DNNL_ARG_DIFF_WEIGHTS_ITER] = zeros(d.diff_weights_iter_desc());
    backward_args_[DNNL_ARG_DIFF_BIAS] = zeros(bias_);
    backward_args_[DNNL_ARG_DIFF_DST_LAYER] = zeros(dst_);
    backward_args_[DNNL_ARG_DIFF_DST_ITER] = zeros(state_);
    if (row_.cell != "lstm") return;
    backward_args_[DNNL_ARG_DIFF_SRC_ITER_C] = zeros(state_);
    backward_args_[DNNL_ARG_DIFF_DST_ITER_C] = zeros(state_);
  }

  memory zeros(const memory::desc& desc) {
    memory m(desc, engine_);
    std::memset(m.get_data_handle(), 0, desc.get_size());
    return m;
  }

  std::vector<int> order() const {
    return row_.cell == "lstm"  ? std::vector{0, 1, 2, 3}
           : row_.cell == "gru" ? std::vector{1, 0, 2}
                                : std::vector{0};
  }

  void fill() {
    Floats wx, wh, bias;
    auto add = [](Floats& to, const Floats& from) { to.insert(to.end(), from.begin(), from.end()); };
    for (const compare::LayerWeights& w : data_.layers) {
      add(wx, reordered(w.wx, H, order())), add(wh, reordered(w.wh, H, order()));
      Floats b = w.b;
      if (row_.cell == "gru") {  // the biases of the reset and update gates are one
        for (int64_t i = 0; i < 2 * H; ++i) b[i] += w.bh[i];
        b = reordered(b, H, order());
        b.insert(b.end(), w.bh.begin() + 2 * H, w.bh.end());
      }
      add(bias, b);
    }
    put(forward_args_, DNNL_ARG_WEIGHTS_LAYER, wx, wx_user_);
    put(forward_args_, DNNL_ARG_WEIGHTS_ITER, wh, wh_user_);
    put(forward_args_, DNNL_ARG_BIAS, bias, bias_);
    put(forward_args_, DNNL_ARG_SRC_LAYER, data_.x, src_);
    if (!train_) return;
    put(backward_args_, DNNL_ARG_WEIGHTS_LAYER, wx, wx_user_);
    put(backward_args_, DNNL_ARG_WEIGHTS_ITER, wh, wh_user_);
    put(backward_args_, DNNL_ARG_DIFF_DST_LAYER, data_.dy, dst_);
  }

  void put(std::unordered_map<int, memory>& args, int arg, Floats& values, const memory::desc& from) {
    memory user(from, engine_, values.data());
    reorder(user, args.at(arg)).execute(stream_, user, args.at(arg));
    stream_.wait();
  }

  void append(Floats& to, memory from) {
    const auto* data = static_cast<const float*>(from.get_data_handle());
    to.insert(to.end(), data, data + from.get_desc().get_size() / sizeof(float));
  }

  /// As compare::Data has them; of a GRU the gradients of both biases follow from those of oneDNN's one.
  void append_gradients(Floats& to) {
    auto matrix = [&](int arg, const memory::desc& user_desc) {
      memory user(user_desc, engine_);
      reorder(backward_args_.at(arg), user).execute(stream_, backward_args_.at(arg), user);
      stream_.wait();
      Floats values;
      append(values, user);
      return reordered(values, H, order());
    };
    const Floats wx = matrix(DNNL_ARG_DIFF_WEIGHTS_LAYER, wx_user_),
                 wh = matrix(DNNL_ARG_DIFF_WEIGHTS_ITER, wh_user_);
    Floats bias;
    append(bias, backward_args_.at(DNNL_ARG_DIFF_BIAS));
    const int64_t each_x = I * G * H, each_h = H * G * H, biases = row_.cell == "gru" ? 4 : G;
    for (int64_t layer = 0; layer < L; ++layer) {
      to.insert(to.end(), &wx[layer * each_x], &wx[layer * each_x] + each_x);
      to.insert(to.end(), &wh[layer * each_h], &wh[layer * each_h] + each_h);
      const float* b = &bias[layer * biases * H];
      const Floats first = reordered(Floats(b, b + G * H), H, order());
      to.insert(to.end(), first.begin(), first.end());
      if (row_.cell != "gru") continue;
      to.insert(to.end(), first.begin(), first.begin() + 2 * H);
      to.insert(to.end(), b + 3 * H, b + 4 * H);
    }
    append(to, backward_args_.at(DNNL_ARG_DIFF_SRC_LAYER));
  }

  static void copy(const memory& from, memory& to) {
    std::memcpy(to.get_data_handle(), from.get_data_handle(), from.get_desc().get_size());
  }

  compare::Row row_;
  bool train_;
  int64_t L, I, H, B, T, G;
  compare::Data data_;
  engine engine_{engine::kind::cpu, 0};
  stream stream_{engine_};
  memory::desc src_, dst_, state_, wx_user_, wh_user_, wx_any_, wh_any_, bias_;
  primitive forward_, backward_;
  std::unordered_map<int, memory> forward_args_, backward_args_;
};

}  // namespace

int main() {
  return compare::serve([](const compare::Row& row) {
    if (row.cell != "lstm" && row.cell != "gru" && row.cell != "rnn")
      throw compare::Unable("LSTM, GRU and RNN only");
    if (row.vocabulary > 0) throw compare::Unable("recurrent layers only");
    if (row.layers > 1 && row.input != row.hidden) throw compare::Unable("layers of one size only");
    return std::make_unique<Layer>(row);
  });
}
