#include "codegen/llvm/lookup.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/IntrinsicsAArch64.h>
#include <llvm/IR/IntrinsicsARM.h>
#include <llvm/IR/IntrinsicsRISCV.h>
#include <llvm/IR/IntrinsicsWebAssembly.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/TargetParser/Triple.h>

#include <bit>
#include <numeric>

#include "support/error.h"

namespace rondo::codegen {

namespace {

constexpr unsigned kRowFloats = 8;  // a row in memory, which so lies in one cache line

/// How a target looks up, some lanes at a time.
struct Way {
  unsigned lanes;
  bool clear;  // whether the bits of an index past the row's three must be clear
  /// What tells the rows, for all columns alike.
  llvm::Value* (*key)(FunctionBuilder&, const LookupTable&, llvm::Value* index);
  llvm::Value* (*find)(FunctionBuilder&, const LookupTable&, size_t column, llvm::Value* key);
};

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

template <class T>
llvm::Constant* constant(FunctionBuilder& f, llvm::ArrayRef<T> numbers) {
  return llvm::ConstantDataVector::get(f.b.getContext(), numbers);
}

llvm::Type* vector(llvm::Type* type, unsigned lanes) { return llvm::FixedVectorType::get(type, lanes); }

llvm::Type* bytes(FunctionBuilder& f, unsigned count) { return vector(f.b.getInt8Ty(), count); }

// Lanes of a register, by lanes: AVX2, AVX-512 and RISC-V.

llvm::Value* index_itself(FunctionBuilder&, const LookupTable&, llvm::Value* index) { return index; }

/// Where a register holds more lanes than there are rows, these are there again: of an index, which may have
/// bits above those that count, the instruction takes as many as name a lane.
llvm::Value* find_lanes(FunctionBuilder& f, const LookupTable& table, size_t column, llvm::Value* index) {
  const TableColumn& rows = table.columns[column];
  const unsigned lanes = lanes_of(index);
  std::vector<float> numbers;
  while (numbers.size() < lanes) numbers.insert(numbers.end(), rows.begin(), rows.end());
  return f.b.CreateIntrinsic(
      lanes == 16 ? llvm::Intrinsic::x86_avx512_permvar_sf_512 : llvm::Intrinsic::x86_avx2_permps, {},
      {constant<float>(f, numbers), index});
}

/// The same of registers whose length is not known but that it is at least 16 bytes: as many as hold a
/// column, or the index.
llvm::Value* find_lanes_of_any(FunctionBuilder& f, const LookupTable& table, size_t column,
                               llvm::Value* index) {
  llvm::IRBuilder<>& b = f.b;
  const unsigned lanes = lanes_of(index), shortest = std::max<unsigned>(lanes, kTableRows) / 2;
  auto registers = [&](llvm::Value* v) {
    auto* type = llvm::ScalableVectorType::get(v->getType()->getScalarType(), shortest);
    return b.CreateInsertVector(type, llvm::PoisonValue::get(type), v, f.i64(0));
  };
  llvm::Value *rows = registers(constant<float>(f, table.columns[column])), *key = registers(index);
  llvm::Value* found =
      b.CreateIntrinsic(llvm::Intrinsic::riscv_vrgather_vv, {rows->getType(), b.getInt64Ty()},
                        {llvm::PoisonValue::get(rows->getType()), rows, key, f.i64(lanes)});
  return b.CreateExtractVector(vector(b.getFloatTy(), lanes), found, f.i64(0));
}

// Bytes of the registers that hold a column, by bytes: AArch64 and NEON.

/// The places of the four bytes of each lane's f32.
llvm::Value* bytes_of_f32(FunctionBuilder& f, const LookupTable&, llvm::Value* index) {
  auto number = [&](uint64_t v) { return llvm::ConstantInt::get(index->getType(), v); };
  llvm::Value* first = f.b.CreateMul(index, number(0x04040404));
  return f.b.CreateBitCast(f.b.CreateAdd(first, number(0x03020100)), bytes(f, 4 * lanes_of(index)));
}

/// Of two registers of 16 bytes, or four of 8.
llvm::Value* find_bytes(FunctionBuilder& f, const LookupTable& table, size_t column, llvm::Value* places) {
  const bool wide = llvm::Triple(f.target.triple).isAArch64();
  const size_t count = wide ? 4 : 2;
  Values arguments;
  for (size_t row = 0; row < kTableRows; row += count)
    arguments.push_back(f.b.CreateBitCast(
        constant<float>(f, llvm::ArrayRef(table.columns[column]).slice(row, count)), bytes(f, 4 * count)));
  arguments.push_back(places);
  return wide ? f.b.CreateIntrinsic(llvm::Intrinsic::aarch64_neon_tbl2, {places->getType()}, arguments)
              : f.b.CreateIntrinsic(llvm::Intrinsic::arm_neon_vtbl4, {}, arguments);
}

// Bytes of one register of 16, by bytes: SSSE3 and WebAssembly. It holds halves of a column's numbers, the
// low ones or the high ones, so that halves for eight lanes are found at once.

/// The places of the two bytes of each lane's half.
llvm::Value* bytes_of_halves(FunctionBuilder& f, const LookupTable&, llvm::Value* index) {
  std::vector<int> twice(2 * kTableRows);
  std::vector<uint8_t> first(2 * kTableRows);
  for (int i = 0; i < 2 * kTableRows; ++i) {
    twice[i] = i & ~1;
    first[i] = i % 2 * kTableRows;
  }
  llvm::Value* rows = f.b.CreateTrunc(index, vector(f.b.getInt16Ty(), kTableRows));
  rows = f.b.CreateShuffleVector(f.b.CreateBitCast(rows, bytes(f, 2 * kTableRows)), twice);
  return f.b.CreateOr(rows, constant<uint8_t>(f, first));
}

/// The low bytes of a half of each number, then the high ones.
llvm::Constant* half(FunctionBuilder& f, const TableColumn& column, int shift) {
  std::vector<uint8_t> numbers(2 * kTableRows);
  for (int row = 0; row < kTableRows; ++row) {
    const uint32_t bits = std::bit_cast<uint32_t>(column[row]) >> shift;
    numbers[row] = static_cast<uint8_t>(bits);
    numbers[row + kTableRows] = static_cast<uint8_t>(bits >> 8);
  }
  return constant<uint8_t>(f, numbers);
}

llvm::Value* find_halves(FunctionBuilder& f, const LookupTable& table, size_t column, llvm::Value* places) {
  const bool wasm = llvm::Triple(f.target.triple).isWasm();
  const llvm::Intrinsic::ID id =
      wasm ? unsigned{llvm::Intrinsic::wasm_swizzle} : unsigned{llvm::Intrinsic::x86_ssse3_pshuf_b_128};
  auto found = [&](int shift) {
    return f.b.CreateBitCast(f.b.CreateIntrinsic(id, {}, {half(f, table.columns[column], shift), places}),
                             vector(f.b.getInt16Ty(), kTableRows));
  };
  std::vector<int> in_turn(2 * kTableRows);
  for (int i = 0; i < 2 * kTableRows; ++i) in_turn[i] = i / 2 + i % 2 * kTableRows;
  return f.b.CreateShuffleVector(found(0), found(16), in_turn);
}

// Memory, lane by lane.

llvm::GlobalVariable* in_memory(FunctionBuilder& f, const LookupTable& table) {
  if (auto* there = f.module().getNamedGlobal(table.name)) return there;
  std::vector<float> numbers(kTableRows * kRowFloats);
  for (size_t row = 0; row < kTableRows; ++row)
    for (size_t c = 0; c < table.columns.size(); ++c) numbers[row * kRowFloats + c] = table.columns[c][row];
  llvm::Constant* data = llvm::ConstantDataArray::get(f.b.getContext(), llvm::ArrayRef(numbers));
  auto* made = new llvm::GlobalVariable(f.module(), data->getType(), true, llvm::GlobalValue::PrivateLinkage,
                                        data, table.name);
  made->setAlignment(llvm::Align(kRowFloats * sizeof(float)));
  return made;
}

llvm::Value* whole_row(FunctionBuilder& f, const LookupTable& table, llvm::Value* index) {
  llvm::Type* type = vector(f.b.getFloatTy(), kRowFloats);
  return f.b.CreateAlignedLoad(type, f.b.CreateGEP(type, in_memory(f, table), index),
                               llvm::Align(kRowFloats * sizeof(float)));
}

llvm::Value* find_in_row(FunctionBuilder& f, const LookupTable&, size_t column, llvm::Value* row) {
  return f.b.CreateExtractElement(row, column);
}

Way way_of(const Target& target) {
  const llvm::Triple triple(target.triple);
  const unsigned lanes = static_cast<unsigned>(target.vector_bytes) / 4;
  switch (target.lookup) {
    case Lookup::lanes:
      if (triple.isX86()) return {lanes, false, index_itself, find_lanes};
      return {lookup_registers(target) * lanes, true, index_itself, find_lanes_of_any};
    case Lookup::bytes: return {triple.isAArch64() ? 4u : 2u, true, bytes_of_f32, find_bytes};
    case Lookup::halves: return {kTableRows, true, bytes_of_halves, find_halves};
    case Lookup::memory: break;
  }
  return {1, true, whole_row, find_in_row};
}

llvm::Value* joined(FunctionBuilder& f, const Values& parts) {
  if (parts.size() == 1 || parts[0]->getType()->isVectorTy()) return f.concat(parts);
  llvm::Value* all = llvm::PoisonValue::get(vector(parts[0]->getType(), parts.size()));
  for (size_t lane = 0; lane < parts.size(); ++lane) all = f.b.CreateInsertElement(all, parts[lane], lane);
  return all;
}

}  // namespace

unsigned lookup_registers(const Target& target) {
  const bool together = target.lookup == Lookup::halves || llvm::Triple(target.triple).isRISCV();
  return together ? 4 : 1;
}

TableRows::TableRows(FunctionBuilder& f, const LookupTable& table, llvm::Value* index)
    : f_(f), table_(table), lanes_(lanes_of(index)) {
  RONDO_CHECK(table.columns.size() <= kRowFloats, "a table of too many columns");
  const Way way = way_of(f.target);
  if (way.clear) index = f.b.CreateAnd(index, llvm::ConstantInt::get(index->getType(), kTableRows - 1));
  for (unsigned first = 0; first < lanes_; first += way.lanes) {
    const unsigned count = std::min(way.lanes, lanes_ - first);
    llvm::Value* part = count == lanes_ ? index : f.part(index, first, count);
    keys_.push_back(way.key(f, table, resized(f.b, part, way.lanes)));
  }
  const size_t registers = lookup_registers(f.target) * table.columns.size();
  const bool few = registers >= static_cast<size_t>(f.target.vector_registers) / 2;
  if (few && f.target.lookup != Lookup::memory) return;
  for (size_t column = 0; column < table.columns.size(); ++column) found_.push_back(find(column));
}

llvm::Value* TableRows::operator[](size_t column) const {
  return found_.empty() ? find(column) : found_.at(column);
}

llvm::Value* TableRows::find(size_t column) const {
  const Way way = way_of(f_.target);
  llvm::Type* type = f_.type(DType::f32, way.lanes);
  Values parts;
  for (llvm::Value* key : keys_) parts.push_back(f_.b.CreateBitCast(way.find(f_, table_, column, key), type));
  return resized(f_.b, joined(f_, parts), lanes_);
}

}  // namespace rondo::codegen
