#include <limits>

#include "codegen/llvm/kept.h"
#include "codegen/llvm/math.h"
#include "codegen/llvm/values.h"
#include "support/error.h"
#include "support/threefry.h"

namespace rondo::codegen {

using namespace ir;

bool varies_with(const Nodes& nodes, NodeId id, size_t variable) {
  const Node& n = nodes[id];
  if (n.op == ScalarOp::acc) return true;
  if (n.op == ScalarOp::load || n.op == ScalarOp::index) {
    if (!stride_of(n.access, variable).is_zero()) return true;
    return n.access.row != kNone && varies_with(nodes, n.access.row, variable);
  }
  return std::ranges::any_of(n.args, [&](NodeId arg) { return varies_with(nodes, arg, variable); });
}

llvm::Value* affine_index(FunctionBuilder& f, const Access& access, const Values& variables) {
  llvm::Value* index = f.poly(access.offset);
  for (const auto& [loop, stride] : access.outer)
    index = f.add(index, f.mul(f.loop_variable(loop), f.poly(stride)));
  for (size_t v = 0; v < variables.size(); ++v)
    if (Poly stride = stride_of(access, v); !stride.is_zero())
      index = f.add(index, f.mul(variables[v], f.poly(stride)));
  return index;
}

NodeValues::NodeValues(FunctionBuilder& f, const Nodes& nodes, const Scope& scope, const Values& accs,
                       Values known, const std::vector<char>& wanted)
    : f_(f), nodes_(nodes), scope_(scope), accs_(accs), values_(std::move(known)) {
  values_.resize(nodes.size());
  for (NodeId i = 0; i < nodes.size(); ++i)
    if (!values_[i] && (wanted.empty() || wanted[i])) values_[i] = emit(nodes[i]);
}

llvm::Value* NodeValues::lanes(NodeId id) const { return f_.splat(values_[id], scope_.lanes); }

llvm::Value* NodeValues::emit(const Node& n) {
  switch (n.op) {
    case ScalarOp::constant:
      return is_float(n.dtype)
                 ? llvm::ConstantFP::get(f_.type(n.dtype), n.number)
                 : llvm::ConstantInt::getSigned(f_.type(n.dtype), static_cast<int64_t>(n.number));
    case ScalarOp::acc: return accs_.at(n.acc);
    case ScalarOp::load: return load(n);
    case ScalarOp::index: return index(n);
    case ScalarOp::size: {
      llvm::Value* size = f_.poly(n.access.offset);
      return is_float(n.dtype) ? f_.to_float(size, f_.type(n.dtype))
                               : f_.b.CreateTrunc(size, f_.type(n.dtype));
    }
    default: break;
  }
  Values x;
  bool vector = false;
  for (NodeId arg : n.args) vector |= values_[arg]->getType()->isVectorTy();
  for (NodeId arg : n.args) x.push_back(vector ? lanes(arg) : values_[arg]);
  return apply(n, nodes_[n.args.front()].dtype, x);
}

llvm::Value* NodeValues::apply(const Node& n, DType from, const Values& x) {
  llvm::IRBuilder<>& b = f_.b;
  bool real = is_float(n.dtype);
  RONDO_CHECK(real || from != DType::pred || n.op == ScalarOp::cast || n.op == ScalarOp::equal ||
                  n.op == ScalarOp::select,
              "arithmetic on pred");
  VectorMath math(f_);
  switch (n.op) {
    case ScalarOp::cast: return cast(x[0], from, n.dtype);
    case ScalarOp::neg: return real ? b.CreateFNeg(x[0]) : b.CreateNeg(x[0]);
    case ScalarOp::exp: return math.exp(x[0]);
    case ScalarOp::log: return math.log(x[0]);
    case ScalarOp::tanh: return math.tanh(x[0]);
    case ScalarOp::sigmoid: return math.sigmoid(x[0]);
    case ScalarOp::cos: return math.cos(x[0]);
    case ScalarOp::floor: return math.floor(x[0]);
    case ScalarOp::sqrt: return b.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, x[0]);
    case ScalarOp::rsqrt:
      return b.CreateFDiv(llvm::ConstantFP::get(x[0]->getType(), 1),
                          b.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, x[0]));
    case ScalarOp::abs:
      return real ? b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x[0])
                  : b.CreateBinaryIntrinsic(llvm::Intrinsic::abs, x[0], b.getFalse());
    case ScalarOp::add: return real ? b.CreateFAdd(x[0], x[1]) : b.CreateAdd(x[0], x[1]);
    case ScalarOp::sub: return real ? b.CreateFSub(x[0], x[1]) : b.CreateSub(x[0], x[1]);
    case ScalarOp::mul: return real ? b.CreateFMul(x[0], x[1]) : b.CreateMul(x[0], x[1]);
    case ScalarOp::div: {
      if (real) return b.CreateFDiv(x[0], x[1]);
      // Exact in f64, and without the trap of an integer division by zero.
      llvm::Value* quotient =
          b.CreateFDiv(cast(x[0], DType::i32, DType::f64), cast(x[1], DType::i32, DType::f64));
      return cast(quotient, DType::f64, DType::i32);
    }
    case ScalarOp::max:
      return b.CreateSelect(real ? b.CreateFCmpOLT(x[0], x[1]) : b.CreateICmpSLT(x[0], x[1]), x[1], x[0]);
    case ScalarOp::min:
      return b.CreateSelect(real ? b.CreateFCmpOLT(x[1], x[0]) : b.CreateICmpSLT(x[1], x[0]), x[1], x[0]);
    case ScalarOp::less:
    case ScalarOp::equal: return compare(n, from, x);
    case ScalarOp::fma: return f_.fma(x[0], x[1], x[2]);
    case ScalarOp::select: return b.CreateSelect(x[0], x[1], x[2]);
    case ScalarOp::random: return math.uniform(x[0], x[1], x[2], f_.type(n.dtype));
    default: break;
  }
  RONDO_CHECK(false, "no scalar op");
}

