#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/threads.h"
#include "tools/bench/explain.h"
#include "tools/bench/machine.h"
#include "tools/bench/measure.h"
#include "tools/bench/options.h"
#include "tools/commands.h"

namespace rondo::tools {
namespace {

struct BenchArgs {
  bench::Spec spec;
  std::string mode = "infer";
  int64_t repeats = 21;
  bool json = false, memory = false, explain = false;
  std::string keep;  // of --explain
  double seconds = 2;
};

std::string describe(const bench::Spec& spec, const std::string& mode) {
  const std::string symbols = spec.vocabulary > 0 ? fmt::format(" V={}", spec.vocabulary) : "";
  return fmt::format("{} {} L={} I={} H={} B={} T={}{}", spec.cell, mode, spec.layers, spec.input_size(),
                     spec.hidden, spec.batch, spec.call_steps(), symbols);
}

/// Times calls, the peak and the bandwidth in turns, so that all meet the same machine.
nlohmann::ordered_json measure(const bench::Spec& spec, int64_t repeats) {
  constexpr double kSeconds = 5e-3;  // of a batch of calls
  bench::Bench model(spec);
  const bench::ReadBandwidth weights(model.read_bytes(), spec.threads, model.vector_bytes());
  const int64_t calls = model.calls_in(kSeconds);
  std::vector<double> seconds, peaks, bandwidths;
  for (int64_t r = 0; r < repeats; ++r) {
    peaks.push_back(bench::fma_peak_gflops(spec.threads, model.vector_bytes()));
    bandwidths.push_back(weights.gbs());
    seconds.push_back(model.seconds(calls));
  }
  const double time = bench::median(seconds), peak = bench::median(peaks), read = bench::median(bandwidths);
  return {{"time_us", time * 1e6},
          {"time_us_min", std::ranges::min(seconds) * 1e6},
          {"gflops", model.flops() / time * 1e-9},
          {"fma_peak_gflops", peak},
          {"read_gbs", read},
          {"fraction_of_limit", model.least_seconds(peak, read) / time},
          {"compile_ms", model.compile_seconds() * 1e3},
          {"checksum", model.checksum()},
          {"max_abs_diff_vs_evaluator", bench::max_abs_diff_vs_evaluator(spec)}};
}

nlohmann::ordered_json memory_fields(const bench::Memory& m) {
  return {{"weights_bytes", m.weights},          {"gradients_bytes", m.gradients},
          {"optimizer_bytes", m.optimizer},      {"stash_bytes", m.stash},
          {"arguments_bytes", m.arguments},      {"whole_bytes", m.whole},
          {"overhead", m.whole / m.needed() - 1}};
}

constexpr double kMicro = 1e6;

bench::Explanation explanation(const BenchArgs& args, const bench::Spec& spec) {
  if (spec.threads > 1) throw Error("bench: --explain is of one thread");
  const bool keeps = !args.keep.empty();
  const std::filesystem::path folder =
      keeps ? std::filesystem::path(args.keep)
            : std::filesystem::temp_directory_path() / fmt::format("rondo-explain-{}", ::getpid());
  const bench::Explanation e = bench::explain(spec, args.seconds, folder);
  if (!keeps) std::filesystem::remove_all(folder);
  return e;
}

nlohmann::ordered_json explain_fields(const bench::Explanation& e) {
  nlohmann::ordered_json kernels = nlohmann::ordered_json::array();
  for (const auto& [l, seconds] : e.kernels)
    kernels.push_back({{"name", l.name},
                       {"what", l.what},
                       {"time_us", seconds * kMicro},
                       {"products_us", l.products * kMicro},
                       {"operations_us", l.operations * kMicro},
                       {"memory_us", l.memory * kMicro},
                       {"chain_us", l.chain * kMicro},
                       {"packing_us", l.packing * kMicro},
                       {"least_us", l.least * kMicro}});
  return {{"time_us", e.seconds * kMicro},
          {"elsewhere_us", e.elsewhere * kMicro},
          {"fma_peak_gflops", e.peak_gflops},
          {"kernels", kernels}};
}

void print_explanation(const bench::Explanation& e) {
  fmt::print("{:.3f} us a call, peak {:.1f} GFLOP/s; microseconds of a call: sampled, and at least for\n",
             e.seconds * kMicro, e.peak_gflops);
  const char* row = "{:>11} {:>6} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11}  {}\n";
  fmt::print(fmt::runtime(row), "time", "share", "products", "operations", "memory", "chain", "packing",
             "all", "kernel");
  auto us = [](double seconds) { return seconds == 0 ? "-" : fmt::format("{:.3f}", seconds * kMicro); };
  auto line = [&](double seconds, const bench::KernelLimit& l) {
    fmt::print(fmt::runtime(row), us(seconds), fmt::format("{:.1f}%", 100 * seconds / e.seconds),
               us(l.products), us(l.operations), us(l.memory), us(l.chain), us(l.packing), us(l.least),
               l.name + " " + l.what);
  };
  for (const auto& [limit, seconds] : e.kernels) line(seconds, limit);
  line(e.elsewhere, {.name = "elsewhere", .what = ""});
}

void run_bench(const BenchArgs& args) {
  bench::Spec spec = args.spec;
  spec.mode = bench::parse_mode(args.mode);
  if (spec.threads < 1 || spec.threads > kMaxThreads)
    throw Error(fmt::format("bench: --threads {}: not in [1,{}]", spec.threads, kMaxThreads));
  if (args.repeats < 1) throw Error(fmt::format("bench: --repeats {}: at least 1", args.repeats));
  setenv("RONDO_CACHE", "off", 0);  // compile_ms is of compiling, unless the user names a folder
  if (args.explain) {
    const bench::Explanation e = explanation(args, spec);
    return args.json ? fmt::print("{}\n", explain_fields(e).dump()) : print_explanation(e);
  }
  const nlohmann::ordered_json fields =
      args.memory ? memory_fields(bench::memory_of(spec)) : measure(spec, args.repeats);
  if (args.json) return fmt::print("{}\n", fields.dump());
  fmt::print("{}\n", describe(spec, args.mode));
  for (const auto& [name, value] : fields.items()) fmt::print("{:<26} {:.6g}\n", name, value.get<double>());
}

}  // namespace

void add_bench(CLI::App& app) {
  auto args = std::make_shared<BenchArgs>();
  bench::Spec& spec = args->spec;
  CLI::App* bench = app.add_subcommand("bench", "Times a model against the machine's limits");
  bench::add_model_options(*bench, spec, args->mode);
  bench->add_option("--threads", spec.threads, "Of a call; the limits are of so many, too")
      ->capture_default_str();
  bench->add_option("--schedule", spec.schedule, "Instead of the chosen one: tile=6x2,panel=64");
  bench->add_option("--cpu", spec.cpu,
                    "Compile for another than the host's: x86-64-v3; limits are of its vectors");
  bench->add_option("--repeats", args->repeats, "Timed batches of calls")->capture_default_str();
  bench->add_flag("--json", args->json, "One line of JSON");
  bench->add_flag("--memory", args->memory, "Bytes in place of times; in training of a whole update");
  auto* explain = bench->add_flag("--explain", args->explain,
                                  "Where the time goes: each kernel's, and the least that its parts take");
  bench->add_option("--seconds", args->seconds, "How long to look")->needs(explain)->capture_default_str();
  bench->add_option("--keep", args->keep, "Leave the stages of the compilation here")->needs(explain);
  bench->callback([args] { run_bench(*args); });
}

}  // namespace rondo::tools
