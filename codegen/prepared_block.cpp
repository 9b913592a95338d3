#include "codegen/prepared_block.h"

#include <cstring>

#include "codegen/loops/prepare.h"

namespace rondo::codegen {

using namespace ir;

PreparedBlock::Copies PreparedBlock::add(const Entry& entry, const LoopProgram& program) {
  for (BufferId id = 0; id < program.buffers.size(); ++id) {
    const Buffer& buffer = program.buffers[id];
    if (buffer.kind != Buffer::Kind::input || buffer.arg >= program.inputs) continue;
    const EntryPlace& place_of = entry.args[buffer.arg];
    if (place_of.param != EntryPlace::kPrepared || plain_.contains(place_of.constant)) continue;
    if (reads(program, id)) plain_[place_of.constant] = place(given_[place_of.constant].bytes);
  }
  Copies copies;
  for (const Pack& pack : program.prepared) {
    // Packed numbers of elements tell what is where.
    const std::string packed = prepare(pack, target_, [&](BufferId id) {
      const uint32_t arg = program.buffers[id].arg;
      return numbered(entry.args[arg].constant, size_of(entry.func.type(entry.func.params[arg]).dtype));
    });
    auto [at, fresh] = packed_.try_emplace(packed, 0);
    if (fresh) at->second = place(static_cast<int64_t>(packed.size()));
    if (fresh) copies.own.push_back(pack);
    copies.offsets.push_back(at->second);
  }
  return copies;
}

int64_t PreparedBlock::place(int64_t bytes) {
  const int64_t at = bytes_;
  bytes_ += (bytes + 63) / 64 * 64;
  return at;
}

/// A weight with a number in place of each element, which no other element has and padding, zero, neither.
std::span<const std::byte> PreparedBlock::numbered(uint32_t weight, size_t element) {
  auto [at, fresh] = numbered_.try_emplace(weight);
  if (!fresh) return at->second;
  const Library::Given& given = given_.at(weight);
  at->second.resize(static_cast<size_t>(given.bytes));
  for (size_t i = 0; i + element <= at->second.size(); i += element) {
    const uint64_t number = static_cast<uint64_t>(given.offset) + i + 1;
    std::memcpy(&at->second[i], &number, element);
  }
  return at->second;
}

}  // namespace rondo::codegen
