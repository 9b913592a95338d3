#include "frontend/library/library.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "codegen/library.h"
#include "frontend/library/c_text.h"
#include "frontend/library/output_files.h"
#include "frontend/library/plan.h"
#include "ir/text.h"
#include "support/error.h"

namespace rondo {

namespace {

using codegen::Target;
using library::OutputFiles;
using library::Plan;

/// Targets that share an archive.
struct Group {
  std::string folder;
  std::vector<Target> targets;
};

std::vector<Group> group_targets(const std::vector<std::string>& names) {
  if (names.empty()) throw Error("rondo: a library for no target");
  std::vector<Group> groups;
  std::set<std::string> known;
  for (const std::string& name : names) {
    Target target = codegen::parse_target(name);
    std::string own = name;
    std::ranges::replace(own, ':', '_');
    std::ranges::replace(own, ',', '_');
    if (!known.insert(own).second) throw Error(fmt::format("rondo: target {} twice", name));
    const std::string folder = codegen::x86_level(target) > 0 ? "x86-64" : own;
    const auto group = std::ranges::find(groups, folder, &Group::folder);
    if (group != groups.end())
      group->targets.push_back(std::move(target));
    else
      groups.push_back({folder, {std::move(target)}});
  }
  for (Group& g : groups) std::ranges::sort(g.targets, {}, codegen::x86_level);
  return groups;
}

void check_emit(const std::vector<std::string>& emit) {
  static const std::set<std::string> kStages = {"ir", "llvm", "assembly", "html"};
  for (const std::string& stage : emit)
    if (!kStages.contains(stage))
      throw Error(fmt::format("rondo: unknown stage `{}`: ir, llvm, assembly or html", stage));
}

class Exporter {
 public:
  Exporter(const std::vector<Function>& functions, const Weights& weights, const LibraryOptions& options)
      : weights_(weights),
        options_(options),
        groups_(group_targets(options.targets)),
        plan_(library::plan_library(functions, weights, options)),
        files_(options.directory) {}

  LibraryReport run() {
    check_emit(options_.emit);
    if (options_.directory.empty()) throw Error("rondo: the folder for the library has no name");
    for (const Group& group : groups_) compile(group);
    add_texts();
    report_.files = files_.write();
    for (const library::PlannedEntry& e : plan_.entries)
      report_.entries.push_back({e.name, library::in_c(e.facts.scratch_bytes), e.facts.stack_bytes});
    report_.prepared_bytes = plan_.prepared_bytes;
    return std::move(report_);
  }

 private:
  void compile(const Group& group) {
    const codegen::LibraryObject object =
        codegen::compile_library(plan_.library, group.targets, emits("llvm") || emits("assembly"));
    for (size_t i = 0; i < plan_.entries.size(); ++i) plan_.entries[i].facts.include(object.entries[i]);
    plan_.prepared_bytes = std::max(plan_.prepared_bytes, object.prepared_bytes);
    plan_.service_stack_bytes = std::max(plan_.service_stack_bytes, object.service_stack_bytes);
    report_.code_bytes = std::max(report_.code_bytes, object.code_bytes);
    report_.data_bytes = std::max(report_.data_bytes, object.data_bytes);
    const std::string folder = groups_.size() > 1 ? group.folder + "/" : "";
    files_.add(fmt::format("{}lib{}.a", folder, plan_.name),
               codegen::make_archive(plan_.name + ".o", object.bytes));
    if (!object.module.empty()) {
      files_.add(fmt::format("{}{}.wasm", folder, plan_.name), object.module);
      files_.add(fmt::format("{}{}.mjs", folder, plan_.name), library::wasm_loader(plan_));
    }
    const std::string stages = fmt::format("{}stages/{}-", folder, plan_.name);
    if (emits("llvm")) files_.add(stages + "31-opt.ll", object.llvm);
    if (emits("assembly")) files_.add(stages + "32.s", object.assembly);
  }

  bool emits(const char* stage) const {
    return std::ranges::find(options_.emit, stage) != options_.emit.end();
  }

  void add_texts() {
    const std::string& name = plan_.name;
    files_.add(name + ".h", library::c_header(plan_));
    files_.add(name + ".hpp", library::cpp_wrapper(plan_));
    const bool known = !plan_.weight_bytes.empty() || plan_.weights.items.empty();
    if (plan_.weights_given && known && options_.weights == WeightsIn::array)
      files_.add(name + "_weights.h", library::weights_header(plan_));
    if (plan_.weights_given && known && options_.weights == WeightsIn::pointer)
      files_.add(name + "_weights.bin", plan_.weight_bytes);
    if (options_.selftest && known)
      files_.add(name + "_selftest.c", library::selftest(plan_, weights_, options_));
    if (emits("ir"))
      for (const library::PlannedEntry& e : plan_.entries)
        files_.add(fmt::format("stages/{}-{}.rondo", name, e.name), ir::print(e.function.func));
    if (emits("html")) add_page();
  }

  void add_page() {
    std::vector<Target> targets;
    for (const Group& group : groups_)
      targets.insert(targets.end(), group.targets.begin(), group.targets.end());
    files_.add(fmt::format("stages/{}.html", plan_.name), library::page(plan_, targets));
  }

  const Weights& weights_;
  const LibraryOptions& options_;
  std::vector<Group> groups_;
  Plan plan_;
  OutputFiles files_;
  LibraryReport report_;
};

}  // namespace

LibraryReport export_library(const std::vector<Function>& functions, const Weights& weights,
                             const LibraryOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  LibraryReport report = Exporter(functions, weights, options).run();
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace rondo
