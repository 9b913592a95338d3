// Rondo's side of the comparison. It makes the numbers of each row as well: the others read them.
#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "benchmarks/compare/peer.h"
#include "frontend/arrays.h"
#include "tools/bench/machine.h"
#include "tools/bench/measure.h"

namespace {

using namespace rondo;
using compare::Floats;

bench::Spec spec_of(const compare::Row& row) {
  return {.cell = row.cell,
          .mode = bench::parse_mode(row.mode),
          .layers = row.layers,
          .hidden = row.hidden,
          .batch = row.batch,
          .steps = row.steps,
          .input = row.input,
          .vocabulary = row.vocabulary,
          .optimizer = row.optimizer,
          .threads = row.threads,
          .cpu = row.cpu};
}

void append(Floats& to, std::span<const float> values) { to.insert(to.end(), values.begin(), values.end()); }

/// The parameters of a layer in the order of compare::LayerWeights; of an own LSTM with its gates side by
/// side.
void append_layer(Floats& to, const std::string& cell,
                  const std::function<Buffer(const std::string&)>& find) {
  const std::vector<const char*> names =
      cell == "gru" ? std::vector{"wx", "wh", "b", "bh"} : std::vector{"wx", "wh", "b"};
  for (const char* name : names) {
    if (cell != "own-lstm") {
      append(to, find(name).as<float>());
      continue;
    }
    std::vector<Buffer> gates;
    for (const char* gate : {"i.", "f.", "g.", "o."}) gates.push_back(find(std::string(gate) + name));
    const int64_t columns = gates[0].shape().back();
    for (int64_t row = 0; row < gates[0].count() / columns; ++row)
      for (Buffer& gate : gates) append(to, gate.as<float>().subspan(row * columns, columns));
  }
}

class RondoWork : public compare::Work {
 public:
  explicit RondoWork(const compare::Row& row) : row_(row), bench_(spec_of(row)) {
    Program& p = bench_.program();
    p.reset();
    write_data();
    for (int calls = row.mode == "stream" ? 4 : 1; calls > 0; --calls) {
      p.run();
      if (row.vocabulary > 0) break;
      if (row.mode != "train") append(results_, p.f32("y"));
    }
    if (row.mode == "train" && row.vocabulary == 0) gradients();
  }
  void call() override { bench_.program().run(); }
  Floats results() override { return results_; }
  /// What compare.py has to know of the row.
  std::string facts() const {
    return fmt::format("{} {} {}", bench_.flops(), bench_.read_bytes(), bench_.compile_seconds());
  }
  double least_seconds(double peak, double read) const { return bench_.least_seconds(peak, read); }
  double peak_gflops() const { return bench::fma_peak_gflops(row_.threads, bench_.vector_bytes()); }
  double read_gbs(size_t bytes) const {
    return bench::ReadBandwidth(bytes, row_.threads, bench_.vector_bytes()).gbs();
  }

 private:
  void write_data() {
    if (row_.vocabulary > 0) return;
    Program& p = bench_.program();
    Floats data;
    each_layer(data, "");
    append(data, p.f32("x"));
    if (row_.mode == "train") append(data, p.f32("dy"));
    compare::write_floats(row_.data, data);
  }
  void gradients() {
    each_layer(results_, "d_");
    append(results_, bench_.program().f32("d_x"));
  }
  void each_layer(Floats& to, const std::string& prefix) {
    for (int layer = 0; layer < row_.layers; ++layer)
      append_layer(to, row_.cell, [&](const std::string& name) {
        return bench_.program().buffer(fmt::format("{}layer{}.{}", prefix, layer, name));
      });
  }

  compare::Row row_;
  bench::Bench bench_;
  Floats results_;
};

}  // namespace

int main() {
  setenv("RONDO_CACHE", "off", 0);
  const RondoWork* work = nullptr;
  auto make = [&](const compare::Row& row) {
    auto made = std::make_unique<RondoWork>(row);
    work = made.get();
    return made;
  };
  auto more = [&](const std::string& line) -> std::string {
    if (line == "peak") return fmt::format("{}", work->peak_gflops());
    if (line == "facts") return work->facts();
    if (line.starts_with("read ")) return fmt::format("{}", work->read_gbs(std::stoull(line.substr(5))));
    if (line.starts_with("least ")) {
      const size_t space = line.find(' ', 6);
      return fmt::format("{}", work->least_seconds(std::stod(line.substr(6)), std::stod(line.substr(space))));
    }
    return "no such command";
  };
  return compare::serve(make, more);
}
