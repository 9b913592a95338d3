#include "frontend/library/export.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "support/error.h"

namespace rondo {

std::vector<Function> choose_functions(std::vector<Function> functions,
                                       const std::vector<std::string>& names) {
  if (names.empty()) return functions;
  std::vector<Function> chosen;
  for (const std::string& name : names) {
    const auto it = std::ranges::find_if(functions, [&](const Function& f) { return f.func.name == name; });
    if (it == functions.end()) {
      std::vector<std::string> there;
      for (const Function& f : functions) there.push_back(f.func.name);
      throw Error(fmt::format("rondo: no function {}; there are: {}", name, fmt::join(there, ", ")));
    }
    chosen.push_back(*it);
  }
  return chosen;
}

std::vector<std::string> join_features(const std::vector<std::string>& targets) {
  std::vector<std::string> joined;
  for (const std::string& text : targets)
    if (!joined.empty() && (text.starts_with('+') || text.starts_with('-')))
      joined.back() += "," + text;
    else
      joined.push_back(text);
  return joined;
}

WeightsIn parse_weights_in(const std::string& text) {
  if (text == "library") return WeightsIn::library;
  if (text == "pointer") return WeightsIn::pointer;
  if (text == "array") return WeightsIn::array;
  throw Error(fmt::format("rondo: weights in `{}`: library, pointer or array", text));
}

std::string to_string(const LibraryReport& report) {
  std::string text;
  for (const std::string& file : report.files) text += file + "\n";
  for (const LibraryReport::Entry& e : report.entries)
    text += fmt::format("{}: scratch {} bytes, stack at most {} bytes\n", e.name, e.scratch, e.stack);
  if (report.prepared_bytes > 0) text += fmt::format("prepared weights {} bytes\n", report.prepared_bytes);
  return text + fmt::format("code {} bytes, data {} bytes; compiled in {:.2f} s\n", report.code_bytes,
                            report.data_bytes, report.seconds);
}

}  // namespace rondo
