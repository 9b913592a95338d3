// Each op of ONNX against ONNX Runtime: as ops over inputs, and as constants.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <rondo/rondo.h>
#include <cmath>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>

#include "tests/frontend/reference.h"
#include "tests/import/onnx_graphs.h"

namespace rondo {
namespace {

using ::onnx::NodeProto;

/// The parts of a text between separators, without spaces around them.
std::vector<std::string> parts_of(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) {
    const size_t first = part.find_first_not_of(' ');
    parts.push_back(first == part.npos ? "" : part.substr(first, part.find_last_not_of(' ') - first + 1));
  }
  return parts;
}

template <class T>
std::vector<T> numbers_of(const std::string& text, char separator) {
  std::vector<T> numbers;
  for (const std::string& part : parts_of(text, separator))
    if (!part.empty()) numbers.push_back(std::is_same_v<T, double> ? std::stod(part) : std::stoll(part));
  return numbers;
}

DType dtype_of(char letter) {
  switch (letter) {
    case 'b': return pred;
    case 'i': return i32;
    case 'd': return f64;
    default: return f32;
  }
}

/// "f[2,3]": dtype and shape; what follows is the rest.
ir::Array parse_type(const std::string& text, std::string& rest) {
  const size_t end = text.find(']');
  rest = text.substr(end + 1);
  return {dtype_of(text[0]), numbers_of<int64_t>(text.substr(2, end - 2), ','), {}};
}

struct Input {
  ir::Array array;
  bool constant = false;
};

/// An input of a line; nothing for a dash. Values that are not told are some of either sign.
std::optional<Input> parse_input(const std::string& text, size_t which) {
  if (text == "-") return std::nullopt;
  std::string rest;
  Input input{parse_type(text, rest)};
  if (!rest.empty()) {
    input.array.data = numbers_of<double>(rest.substr(1), ',');
    input.constant = true;
    return input;
  }
  int64_t count = 1;
  for (int64_t n : input.array.shape) count *= n;
  for (int64_t k = 0; k < count; ++k) {
    const double wave = std::sin(1.7 * static_cast<double>(k) + 0.9 * static_cast<double>(which) + 0.3);
    const double value = text[0] == 'f' ? 1.5 * wave : text[0] == 'p' ? std::abs(wave) + 0.25 : wave > 0;
    input.array.data.push_back(static_cast<float>(value));
  }
  return input;
}

/// An attribute "name=value", where the value is a number, [numbers], "text" or ["texts"].
void set_attribute(NodeProto& node, const std::string& text) {
  const size_t equals = text.find('=');
  const std::string name = text.substr(0, equals), value = text.substr(equals + 1);
  if (value.starts_with("[\"")) {
    std::vector<std::string> texts = parts_of(value.substr(1, value.size() - 2), ',');
    for (std::string& text : texts) text = text.substr(1, text.size() - 2);
    return testing::set(node, name, texts);
  }
  if (value[0] == '[' && value.find('.') != value.npos)
    return testing::set(node, name, numbers_of<double>(value.substr(1), ','));
  if (value[0] == '[') return testing::set(node, name, numbers_of<int64_t>(value.substr(1), ','));
  if (value[0] == '"') return testing::set(node, name, value.substr(1, value.size() - 2).c_str());
  if (value.find('.') != value.npos) return testing::set(node, name, std::stod(value));
  testing::set(node, name, static_cast<int64_t>(std::stoll(value)));
}

struct Row {
  std::string op;
  int64_t opset;
  std::vector<std::optional<Input>> inputs;
  std::vector<std::string> attributes;
  std::vector<ir::Array> outputs;
};

Row parse_row(const std::string& line) {
  const std::vector<std::string> fields = parts_of(line, '|'), head = parts_of(fields[0], ' ');
  Row row{head[0], std::stoll(head[1]), {}, {}, {}};
  for (const std::string& text : parts_of(fields[1], ' '))
    row.inputs.push_back(parse_input(text, row.inputs.size()));
  for (const std::string& text : parts_of(fields[2], ' '))
    if (!text.empty()) row.attributes.push_back(text);
  for (const std::string& text : parts_of(fields[3], ';')) {
    std::string rest;
    row.outputs.push_back(parse_type(text, rest));
    row.outputs.back().data = numbers_of<double>(rest, ' ');
  }
  return row;
}

/// A model of the row's node, with all its inputs as constants if they shall be.
::onnx::ModelProto model_of(const Row& row, bool constants) {
  ::onnx::ModelProto model = testing::empty_model(row.opset);
  ::onnx::GraphProto& graph = *model.mutable_graph();
  NodeProto& node = testing::add_node(graph, row.op, {}, {});
  for (size_t i = 0; i < row.inputs.size(); ++i) {
    const std::string name = row.inputs[i] ? fmt::format("x{}", i) : "";
    node.add_input(name);
    if (!row.inputs[i]) continue;
    const ir::Array& array = row.inputs[i]->array;
    std::vector<std::string> dims;
    for (int64_t n : array.shape) dims.push_back(std::to_string(n));
    constants || row.inputs[i]->constant ? testing::add_constant(graph, name, array)
                                         : testing::add_input(graph, name, array.dtype, dims);
  }
  for (const std::string& text : row.attributes) set_attribute(node, text);
  for (size_t i = 0; i < row.outputs.size(); ++i) {
    node.add_output(fmt::format("y{}", i));
    testing::add_output(graph, node.output(static_cast<int>(i)));
  }
  return model;
}

void expect_outputs(const Row& row, bool constants) {
  const ImportedModel model = testing::import(model_of(row, constants));
  test::Reference run(model.function("run"), model.weights);
  for (size_t i = 0; i < row.inputs.size(); ++i)
    if (!constants && row.inputs[i] && !row.inputs[i]->constant)
      run.set(fmt::format("x{}", i), row.inputs[i]->array.shape, row.inputs[i]->array.data);
  run.run();
  for (size_t i = 0; i < row.outputs.size(); ++i) {
    const ir::Array &got = run.at(fmt::format("y{}", i)), &want = row.outputs[i];
    EXPECT_EQ(got.dtype, want.dtype);
    ASSERT_EQ(got.shape, want.shape);
    for (size_t k = 0; k < want.data.size(); ++k)
      EXPECT_NEAR(got.data[k], want.data[k], 1e-5 * std::max(1., std::abs(want.data[k]))) << i << " " << k;
  }
}

/// The rows of the table.
std::vector<std::string> lines() {
  std::ifstream file(RONDO_SOURCE_DIR "/tests/import/onnx_ops.txt");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    if (!line.starts_with("//")) lines.push_back(line);
  return lines;
}

TEST(OnnxOps, AgreeWithOnnxRuntime) {
  EXPECT_GT(lines().size(), 150u);
  for (const std::string& line : lines()) {
    for (bool constants : {false, true}) {
      SCOPED_TRACE(line.substr(0, line.rfind('|')) + (constants ? "(constants)" : ""));
      try {
        expect_outputs(parse_row(line), constants);
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
    }
  }
}

/// The integers of a model's node and of its constants.
std::vector<std::function<void(int64_t)>> integers_of(::onnx::ModelProto& model) {
  std::vector<std::function<void(int64_t)>> setters;
  for (auto& attribute : *model.mutable_graph()->mutable_node(0)->mutable_attribute()) {
    if (attribute.type() == ::onnx::AttributeProto::INT)
      setters.push_back([&](int64_t v) { attribute.set_i(v); });
    for (int i = 0; i < attribute.ints_size(); ++i)
      setters.push_back([&, i](int64_t v) { attribute.set_ints(i, v); });
  }
  for (auto& tensor : *model.mutable_graph()->mutable_initializer())
    for (int i = 0; i < tensor.int64_data_size(); ++i)
      setters.push_back([&, i](int64_t v) { tensor.set_int64_data(i, v); });
  return setters;
}

TEST(OnnxOps, TakeOrRefuseAnyInteger) {
  for (const std::string& line : lines()) {
    for (bool constants : {false, true}) {
      const ::onnx::ModelProto model = model_of(parse_row(line), constants);
      ::onnx::ModelProto changed = model;
      const size_t count = integers_of(changed).size();
      for (size_t i = 0; i < count; ++i) {
        for (int64_t value :
             {int64_t{-1}, int64_t{0}, int64_t{1} << 31, int64_t{1} << 40, INT64_MAX, INT64_MIN}) {
          SCOPED_TRACE(fmt::format("{}: integer {} is {}", line.substr(0, line.rfind('|')), i, value));
          changed = model;
          integers_of(changed)[i](value);
          try {
            testing::import(changed);
          } catch (const Error&) {
          } catch (const std::exception& error) {
            ADD_FAILURE() << error.what();
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace rondo
