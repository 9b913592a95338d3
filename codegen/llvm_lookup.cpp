#include "codegen/llvm_lookup.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/IntrinsicsAArch64.h>
#include <llvm/IR/IntrinsicsX86.h>

#include <numeric>

#include "support/error.h"

namespace rondo::codegen {

namespace {

constexpr unsigned kRowFloats = 8;  // a row in memory, which so lies in one cache line

/// A vector's first lanes, all of them, or all and others of any value.
llvm::Value* resized(llvm::IRBuilder<>& b, llvm::Value* v, unsigned lanes) {
  if (lanes_of(v) == lanes) return v;
  if (!v->getType()->isVectorTy())
    return b.CreateInsertElement(llvm::PoisonValue::get(llvm::FixedVectorType::get(v->getType(), lanes)), v,
                                 uint64_t{0});
  if (lanes == 1) return b.CreateExtractElement(v, uint64_t{0});
  std::vector<int> mask(lanes, -1);
  std::iota(mask.begin(), mask.begin() + std::min(lanes, lanes_of(v)), 0);
  return b.CreateShuffleVector(v, mask);
}

llvm::Constant* constant(FunctionBuilder& f, llvm::ArrayRef<float> numbers) {
  return llvm::ConstantDataVector::get(f.b.getContext(), numbers);
}

/// x86: lanes of a register. Where it holds more of them than there are rows, these are there again: of an
/// index, which may have bits above those that count, the instruction takes as many as name a lane.
llvm::Value* permute_lanes(FunctionBuilder& f, const TableColumn& column, llvm::Value* index) {
  const unsigned lanes = lanes_of(index);
  std::vector<float> numbers;
  while (numbers.size() < lanes) numbers.insert(numbers.end(), column.begin(), column.end());
  return f.b.CreateIntrinsic(
      lanes == 16 ? llvm::Intrinsic::x86_avx512_permvar_sf_512 : llvm::Intrinsic::x86_avx2_permps, {},
      {constant(f, numbers), index});
}

/// AArch64: bytes of two registers, by indices of bytes.
llvm::Value* permute_bytes(FunctionBuilder& f, const TableColumn& column, llvm::Value* bytes) {
  const llvm::ArrayRef numbers(column.data(), kTableRows);
  llvm::Value* low = f.b.CreateBitCast(constant(f, numbers.take_front(4)), bytes->getType());
  llvm::Value* high = f.b.CreateBitCast(constant(f, numbers.drop_front(4)), bytes->getType());
  llvm::Value* found =
      f.b.CreateIntrinsic(llvm::Intrinsic::aarch64_neon_tbl2, {bytes->getType()}, {low, high, bytes});
  return f.b.CreateBitCast(found, llvm::FixedVectorType::get(f.b.getFloatTy(), 4));
}

/// The places of the four bytes of each lane's f32.
llvm::Value* bytes_of(FunctionBuilder& f, llvm::Value* index) {
  auto number = [&](uint64_t v) { return llvm::ConstantInt::get(index->getType(), v); };
  llvm::Value* row = f.b.CreateAnd(index, number(kTableRows - 1));
  return f.b.CreateBitCast(f.b.CreateAdd(f.b.CreateMul(row, number(0x04040404)), number(0x03020100)),
                           llvm::FixedVectorType::get(f.b.getInt8Ty(), 16));
}

Values from_registers(FunctionBuilder& f, std::span<const TableColumn> columns, llvm::Value* index) {
  const unsigned wanted = lanes_of(index), lanes = static_cast<unsigned>(f.target.lookup_lanes);
  RONDO_CHECK(wanted <= lanes, "a vector wider than a register");
  index = resized(f.b, index, lanes);
  const bool bytes = lanes < kTableRows;
  if (bytes) index = bytes_of(f, index);
  Values found;
  for (const TableColumn& column : columns)
    found.push_back(
        resized(f.b, bytes ? permute_bytes(f, column, index) : permute_lanes(f, column, index), wanted));
  return found;
}

llvm::GlobalVariable* table_in_memory(FunctionBuilder& f, const char* name,
                                      std::span<const TableColumn> columns) {
  if (auto* table = f.module().getNamedGlobal(name)) return table;
  std::vector<float> numbers(kTableRows * kRowFloats);
  for (size_t row = 0; row < kTableRows; ++row)
    for (size_t c = 0; c < columns.size(); ++c) numbers[row * kRowFloats + c] = columns[c][row];
  llvm::Constant* data = llvm::ConstantDataArray::get(f.b.getContext(), llvm::ArrayRef(numbers));
  auto* table = new llvm::GlobalVariable(f.module(), data->getType(), true, llvm::GlobalValue::PrivateLinkage,
                                         data, name);
  table->setAlignment(llvm::Align(kRowFloats * sizeof(float)));
  return table;
}

Values from_memory(FunctionBuilder& f, llvm::GlobalVariable* table, size_t columns, llvm::Value* index) {
  llvm::IRBuilder<>& b = f.b;
  const unsigned lanes = lanes_of(index);
  auto* row_type = llvm::FixedVectorType::get(b.getFloatTy(), kRowFloats);
  index = b.CreateAnd(index, llvm::ConstantInt::get(index->getType(), kTableRows - 1));
  Values found(columns);
  for (unsigned lane = 0; lane < lanes; ++lane) {
    llvm::Value* row = lanes == 1 ? index : b.CreateExtractElement(index, lane);
    llvm::Value* numbers = b.CreateAlignedLoad(row_type, b.CreateGEP(row_type, table, row),
                                               llvm::Align(kRowFloats * sizeof(float)));
    for (size_t c = 0; c < columns; ++c) {
      llvm::Value* number = b.CreateExtractElement(numbers, c);
      if (lanes > 1 && !found[c])
        found[c] = llvm::PoisonValue::get(llvm::FixedVectorType::get(b.getFloatTy(), lanes));
      found[c] = lanes == 1 ? number : b.CreateInsertElement(found[c], number, lane);
    }
  }
  return found;
}

}  // namespace

Values look_up(FunctionBuilder& f, const char* name, std::span<const TableColumn> columns,
               llvm::Value* index) {
  RONDO_CHECK(columns.size() <= kRowFloats, "a table of too many columns");
  return f.target.lookup_lanes ? from_registers(f, columns, index)
                               : from_memory(f, table_in_memory(f, name, columns), columns.size(), index);
}

}  // namespace rondo::codegen