llvm::Value* NodeValues::compare(const Node& n, DType from, const Values& x) {
  bool less = n.op == ScalarOp::less;
  if (is_float(from)) return less ? f_.b.CreateFCmpOLT(x[0], x[1]) : f_.b.CreateFCmpOEQ(x[0], x[1]);
  return less ? f_.b.CreateICmpSLT(x[0], x[1]) : f_.b.CreateICmpEQ(x[0], x[1]);
}

llvm::Value* NodeValues::cast(llvm::Value* x, DType from, DType to) {
  llvm::IRBuilder<>& b = f_.b;
  llvm::Type* type = f_.type(to);
  if (auto* v = llvm::dyn_cast<llvm::FixedVectorType>(x->getType()))
    type = llvm::FixedVectorType::get(type, v->getNumElements());
  if (from == to) return x;
  if (to == DType::pred) {
    auto* zero = llvm::Constant::getNullValue(x->getType());
    return is_float(from) ? b.CreateFCmpUNE(x, zero) : b.CreateICmpNE(x, zero);
  }
  if (from == DType::pred) return is_float(to) ? b.CreateUIToFP(x, type) : b.CreateZExt(x, type);
  if (is_float(from) && is_float(to)) return b.CreateFPCast(x, type);
  if (is_float(to)) return b.CreateSIToFP(x, type);
  return b.CreateIntrinsic(llvm::Intrinsic::fptosi_sat, {type, x->getType()}, {x});
}

