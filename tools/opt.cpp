#include <memory>

#include <fmt/format.h>

#include "ir/text.h"
#include "passes/passes.h"
#include "tools/commands.h"

namespace rondo::tools {
namespace {

struct OptArgs {
  std::string file, passes;
  bool list = false;
};

void run_opt(const OptArgs& args) {
  if (args.list) {
    for (const passes::Pass& pass : passes::all_passes()) {
      const std::string options = pass.options.empty() ? "" : fmt::format("{{{}}}", pass.options);
      fmt::print("{:<28} {}\n", fmt::format("{}{}", pass.name, options), pass.doc);
    }
    return;
  }
  fmt::print("{}", ir::print(read_function(args.file, args.passes)));
}

}  // namespace

void add_opt(CLI::App& app) {
  auto args = std::make_shared<OptArgs>();
  CLI::App* opt = app.add_subcommand("opt", "Runs passes over a function and prints the result");
  CLI::Option* list = opt->add_flag("--list", args->list, "List the passes");
  opt->add_option("--passes", args->passes,
                  "A pipeline: simplify,grad{wrt=w},hoist-scan; or inference, or training");
  opt->add_option("file", args->file, "A .rondo file")->excludes(list);
  opt->callback([args] {
    if (args->file.empty() && !args->list) throw CLI::RequiredError("file");
    run_opt(*args);
  });
}

}  // namespace rondo::tools
