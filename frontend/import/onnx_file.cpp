#include "frontend/import/onnx_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <set>

#include "support/error.h"

#if RONDO_WITH_ONNX
#include <onnx/onnx_pb.h>
#endif

namespace rondo::onnx {

std::string clean_name(const std::string& name, bool keep_dots) {
  std::string clean;
  for (unsigned char c : name)
    clean += std::isalnum(c) || (c == '.' && keep_dots) ? static_cast<char>(c) : '_';
  if (clean.empty() || std::isdigit(static_cast<unsigned char>(clean[0]))) clean.insert(clean.begin(), '_');
  return clean;
}

#if RONDO_WITH_ONNX
namespace {

using ::onnx::AttributeProto;
using ::onnx::TensorProto;

constexpr int64_t kFirstOpset = 7, kLastOpset = 26;  // whose rules are known here

/// A text that fits in the line of an error, where names and values of attributes stand.
std::string line_of(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return c < ' ' || c == 127; }, '?');
  return name;
}

std::vector<std::string> lines_of(const auto& names) {
  std::vector<std::string> lines;
  for (const std::string& name : names) lines.push_back(line_of(name));
  return lines;
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  Model read(const std::string& bytes) {
    ::onnx::ModelProto proto;
    if (bytes.empty() || !proto.ParseFromString(bytes) || !proto.has_graph()) fail("is no ONNX model");
    for (const auto& set : proto.opset_import())
      if (is_standard(set.domain())) model_.opset = set.version();
    if (model_.opset < kFirstOpset || model_.opset > kLastOpset)
      fail(fmt::format("has opset {}; {} to {} are supported", model_.opset, kFirstOpset, kLastOpset));
    if (proto.has_producer_name()) model_.metadata["producer"] = proto.producer_name();
    for (const auto& entry : proto.metadata_props()) model_.metadata[entry.key()] = entry.value();
    model_.graph = graph(proto.graph(), true);
    return std::move(model_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(fmt::format("rondo: {}: {}", path_, line_of(what)));
  }

  static bool is_standard(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

  Graph graph(const ::onnx::GraphProto& proto, bool outermost) {
    Graph graph;
    if (proto.sparse_initializer_size()) fail("sparse initializers are not supported");
    for (const TensorProto& tensor : proto.initializer()) {
      if (tensor.name().empty()) fail("an initializer has no name");
      if (!graph.constants.emplace(line_of(tensor.name()), constant(tensor, "initializer " + tensor.name()))
               .second)
        fail(fmt::format("initializer {} stands twice", tensor.name()));
    }
    std::set<std::string> names;
    for (const auto& input : proto.input()) {
      if (input.name().empty() || !names.insert(input.name()).second)
        fail(fmt::format("input `{}` has no name of its own", input.name()));
      if (!graph.constants.contains(line_of(input.name())))
        graph.inputs.push_back(this->input(input, outermost));
    }
    for (const auto& output : proto.output()) graph.outputs.push_back(line_of(output.name()));
    for (const auto& node : proto.node()) graph.nodes.push_back(this->node(node, proto.node_size(), graph));
    return graph;
  }

  Input input(const ::onnx::ValueInfoProto& proto, bool outermost) {
    Input input{line_of(proto.name()), std::nullopt};
    const auto& type = proto.type();
    if (!type.has_tensor_type() || !type.tensor_type().has_shape()) {
      if (outermost) fail(fmt::format("input {} is no tensor of known rank", proto.name()));
      return input;
    }
    const std::optional<DType> dtype = dtype_of(type.tensor_type().elem_type());
    if (!dtype)
      fail(fmt::format("input {}: {} are not supported", proto.name(),
                       type_name(type.tensor_type().elem_type())));
    model_.has_f64 |= dtype == DType::f64;
    if (type.tensor_type().shape().dim_size() > static_cast<int>(kMaxRank))
      fail(fmt::format("input {} has {} dims", proto.name(), type.tensor_type().shape().dim_size()));
    ir::Shape shape;
    for (const auto& dim : type.tensor_type().shape().dim())
      shape.push_back(this->dim(dim, proto.name(), shape.size()));
    input.type = ir::Type{*dtype, std::move(shape)};
    return input;
  }

  ir::Dim dim(const ::onnx::TensorShapeProto::Dimension& dim, const std::string& input, size_t axis) {
    if (dim.has_dim_value()) {
      if (dim.dim_value() < 0 || dim.dim_value() > ir::kMaxElements)
        fail(fmt::format("input {}: {} is no extent", input, dim.dim_value()));
      return dim.dim_value();
    }
    const bool named = dim.has_dim_param() && !dim.dim_param().empty();
    return clean_name(named ? dim.dim_param() : fmt::format("{}_{}", input, axis));
  }

  Node node(const ::onnx::NodeProto& proto, int count, const Graph& graph) {
    Node node;
    node.number = static_cast<int>(graph.nodes.size()) + 1;
    node.op = line_of(proto.op_type());
    node.name = line_of(proto.name().empty() && proto.output_size() ? proto.output(0) : proto.name());
    node.inputs = lines_of(proto.input());
    node.outputs = lines_of(proto.output());
    const std::string place = fmt::format("node {} of {}, {} `{}`", node.number, count, node.op, node.name);
    if (!is_standard(proto.domain()))
      fail(fmt::format("{}: domain {} is not supported", place, proto.domain()));
    for (const AttributeProto& attribute : proto.attribute()) {
      const std::string what = fmt::format("{}: attribute {}", place, attribute.name());
      if (!node.attributes.emplace(line_of(attribute.name()), this->attribute(attribute, what)).second)
        fail(what + " stands twice");
    }
    return node;
  }

  Attribute attribute(const AttributeProto& a, const std::string& what) {
    switch (a.type()) {
      case AttributeProto::INT: return a.i();
      case AttributeProto::FLOAT: return static_cast<double>(a.f());
      case AttributeProto::STRING: return line_of(a.s());
      case AttributeProto::INTS: return std::vector<int64_t>(a.ints().begin(), a.ints().end());
      case AttributeProto::FLOATS: return std::vector<double>(a.floats().begin(), a.floats().end());
      case AttributeProto::STRINGS: return lines_of(a.strings());
      case AttributeProto::TENSOR: return constant(a.t(), what);
      case AttributeProto::GRAPH: return std::make_shared<const Graph>(graph(a.g(), false));
      default: fail(what + " is of no type that is supported");
    }
  }

  /// What elements of a type become; nothing for what has no counterpart.
  static std::optional<DType> dtype_of(int type) {
    switch (type) {
      case TensorProto::FLOAT: return DType::f32;
      case TensorProto::DOUBLE: return DType::f64;
      case TensorProto::BOOL: return DType::pred;
      case TensorProto::INT8:
      case TensorProto::UINT8:
      case TensorProto::INT16:
      case TensorProto::UINT16:
      case TensorProto::INT32:
      case TensorProto::INT64: return DType::i32;
      default: return std::nullopt;
    }
  }

  static std::string type_name(int type) {
    return TensorProto::DataType_IsValid(type)
               ? TensorProto::DataType_Name(static_cast<TensorProto::DataType>(type))
               : fmt::format("elements of type {}", type);
  }

  Constant constant(const TensorProto& t, const std::string& what) {
    const std::optional<DType> dtype = dtype_of(t.data_type());
    if (!dtype) fail(fmt::format("{}: {} are not supported", what, type_name(t.data_type())));
    if (t.data_location() == TensorProto::EXTERNAL) fail(what + ": data in other files are not supported");
    model_.has_f64 |= dtype == DType::f64;
    auto array = std::make_shared<ir::Array>();
    array->dtype = *dtype;
    if (t.dims_size() > static_cast<int>(kMaxRank)) fail(fmt::format("{}: {} dims", what, t.dims_size()));
    int64_t count = 1;
    for (int64_t extent : t.dims()) {
      if (extent < 0 || (extent > 0 && count > ir::kMaxElements / extent))
        fail(fmt::format("{}: {} is no extent", what, extent));
      count *= extent;
      array->shape.push_back(extent);
    }
    array->data = t.has_raw_data() ? raw(t, what) : listed(t);
    if (*dtype == DType::pred)
      for (double& value : array->data) value = value != 0;
    if (array->count() != count)
      fail(fmt::format("{}: {} numbers for {} elements", what, array->count(), count));
    model_.constant_count += count;
    return array;
  }

  template <class T>
  static std::vector<double> numbers_of(const std::string& bytes) {
    std::vector<T> numbers(bytes.size() / sizeof(T));
    std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(T));
    return {numbers.begin(), numbers.end()};
  }

  std::vector<double> raw(const TensorProto& t, const std::string& what) const {
    const std::string& bytes = t.raw_data();
    auto of = [&]<class T>(T) {
      if (bytes.size() % sizeof(T)) fail(fmt::format("{}: {} bytes are no elements", what, bytes.size()));
      return numbers_of<T>(bytes);
    };
    switch (t.data_type()) {
      case TensorProto::FLOAT: return of(float());
      case TensorProto::DOUBLE: return of(double());
      case TensorProto::INT8: return of(int8_t());
      case TensorProto::INT16: return of(int16_t());
      case TensorProto::UINT16: return of(uint16_t());
      case TensorProto::INT32: return of(int32_t());
      case TensorProto::INT64: return of(int64_t());
      default: return of(uint8_t());
    }
  }

  static std::vector<double> listed(const TensorProto& t) {
    switch (t.data_type()) {
      case TensorProto::FLOAT: return {t.float_data().begin(), t.float_data().end()};
      case TensorProto::DOUBLE: return {t.double_data().begin(), t.double_data().end()};
      case TensorProto::INT64: return {t.int64_data().begin(), t.int64_data().end()};
      default: return {t.int32_data().begin(), t.int32_data().end()};
    }
  }

  const std::string& path_;
  Model model_;
};

}  // namespace

Model parse_model(const std::string& bytes, const std::string& path) { return Reader(path).read(bytes); }

#else

Model parse_model(const std::string&, const std::string& path) {
  throw Error(fmt::format("rondo: {}: this build of Rondo reads no ONNX: it lacks libonnx-dev", path));
}

#endif

}  // namespace rondo::onnx
