// One self-contained page of what became of each function: the IR as it was declared and after each pass, the
// loop program and the assembly of each target, side by side. Names lead from stage to stage: values keep
// theirs through the passes, buffers and kernels take theirs from values, functions of machine code from
// kernels.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <sstream>
#include <string_view>

#include "frontend/library/page_style.h"
#include "frontend/library/plan.h"
#include "ir/op_def.h"
#include "ir/text.h"
#include "passes/pipeline.h"

namespace rondo::library {

namespace {

/// Gives every value a name that no other has, so that it can be followed through the passes.
class Namer {
 public:
  ir::Func run(ir::Func f) {
    for (ir::Op& op : f.ops) {
      for (uint32_t i = 0; i < op.result_count; ++i)
        name(f, op.result(i), std::string(ir::def_of(op.kind).name));
      if (op.body) op.body = std::make_shared<const ir::Func>(run(named_params(f, op)));
    }
    return f;
  }

 private:
  /// What a body reads of outside is called as it is there.
  ir::Func named_params(const ir::Func& f, const ir::Op& op) {
    ir::Func body = *op.body;
    for (size_t i = 0; i < body.params.size(); ++i) {
      const bool constant = i < op.attrs.consts, carry = !constant && i < op.attrs.consts + op.attrs.carries;
      const std::string outside = f.value_name(op.operands[i]);
      if (constant)
        body.values[body.params[i].id].name = outside;
      else
        name(body, body.params[i], carry ? "carry" : outside + ".t");
    }
    return body;
  }

  void name(ir::Func& f, ir::Value v, const std::string& kind) {
    std::string& own = f.values[v.id].name;
    if (own.empty()) own = fmt::format("{}.{}", kind, next_++);
  }

  int next_ = 0;
};

struct Stage {
  enum class Kind { ir, loops, assembly };
  Kind kind;
  std::string title, text;  // no text: a pass that changed nothing
};

/// Without what speaks to the assembler only.
std::string readable(const std::string& assembly) {
  std::istringstream in(assembly);
  std::string text, line;
  while (std::getline(in, line)) {
    const bool data =
        line.starts_with("\t.long") || line.starts_with("\t.quad") || line.starts_with("\t.int");
    if (line.starts_with(".Lfunc_end") || (line.starts_with("\t.") && !data)) continue;
    text += line + "\n";
  }
  return text;
}

/// All stages of an entry, in order.
std::vector<Stage> stages_of(const PlannedEntry& planned, const codegen::Entry& entry,
                             const std::vector<codegen::Target>& targets) {
  std::vector<Stage> stages;
  codegen::Entry named = entry;
  std::string before;
  auto observe = [&](std::string_view stage, const ir::Func& f) {
    const std::string text = ir::print(f);
    stages.push_back({Stage::Kind::ir, stages.empty() ? "as declared" : std::string(stage), text});
    if (text == before) stages.back().text.clear();
    before = text;
  };
  named.func = passes::run_pipeline(Namer().run(planned.traced), planned.function.pipeline, {"", observe});
  std::vector<Stage> loops, code;
  for (const codegen::Target& target : targets) {
    const codegen::Listing listing = codegen::list_code(named, target);
    if (!loops.empty() && loops.back().text == listing.loops)
      loops.back().title += ", " + target.name;
    else
      loops.push_back({Stage::Kind::loops, "loops: " + target.name, listing.loops});
    code.push_back({Stage::Kind::assembly, "assembly: " + target.name, readable(listing.assembly)});
  }
  stages.insert(stages.end(), loops.begin(), loops.end());
  stages.insert(stages.end(), code.begin(), code.end());
  return stages;
}

bool in_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; }

/// Calls visit(token, is_name) for the parts of a text, names being runs of their characters.
template <class Visit>
void for_tokens(std::string_view text, Visit visit) {
  for (size_t at = 0; at < text.size();) {
    const bool name = in_name(text[at]);
    size_t end = at + 1;
    while (end < text.size() && in_name(text[end]) == name) ++end;
    visit(text.substr(at, end - at), name);
    at = end;
  }
}

std::string escaped(std::string_view text) {
  std::string result;
  for (char c : text)
    result += c == '&'   ? "&amp;"
              : c == '<' ? "&lt;"
              : c == '>' ? "&gt;"
              : c == '"' ? "&quot;"
                         : std::string(1, c);
  return result;
}

/// The stages of one entry as HTML.
class EntryWriter {
 public:
  EntryWriter(std::string entry, const std::vector<Stage>& stages)
      : entry_(std::move(entry)), stages_(stages) {
    for (const Stage& s : stages_) {
      if (s.kind == Stage::Kind::ir) learn_values(s.text);
      if (s.kind == Stage::Kind::assembly) learn_labels(s.text);
    }
    for (size_t i = 0; i < stages_.size(); ++i) write(i);
  }

  std::string text() {
    std::string html;
    for (size_t i = 0; i < stages_.size(); ++i) {
      anchored_.clear();
      if (stages_[i].text.empty())
        html += fmt::format("<div class=\"stage\">{}: no change</div>\n", stages_[i].title);
      else
        html += fmt::format("<details class=\"stage\"{}><summary>{}</summary>\n<pre>{}</pre></details>\n",
                            opens(i) ? " open" : "", escaped(stages_[i].title), write(i));
    }
    return html;
  }

 private:
  /// What was declared, the last IR, and the first of loops and assembly.
  bool opens(size_t i) const {
    const Stage::Kind kind = stages_[i].kind;
    const bool last_ir = kind == Stage::Kind::ir &&
                         std::none_of(stages_.begin() + i + 1, stages_.end(),
                                      [](auto& s) { return s.kind == Stage::Kind::ir && !s.text.empty(); });
    return i == 0 || last_ir || kind != stages_[i - 1].kind;
  }

