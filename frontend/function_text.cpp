#include "frontend/function_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <sstream>

#include "ir/text.h"
#include "support/error.h"

namespace rondo {

namespace {

/// One line before a function: "weights a, b" or "state a = b".
struct Note {
  int line;
  std::string word, rest;
};

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// The notes before each function: comments at the start of a line.
std::vector<std::vector<Note>> notes_of(std::string_view text) {
  std::vector<std::vector<Note>> notes(1);
  std::istringstream in{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.starts_with("func")) notes.emplace_back();
    if (!line.starts_with("//")) continue;
    const std::string_view content = trimmed(std::string_view(line).substr(2));
    const size_t end = std::min(content.find(' '), content.size());
    notes.back().push_back(
        {number, std::string(content.substr(0, end)), std::string(trimmed(content.substr(end)))});
  }
  return notes;
}

class NoteReader {
 public:
  NoteReader(Function& function, std::string_view file) : f_(function), file_(file) {}

  void read(const Note& note) {
    if (note.word == "weights") {
      for (const std::string& name : names(note)) add_weight(note, name);
    } else if (note.word == "slots") {
      for (const std::string& name : names(note)) f_.slots.push_back(input(note, name));
    } else if (note.word == "outputs") {
      f_.outputs = names(note);
      if (f_.outputs.size() != f_.func.results.size())
        fail(note, fmt::format("{} names for {} results", f_.outputs.size(), f_.func.results.size()));
    } else if (note.word == "state" || note.word == "updates") {
      for (const auto& [name, value] : pairs(note)) {
        if (note.word == "state") f_.state.push_back(name);
        f_.updates.push_back({input(note, name), value});
      }
    } else if (note.word == "settings") {
      for (const auto& [name, value] : pairs(note)) f_.defaults[input(note, name)] = number(note, value);
    } else if (note.word == "pipeline") {
      f_.pipeline = note.rest;
    }
  }

  /// Once all outputs have their names.
  void check(const Note& note) const {
    if (note.word == "state" || note.word == "updates")
      for (const auto& [name, value] : pairs(note))
        if (std::ranges::find(f_.outputs, value) == f_.outputs.end())
          fail(note, fmt::format("no output {}; outputs: {}", value, fmt::join(f_.outputs, ", ")));
  }

 private:
  [[noreturn]] void fail(const Note& note, const std::string& message) const {
    throw Error(fmt::format("{}:{}: {}: {}", file_, note.line, note.word, message));
  }

  std::vector<std::string> names(const Note& note) const {
    std::vector<std::string> names;
    std::string_view rest = note.rest;
    while (!rest.empty()) {
      const size_t comma = std::min(rest.find(','), rest.size());
      names.emplace_back(trimmed(rest.substr(0, comma)));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return names;
  }

  std::vector<std::pair<std::string, std::string>> pairs(const Note& note) const {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const std::string& item : names(note)) {
      const size_t equals = item.find('=');
      if (equals == std::string::npos) fail(note, fmt::format("`{}` is not NAME = VALUE", item));
      pairs.emplace_back(trimmed(item.substr(0, equals)), trimmed(item.substr(equals + 1)));
    }
    return pairs;
  }

  double number(const Note& note, const std::string& text) const {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      fail(note, fmt::format("`{}` is no number", text));
    return value;
  }

  ir::Value value(const Note& note, const std::string& name) const {
    for (ir::Value p : f_.func.params)
      if (f_.func.value_name(p) == name) return p;
    fail(note, fmt::format("@{} has no input {}", f_.func.name, name));
  }
  const std::string& input(const Note& note, const std::string& name) const {
    return f_.func.value_name(value(note, name));
  }

  void add_weight(const Note& note, const std::string& name) {
    const ir::Type& type = f_.func.type(value(note, name));
    if (std::ranges::any_of(type.shape, [](const ir::Dim& d) { return d.is_named(); }))
      fail(note, fmt::format("{} is {}, of no fixed size", name, ir::to_string(type)));
    f_.params.emplace_back(name, ir::bind(type.shape, {}), init::zeros(), f_.params.size());
  }

  Function& f_;
  std::string_view file_;
};

/// A value's own name, or out0, out1 ...; each once.
std::vector<std::string> output_names(const ir::Func& func) {
  std::vector<std::string> names;
  for (ir::Value v : func.results) {
    std::string name = func.value_name(v);
    if (name.empty() || std::ranges::find(names, name) != names.end())
      name = fmt::format("out{}", names.size());
    names.push_back(std::move(name));
  }
  return names;
}

/// Numbers that read back as they were.
std::string join_pairs(const std::map<std::string, double>& pairs) {
  std::vector<std::string> items;
  for (const auto& [name, value] : pairs) items.push_back(fmt::format("{} = {}", name, value));
  return fmt::format("{}", fmt::join(items, ", "));
}

}  // namespace

std::string print_functions(const std::vector<Function>& functions) {
  std::string text;
  for (const Function& f : functions) {
    std::vector<std::string> weights, state, updates;
    for (const Param& p : f.params) weights.push_back(p.name());
    for (const Function::Update& u : f.updates) {
      const bool of_state = std::ranges::find(f.state, u.input) != f.state.end();
      (of_state ? state : updates).push_back(fmt::format("{} = {}", u.input, u.output));
    }
    auto note = [&](const char* word, const std::string& rest) {
      if (!rest.empty()) text += fmt::format("// {} {}\n", word, rest);
    };
    note("weights", fmt::format("{}", fmt::join(weights, ", ")));
    note("slots", fmt::format("{}", fmt::join(f.slots, ", ")));
    note("outputs", fmt::format("{}", fmt::join(f.outputs, ", ")));
    note("state", fmt::format("{}", fmt::join(state, ", ")));
    note("updates", fmt::format("{}", fmt::join(updates, ", ")));
    note("settings", join_pairs(f.defaults));
    note("pipeline", f.pipeline);
    text += ir::print(f.func) + "\n";
  }
  return text;
}

std::vector<Function> parse_functions(std::string_view text, std::string_view file) {
  const std::vector<std::vector<Note>> notes = notes_of(text);
  std::vector<Function> functions;
  for (ir::Func& func : ir::parse_all(text, file)) {
    Function f;
    f.func = std::move(func);
    for (ir::Value p : f.func.params)
      if (f.func.type(p).dtype == DType::f64) f.dtype = DType::f64;
    f.outputs = output_names(f.func);
    const size_t index = functions.size();
    if (index < notes.size()) {
      NoteReader reader(f, file);
      for (const Note& note : notes[index]) reader.read(note);
      for (const Note& note : notes[index]) reader.check(note);
    }
    functions.push_back(std::move(f));
  }
  return functions;
}

}  // namespace rondo