llvm::Value* NodeValues::index(const Node& n) {
  llvm::IRBuilder<>& b = f_.b;
  llvm::Value* first = b.CreateTrunc(affine_index(f_, n.access, scope_.variables), b.getInt32Ty());
  if (varies(n.access)) {
    Poly stride = stride_of(n.access, scope_.lane_variable);
    llvm::Value* step = b.CreateTrunc(f_.poly(stride), b.getInt32Ty());
    std::vector<uint32_t> numbers(scope_.lanes);
    for (unsigned l = 0; l < scope_.lanes; ++l) numbers[l] = l;
    llvm::Value* numbered = llvm::ConstantDataVector::get(b.getContext(), numbers);
    first = b.CreateAdd(f_.splat(first, scope_.lanes), b.CreateMul(numbered, f_.splat(step, scope_.lanes)));
  }
  return cast(first, DType::i32, n.dtype);
}

bool NodeValues::varies(const Access& access) const {
  if (scope_.lanes == 1) return false;
  return !stride_of(access, scope_.lane_variable).is_zero() ||
         (access.row != kNone && values_[access.row]->getType()->isVectorTy());
}

llvm::Value* NodeValues::clamped_row(const Access& access) const {
  llvm::IRBuilder<>& b = f_.b;
  llvm::Value* row = values_[access.row];
  // A row of a list: stores do not change it, so that it is loaded once for many columns.
  if (auto* load = llvm::dyn_cast<llvm::LoadInst>(row);
      load && f_.only_reads(nodes_[access.row].access.buffer))
    load->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(b.getContext(), {}));
  llvm::Type* wide = b.getInt64Ty();
  if (auto* v = llvm::dyn_cast<llvm::FixedVectorType>(row->getType()))
    wide = llvm::FixedVectorType::get(wide, v->getNumElements());
  auto in_lanes = [&](llvm::Value* v) { return wide->isVectorTy() ? f_.splat(v, scope_.lanes) : v; };
  llvm::Value* last = in_lanes(f_.poly(access.rows - Poly(1)));
  row = b.CreateSExt(row, wide);
  row = b.CreateSelect(b.CreateICmpSLT(row, last), row, last);
  llvm::Value* zero = llvm::Constant::getNullValue(wide);
  row = b.CreateSelect(b.CreateICmpSGT(row, zero), row, zero);
  return b.CreateMul(row, in_lanes(f_.poly(access.row_stride)));
}

llvm::Value* NodeValues::first_index(const Access& access) const {
  llvm::Value* index = affine_index(f_, access, scope_.variables);
  if (access.row == kNone || values_[access.row]->getType()->isVectorTy()) return index;
  return f_.add(index, clamped_row(access));
}

llvm::Value* NodeValues::address(const Access& access, llvm::Type* type) const {
  if (!access.offset.is_constant()) return f_.element(type, f_.base(access.buffer), first_index(access));
  // A constant after what varies: loads that differ in it alone share a pointer, and have it in their own
  // address. LLVM would hoist the sum of base and constant, one for each load, and run out of registers.
  // Between the two the pointer may be outside the buffer.
  Access varying = access;
  varying.offset = 0;
  llvm::Value* at = f_.b.CreateGEP(type, f_.base(access.buffer), first_index(varying));
  return f_.b.CreateGEP(type, at, f_.i64(access.offset.constant()));
}

llvm::Value* NodeValues::pointers(const Access& access, llvm::Type* type) const {
  llvm::IRBuilder<>& b = f_.b;
  llvm::Value* index = f_.splat(first_index(access), scope_.lanes);
  if (Poly stride = stride_of(access, scope_.lane_variable); !stride.is_zero()) {
    std::vector<uint64_t> numbers(scope_.lanes);
    for (unsigned l = 0; l < scope_.lanes; ++l) numbers[l] = l;
    llvm::Value* numbered = llvm::ConstantDataVector::get(b.getContext(), numbers);
    index = b.CreateAdd(index, b.CreateMul(numbered, f_.splat(f_.poly(stride), scope_.lanes)));
  }
  if (access.row != kNone && values_[access.row]->getType()->isVectorTy())
    index = b.CreateAdd(index, clamped_row(access));
  return b.CreateInBoundsGEP(type, f_.base(access.buffer), index);
}

