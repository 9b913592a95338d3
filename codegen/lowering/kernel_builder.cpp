#include "codegen/lowering/kernel_builder.h"

#include "ir/op_def.h"
#include "support/error.h"

namespace rondo::codegen {

using namespace ir;

namespace {

size_t hash_of(const Node& n) {
  size_t h = static_cast<size_t>(n.op) * 31 + static_cast<size_t>(n.dtype);
  auto mix = [&](size_t x) { h = h * 1099511628211u + x; };
  for (NodeId a : n.args) mix(a);
  mix(std::hash<double>{}(n.number));
  mix(n.access.buffer);
  mix(static_cast<size_t>(n.access.offset.constant()));
  mix(n.acc);
  return h;
}

}  // namespace

KernelBuilder::KernelBuilder(const Func& region, const Shape& dims, const std::vector<View>& views,
                             std::function<bool(Value)> computed)
    : region_(region), views_(views), computed_(std::move(computed)) {
  for (const Dim& d : dims) kernel_.dims.emplace_back(d);
  epilogue_.variables = dims.size();
}

Indices KernelBuilder::point() const {
  Indices at(kernel_.dims.size());
  for (size_t i = 0; i < at.size(); ++i) {
    at[i].coef.assign(i + 1, 0);
    at[i].coef[i] = 1;
  }
  return at;
}

Access KernelBuilder::access(const View& view, const Indices& at, size_t first_dim) const {
  RONDO_CHECK(view && view.strides.size() == at.size() + first_dim, "a view is indexed by its rank");
  Access a;
  a.buffer = view.buffer;
  a.offset = view.offset;
  a.outer = view.outer;
  a.strides.resize(scope_->variables);
  for (size_t d = 0; d < at.size(); ++d) {
    const Poly& stride = view.strides[d + first_dim];
    a.offset += stride * Poly(at[d].offset);
    for (size_t v = 0; v < at[d].coef.size(); ++v)
      if (at[d].coef[v]) a.strides[v] += stride * Poly(at[d].coef[v]);
  }
  return a;
}

NodeId KernelBuilder::add(Node node) {
  size_t h = hash_of(node);
  auto [begin, end] = scope_->known.equal_range(h);
  for (auto it = begin; it != end; ++it)
    if (scope_->nodes[it->second] == node) return it->second;
  NodeId id = static_cast<NodeId>(scope_->nodes.size());
  scope_->nodes.push_back(std::move(node));
  scope_->known.emplace(h, id);
  return id;
}

NodeId KernelBuilder::element(Value v, const Indices& at) {
  auto key = std::make_pair(v.id, at);
  if (auto it = scope_->memo.find(key); it != scope_->memo.end()) return it->second;
  NodeId id;
  if (views_[v.id] && !computed_(v)) {
    Node node;
    node.op = ScalarOp::load;
    node.dtype = region_.type(v).dtype;
    node.access = access(views_[v.id], at);
    id = add(std::move(node));
  } else {
    const Op* op = region_.def(v);
    RONDO_CHECK(op && def_of(op->kind).lower, "only computed values have no buffer");
    id = def_of(op->kind).lower(*this, region_, *op, at);
  }
  scope_->memo.emplace(std::move(key), id);
  return id;
}

NodeId KernelBuilder::row_element(Value table, NodeId row, const Indices& rest) {
  Node node;
  node.op = ScalarOp::load;
  node.dtype = region_.type(table).dtype;
  node.access = row_access(views_[table.id], row, region_.type(table).shape[0], rest);
  return add(std::move(node));
}

NodeId KernelBuilder::reduce(AccKind kind, DType dtype, const Shape& extents, SumOrder order,
                             const std::function<NodeId(const Indices&)>& term) {
  RONDO_CHECK(scope_ == &epilogue_, "an accumulator's term holds no accumulator");
  Accumulator acc;
  acc.kind = kind;
  acc.dtype = dtype;
  acc.order = order;
  for (const Dim& d : extents) acc.dims.emplace_back(d);
  Scope scope;
  scope.variables = kernel_.dims.size() + extents.size();
  scope_ = &scope;
  Indices at(extents.size());
  for (size_t i = 0; i < at.size(); ++i) {
    at[i].coef.assign(kernel_.dims.size() + i + 1, 0);
    at[i].coef.back() = 1;
  }
  acc.value = term(at);
  scope_ = &epilogue_;
  acc.nodes = std::move(scope.nodes);
  Node node;
  node.op = ScalarOp::acc;
  node.dtype = kind == AccKind::argmax ? DType::i32 : dtype;
  node.acc = static_cast<uint32_t>(kernel_.accs.size());
  kernel_.accs.push_back(std::move(acc));
  return add(std::move(node));
}

NodeId KernelBuilder::apply(ScalarOp op, DType dtype, std::vector<NodeId> args) {
  Node node;
  node.op = op;
  node.dtype = dtype;
  node.args = std::move(args);
  return add(std::move(node));
}

NodeId KernelBuilder::constant(DType dtype, double number) {
  Node node;
  node.dtype = dtype;
  node.number = number;
  return add(std::move(node));
}

NodeId KernelBuilder::index(DType dtype, const Index& index) {
  Node node;
  node.op = ScalarOp::index;
  node.dtype = DType::i32;
  node.access.offset = index.offset;
  node.access.strides.resize(scope_->variables);
  for (size_t v = 0; v < index.coef.size(); ++v) node.access.strides[v] = index.coef[v];
  NodeId id = add(std::move(node));
  return dtype == DType::i32 ? id : apply(ScalarOp::cast, dtype, {id});
}

NodeId KernelBuilder::size(DType dtype, const Dim& dim) {
  Node node;
  node.op = ScalarOp::size;
  node.dtype = dtype;
  node.access.offset = Poly(dim);
  return add(std::move(node));
}

void KernelBuilder::store(const View& to, NodeId node, const Indices& at) {
  kernel_.stores.push_back({access(to, at), node, false});
}

void KernelBuilder::store(const View& to, Value v) { store(to, element(v, point()), point()); }

Access KernelBuilder::row_access(const View& view, NodeId row, const Dim& rows, const Indices& rest) const {
  Access a = access(view, rest, 1);
  a.row = row;
  a.row_stride = view.strides[0];
  a.rows = Poly(rows);
  return a;
}

/// The id of the point, whose first indices are those of `ids`; and the rest of the point.
std::pair<NodeId, Indices> KernelBuilder::id_and_rest(Value ids) {
  const Indices at = point();
  const auto rest = at.begin() + static_cast<int64_t>(region_.type(ids).shape.size());
  const NodeId id = element(ids, Indices(at.begin(), rest));
  return {id, Indices(rest, at.end())};
}

void KernelBuilder::store_rows(const View& to, const Shape& shape, Value ids, Value rows, bool add) {
  const auto [row, rest] = id_and_rest(ids);
  kernel_.stores.push_back({row_access(to, row, shape[0], rest), element(rows, point()), add, !add});
}

void KernelBuilder::store_positions(const View& last, const Dim& dim, Value ids) {
  const NodeId row = id_and_rest(ids).first;
  Node position;
  position.op = ScalarOp::index;
  position.dtype = DType::i32;
  position.access.strides = row_major_strides(region_.type(ids).shape);
  kernel_.stores.push_back({row_access(last, row, dim, {}), add(std::move(position)), false, true});
}

void KernelBuilder::add_at_positions(const View& to, const View& last, const Dim& dim, Value ids,
                                     Value updates) {
  const auto [id, rest] = id_and_rest(ids);
  Node position;
  position.op = ScalarOp::load;
  position.dtype = DType::i32;
  position.access = row_access(last, id, dim, {});
  const Shape& shape = region_.type(ids).shape;
  Access sum = access(to, rest, shape.size());
  sum.row = add(std::move(position));
  sum.row_stride = shape.empty() ? Poly(0) : to.strides[shape.size() - 1];
  sum.rows = element_count(shape);
  kernel_.stores.push_back({std::move(sum), element(updates, point()), true, false});
}

Kernel KernelBuilder::finish(std::string name) && {
  kernel_.name = std::move(name);
  kernel_.nodes = std::move(epilogue_.nodes);
  return std::move(kernel_);
}

}  // namespace rondo::codegen
