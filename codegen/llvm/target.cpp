#include <fmt/format.h>
#include <fmt/ranges.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/Triple.h>

#include <algorithm>
#include <array>

#include "codegen/llvm/machine.h"
#include "codegen/target.h"

namespace rondo::codegen {

namespace {

struct Named {
  const char *name, *triple, *cpu, *features;
};

constexpr const char* kX86 = "x86_64-unknown-linux-gnu";
constexpr std::array kNamed = {
    Named{"x86-64", kX86, "x86-64", ""},
    Named{"x86-64-v2", kX86, "x86-64-v2", ""},
    Named{"x86-64-v3", kX86, "x86-64-v3", ""},
    Named{"x86-64-v4", kX86, "x86-64-v4", ""},
    Named{"aarch64", "aarch64-unknown-linux-gnu", "generic", ""},
    Named{"armv7", "armv7-unknown-linux-gnueabihf", "cortex-a7", "+neon,+vfp4"},
    Named{"riscv64", "riscv64-unknown-linux-gnu", "generic-rv64", "+m,+a,+f,+d,+c"},
    Named{"riscv64v", "riscv64-unknown-linux-gnu", "generic-rv64", "+m,+a,+f,+d,+c,+v"},
    Named{"wasm32", "wasm32-unknown-unknown", "generic", "+simd128"},
    Named{"thumbv7em", "thumbv7em-none-unknown-eabihf", "cortex-m4", ""},
};

std::string host_features() {
  std::string features;
  for (const auto& feature : llvm::sys::getHostCPUFeatures())
    features += fmt::format("{}{}{}", features.empty() ? "" : ",", feature.getValue() ? '+' : '-',
                            feature.getKey().str());
  return features;
}

/// Where there are no vectors, LLVM takes four scalar registers for one of four lanes.
void describe(Target& target, const llvm::TargetMachine& machine) {
  auto has = [&](const char* feature) { return machine.getMCSubtargetInfo()->checkFeatures(feature); };
  const llvm::Triple triple(target.triple);
  if (triple.isX86()) {
    target.flushes_denormals = true;
    const bool avx512 = has("+avx512f") && has("+avx512vl") && has("+avx512bw") && has("+avx512dq");
    target.vector_bytes = avx512 ? 64 : has("+avx") ? 32 : 16;
    target.vector_registers = avx512 ? 32 : 16;
    target.fma = has("+fma");
    target.lookup = has("+avx2") ? Lookup::lanes : has("+ssse3") ? Lookup::halves : Lookup::memory;
  } else if (triple.isAArch64()) {
    target.vector_registers = 32;
    target.fma = true;
    target.lookup = Lookup::bytes;
  } else if (triple.isARM() || triple.isThumb()) {
    target.vector_registers = has("+neon") ? 16 : 8;
    target.fma = has("+vfp4d16sp");
    if (has("+neon")) target.lookup = Lookup::bytes;
  } else if (triple.isRISCV()) {
    target.vector_registers = has("+v") ? 32 : 8;
    target.fma = has("+f");
    if (has("+v")) target.lookup = Lookup::lanes;
  } else if (triple.isWasm() && has("+simd128")) {
    target.lookup = Lookup::halves;
  }
}

}  // namespace

Target target_for(const std::string& cpu, const std::string& features, const std::string& triple) {
  Target target;
  const bool host = triple.empty() && cpu.empty() && features.empty();
  target.triple = triple.empty() ? llvm::sys::getProcessTriple() : triple;
  target.cpu = !cpu.empty() ? cpu : triple.empty() ? llvm::sys::getHostCPUName().str() : "generic";
  target.features = host ? host_features() : features;
  describe(target, *machine_for(target.triple, target.cpu, target.features));
  return target;
}

Target parse_target(std::string_view text) {
  const std::string name(text);
  Target target;
  if (name == "host") {
    target = target_for();
  } else if (const auto* named = std::ranges::find(kNamed, name, &Named::name); named != kNamed.end()) {
    target = target_for(named->cpu, named->features, named->triple);
  } else {
    const size_t first = std::min(name.find(':'), name.size());
    const size_t second = std::min(name.find(':', first + 1), name.size());
    auto part = [&](size_t begin, size_t end) { return begin < end ? name.substr(begin, end - begin) : ""; };
    const std::string triple = llvm::Triple::normalize(part(0, first));
    if (llvm::Triple(triple).getArch() == llvm::Triple::UnknownArch)
      throw Error(fmt::format("rondo: unknown target `{}`: a triple[:cpu[:features]], or one of {}", name,
                              fmt::join(target_names(), ", ")));
    target = target_for(part(first + 1, second), part(second + 1, name.size()), triple);
  }
  target.name = name;
  return target;
}

std::vector<std::string> target_names() {
  std::vector<std::string> names = {"host"};
  for (const Named& named : kNamed) names.emplace_back(named.name);
  return names;
}

int x86_level(const Target& target) {
  if (target.triple != kX86 || !target.features.empty() || !target.cpu.starts_with("x86-64")) return 0;
  return target.cpu == "x86-64" ? 1 : target.cpu.back() - '0';
}

}  // namespace rondo::codegen