namespace {

/// Whether the lanes of an access are consecutive elements.
bool contiguous(const Access& a, int lane_variable, bool row_varies) {
  return !row_varies && stride_of(a, lane_variable) == Poly(1);
}

}  // namespace

llvm::Value* NodeValues::load(const Node& n) {
  const std::optional<KeptValues::Place> place =
      f_.kept ? KeptValues::place_of(n.access, scope_) : std::nullopt;
  if (place)
    if (llvm::Value* v = f_.kept->find(*place)) return v;
  llvm::Value* loaded = load_from_memory(n);
  if (f_.kept) f_.kept->loaded(n.access.buffer, place, loaded);
  return loaded;
}

llvm::Value* NodeValues::load_from_memory(const Node& n) {
  llvm::IRBuilder<>& b = f_.b;
  const Access& access = n.access;
  llvm::Type* element = f_.memory_type(n.dtype);
  llvm::Align align(size_of(n.dtype));
  llvm::Value* loaded;
  if (!varies(access)) {
    loaded = b.CreateAlignedLoad(element, address(access, element), align);
  } else {
    auto* type = llvm::FixedVectorType::get(element, scope_.lanes);
    bool row_varies = access.row != kNone && values_[access.row]->getType()->isVectorTy();
    if (!contiguous(access, scope_.lane_variable, row_varies)) {
      loaded = b.CreateMaskedGather(type, pointers(access, element), align, scope_.mask,
                                    llvm::Constant::getNullValue(type));
    } else {
      loaded = f_.load(type, address(access, element), align, scope_.mask);
    }
  }
  return n.dtype == DType::pred ? b.CreateIsNotNull(loaded) : loaded;
}

void NodeValues::store(const Store& s) const {
  if (!f_.kept) return store_to_memory(s);
  llvm::BasicBlock* block = f_.b.GetInsertBlock();
  llvm::Instruction* const last = block->empty() ? nullptr : &block->back();
  store_to_memory(s);
  std::vector<llvm::Instruction*> code;
  for (auto i = last ? std::next(last->getIterator()) : block->begin(); i != block->end(); ++i)
    if (i->mayWriteToMemory()) code.push_back(&*i);
  f_.kept->stored(s.access.buffer, KeptValues::place_of(s.access, scope_), lanes(s.value), std::move(code));
}

void NodeValues::store_to_memory(const Store& s) const {
  llvm::IRBuilder<>& b = f_.b;
  const Access& access = s.access;
  DType dtype = nodes_[s.value].dtype;
  llvm::Type* element = f_.memory_type(dtype);
  llvm::Align align(size_of(dtype));
  llvm::Value* value = lanes(s.value);
  if (dtype == DType::pred) value = b.CreateZExt(value, f_.memory_type(dtype, scope_.lanes));
  auto plus = [&](llvm::Value* old) {
    return is_float(dtype) ? b.CreateFAdd(old, value) : b.CreateAdd(old, value);
  };
  if (scope_.lanes == 1) {
    llvm::Value* at = address(access, element);
    if (s.add) value = plus(b.CreateAlignedLoad(element, at, align));
    b.CreateAlignedStore(value, at, align);
    return;
  }
  bool row_varies = access.row != kNone && values_[access.row]->getType()->isVectorTy();
  if (!contiguous(access, scope_.lane_variable, row_varies)) {
    RONDO_CHECK(!s.add, "scatter over lanes that may meet");
    b.CreateMaskedScatter(value, pointers(access, element), align, scope_.mask);
    return;
  }
  llvm::Value* at = address(access, element);
  if (s.add) value = plus(f_.load(value->getType(), at, align, scope_.mask));
  f_.store(value, at, align, scope_.mask);
}

}  // namespace rondo::codegen
