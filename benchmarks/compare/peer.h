// What all programs of the comparison share: a row to measure, its numbers, and the talk with compare.py.
//
// A program reads commands from standard input and answers each by a line. `setup KEY=VALUE ...` makes what a
// row says and writes its results: `ready`, or `no WHY`. `time SECONDS` runs it for about as long, at least
// once: seconds a call.
#pragma once

#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace compare {

/// A row of the table. Layers of a cell from `input` to `hidden` over [steps,batch]; in the mode stream a
/// call is a step.
struct Row {
  std::string cell, mode;
  int layers = 1, input = 0, hidden = 0, batch = 1, steps = 1, vocabulary = 0;
  std::string optimizer;
  int threads = 1;        // those that the environment does not set
  std::string cpu;        // that Rondo compiles for; empty: the host's
  std::string data, out;  // files of floats: what goes in, what came out

  int gates() const { return cell == "lstm" ? 4 : cell == "gru" ? 3 : 1; }
  int width(int layer) const { return layer == 0 ? input : hidden; }
};

inline Row parse_row(const std::string& line) {
  std::map<std::string, std::string> values;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    if (equals != word.npos) values[word.substr(0, equals)] = word.substr(equals + 1);
  }
  auto number = [&](const char* key) { return std::stoi(values.at(key)); };
  return {values.at("cell"),      values.at("mode"), number("layers"), number("input"),
          number("hidden"),       number("batch"),   number("steps"),  number("vocabulary"),
          values.at("optimizer"), number("threads"), values.at("cpu"), values.at("data"),
          values.at("out")};
}

using Floats = std::vector<float>;

/// Gates in the order i f g o (LSTM) and r z n (GRU, reset after the product): wx [width, gates * hidden],
/// wh [hidden, gates * hidden], b and, of a GRU, bh [gates * hidden].
struct LayerWeights {
  Floats wx, wh, b, bh;
};

/// What the file `data` holds: the layers' weights, x [steps,batch,input] and in training dy
/// [steps,batch,hidden], the gradient of the output.
struct Data {
  std::vector<LayerWeights> layers;
  Floats x, dy;
};

inline Data read_data(const Row& row) {
  std::ifstream file(row.data, std::ios::binary);
  auto take = [&](size_t count) {
    Floats values(count);
    file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(float)));
    if (!file) throw std::runtime_error(row.data + " is too short");
    return values;
  };
  Data data;
  const size_t hidden = row.hidden, columns = row.gates() * hidden, rows = size_t(row.steps) * row.batch;
  for (int layer = 0; layer < row.layers; ++layer) {
    LayerWeights w{take(row.width(layer) * columns), take(hidden * columns), take(columns), {}};
    if (row.cell == "gru") w.bh = take(columns);
    data.layers.push_back(std::move(w));
  }
  data.x = take(rows * row.input);
  if (row.mode == "train") data.dy = take(rows * hidden);
  return data;
}

/// What a program makes of a row.
class Work {
 public:
  virtual ~Work() = default;
  virtual void call() = 0;
  /// Of the first call, or in the mode stream of the first four: y [steps,batch,hidden]; in training the
  /// gradients of the weights, as they lie in `Data`, then dx [steps,batch,input].
  virtual Floats results() = 0;
};

/// A row that this program does not do.
struct Unable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double seconds_a_call(Work& work, double wanted) {
  const double start = now();
  long calls = 0, batch = 1;
  double taken = 0;
  while (taken < wanted) {
    for (long i = 0; i < batch; ++i) work.call();
    calls += batch;
    taken = now() - start;
    if (taken < wanted / 8) batch *= 2;  // reading the clock takes longer than a small step
  }
  return taken / static_cast<double>(calls);
}

inline void write_floats(const std::string& path, const Floats& values) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size() * sizeof(float)));
}

using Make = std::function<std::unique_ptr<Work>(const Row&)>;
/// Commands of one program besides; an empty answer: unknown.
using More = std::function<std::string(const std::string& line)>;

inline int serve(const Make& make, const More& more = {}) {
  std::unique_ptr<Work> work;
  for (std::string line; std::getline(std::cin, line);) {
    try {
      if (line.starts_with("setup ")) {
        const Row row = parse_row(line);
        work.reset();
        work = make(row);
        write_floats(row.out, work->results());
        std::cout << "ready" << std::endl;
      } else if (line.starts_with("time ")) {
        std::cout << seconds_a_call(*work, std::stod(line.substr(5))) << std::endl;
      } else {
        std::cout << (more ? more(line) : "") << std::endl;
      }
    } catch (const std::exception& e) {
      std::cout << "no " << e.what() << std::endl;
    }
  }
  return 0;
}

}  // namespace compare
