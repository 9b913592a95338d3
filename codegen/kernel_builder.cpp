#include "codegen/kernel_builder.h"

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

View whole(BufferId buffer, const Shape& shape) { return {buffer, 0, row_major_strides(shape), {}}; }

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
  const View& view = views_[table.id];
  Node node;
  node.op = ScalarOp::load;
  node.dtype = region_.type(table).dtype;
  node.access = access(view, rest, 1);
  node.access.row = row;
  node.access.row_stride = view.strides[0];
  node.access.rows = Poly(region_.type(table).shape[0]);
  return add(std::move(node));
}

NodeId KernelBuilder::reduce(AccKind kind, DType dtype, const Shape& extents, bool lanes,
                             const std::function<NodeId(const Indices&)>& term) {
  RONDO_CHECK(scope_ == &epilogue_, "an accumulator's term holds no accumulator");
  Accumulator acc;
  acc.kind = kind;
  acc.dtype = dtype;
  acc.lanes = lanes;
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

void KernelBuilder::store_rows(const View& to, const Shape& shape, Value ids, Value updates) {
  size_t id_rank = region_.type(ids).shape.size();
  Indices at = point();
  NodeId row = element(ids, Indices(at.begin(), at.begin() + static_cast<int64_t>(id_rank)));
  Store store;
  store.access = access(to, Indices(at.begin() + static_cast<int64_t>(id_rank), at.end()), 1);
  store.access.row = row;
  store.access.row_stride = to.strides[0];
  store.access.rows = Poly(shape[0]);
  store.value = element(updates, at);
  store.add = true;
  kernel_.stores.push_back(std::move(store));
}

Kernel KernelBuilder::finish(std::string name) && {
  kernel_.name = std::move(name);
  kernel_.nodes = std::move(epilogue_.nodes);
  return std::move(kernel_);
}

}  // namespace rondo::codegen