  void learn_values(std::string_view text) {
    bool value = false;  // whether the text before is a sigil
    for_tokens(text, [&](std::string_view token, bool name) {
      // A number alone is no name: each stage counts its own.
      if (name && value && token.find_first_not_of("0123456789") != token.npos)
        values_.insert(std::string(token));
      value = !name && token.ends_with('%');
    });
  }

  void learn_labels(const std::string& text) {
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
      if (!line.empty() && (in_name(line[0]) || line[0] == '"') && line[0] != '.')
        for_tokens(line.substr(0, line.find(':')), [&](std::string_view token, bool name) {
          if (name) labels_.insert(std::string(token));
        });
  }

  /// Twice: the first time to know which stages have which names.
  std::string write(size_t stage) {
    std::istringstream in(stages_[stage].text);
    const bool compares = stage > 0 && stages_[stage].kind == Stage::Kind::ir;
    const std::set<std::string> before = compares ? lines_before(stage) : std::set<std::string>();
    std::string html;
    for (std::string line; std::getline(in, line);) {
      const std::string text = write_line(stage, line);
      html += compares && !before.contains(line) ? fmt::format("<mark>{}</mark>\n", text) : text + "\n";
    }
    return html;
  }

  /// Of the last stage that differs.
  std::set<std::string> lines_before(size_t stage) const {
    do --stage;
    while (stages_[stage].text.empty());
    std::istringstream in(stages_[stage].text);
    std::set<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.insert(line);
    return lines;
  }

  std::string write_line(size_t stage, const std::string& line) {
    const Stage::Kind kind = stages_[stage].kind;
    std::string html;
    bool value = false;
    for_tokens(line, [&](std::string_view token, bool name) {
      const bool is_value = name && value;
      value = !name && token.ends_with('%');
      if (!name) {
        html += escaped(token);
      } else if (kind == Stage::Kind::ir) {
        html += is_value && values_.contains(std::string(token)) ? link(stage, token) : std::string(token);
      } else if (kind == Stage::Kind::loops ? is_value : !labels_.contains(std::string(token))) {
        html += token;  // a scalar of the kernel, a register, an instruction
      } else {
        html += link_parts(stage, token);
      }
    });
    return html;
  }

  /// A kernel is called by its values, a buffer by its value and number: "z_h.1", "h.b5".
  std::string link_parts(size_t stage, std::string_view token) {
    std::string html;
    auto boundary = [&](size_t at) { return at == token.size() || token[at] == '_' || token[at] == '.'; };
    for (size_t at = 0; at < token.size();) {
      size_t end = token.size();
      while (end > at && !(boundary(end) && values_.contains(std::string(token.substr(at, end - at))))) --end;
      const bool known = end > at;
      if (!known)
        for (end = at + 1; !boundary(end);) ++end;
      html += known ? link(stage, token.substr(at, end - at)) : std::string(token.substr(at, end - at));
      at = end;
      if (at < token.size()) html += token[at++];
    }
    return html;
  }

  /// Leads to the next stage that has the name.
  std::string link(size_t stage, std::string_view token) {
    const std::string name(token);
    std::set<size_t>& where = where_[name];
    where.insert(stage);
    auto next = where.upper_bound(stage);
    if (next == where.end()) next = where.begin();
    const bool first = anchored_.insert(name).second;
    return fmt::format("<a{} data-n=\"{}\" href=\"#{}-{}-{}\">{}</a>",
                       first ? fmt::format(" id=\"{}-{}-{}\"", entry_, stage, name) : "", name, entry_, *next,
                       name, name);
  }

  std::string entry_;
  const std::vector<Stage>& stages_;
  std::set<std::string> values_, labels_, anchored_;
  std::map<std::string, std::set<size_t>> where_;
};

std::string parameters(const PlannedEntry& e) {
  std::vector<std::string> texts;
  for (const CParam& p : e.params)
    if (p.role == CParam::Role::input || p.role == CParam::Role::output)
      texts.push_back(fmt::format("{} {} {}", p.role == CParam::Role::input ? "reads" : "writes", p.name,
                                  ir::to_string(p.tensor)));
  return escaped(fmt::format("{}", fmt::join(texts, ", ")));
}

}  // namespace

std::string page(const Plan& plan, const std::vector<codegen::Target>& targets) {
  std::string sections;
  std::vector<std::string> links;
  for (size_t i = 0; i < plan.entries.size(); ++i) {
    const PlannedEntry& e = plan.entries[i];
    const std::vector<Stage> stages = stages_of(e, plan.library.entries[i], targets);
    links.push_back(fmt::format("<a href=\"#{0}\">{0}</a>", e.name));
    sections += fmt::format(
        "<section id=\"{0}\">\n<h2>{0}</h2>\n<p>{1}</p>\n<div class=\"stages\">\n{2}</div>\n"
        "</section>\n",
        e.name, parameters(e), EntryWriter(e.name, stages).text());
  }
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta "
      "charset=\"utf-8\">\n<title>{0}</title>\n<style>{1}</style>\n"
      "</head>\n<body>\n<header><h1>{0}</h1> <nav>{2}</nav>\n<p>{3}</p></header>\n{4}<script>{5}</script>\n"
      "</body>\n</html>\n",
      plan.name, kPageStyle, fmt::join(links, " "), kPageHelp, sections, kPageScript);
}

}  // namespace rondo::library
