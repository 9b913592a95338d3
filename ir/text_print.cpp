#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>
#include <unordered_map>

#include "ir/op_def.h"
#include "ir/text.h"

// Printing holds for malformed functions too: the verifier's messages show them.

namespace rondo::ir {
namespace {

/// A name in the characters of the text's grammar. Digits alone stand for an unnamed value, so a name is
/// never that.
std::string clean_name(const std::string& name) {
  std::string text;
  for (char c : name) text += std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' ? c : '_';
  const bool digits = std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
  return digits ? fmt::format("_{}", text) : text;
}

/// The names of a function's values in the text: "%lstm.z", "%0" for the first unnamed one, "%h.1" where "%h"
/// is taken.
class Names {
 public:
  explicit Names(const Func& func) {
    std::set<std::string> taken;
    std::unordered_map<std::string, int> suffixes;
    int unnamed = 0;
    for (const Func::ValueInfo& value : func.values) {
      std::string text = value.name.empty() ? std::to_string(unnamed++) : clean_name(value.name);
      for (const std::string base = text; !taken.insert(text).second;)
        text = fmt::format("{}.{}", base, ++suffixes[base]);
      names_.push_back(fmt::format("%{}", text));
    }
  }

  std::string operator[](Value v) const { return v.id < names_.size() ? names_[v.id] : "%?"; }

  std::string list(std::span<const Value> values) const {
    std::vector<std::string> texts;
    for (Value v : values) texts.push_back((*this)[v]);
    return fmt::format("{}", fmt::join(texts, ", "));
  }

 private:
  std::vector<std::string> names_;
};

std::string type_text(const Func& func, Value v) {
  return v.id < func.values.size() ? to_string(func.type(v)) : "?";
}

/// The shortest text that reads back as the same double.
std::string number_text(double x) { return std::isnan(x) ? "nan" : fmt::format("{}", x); }

/// " {axis=1, tb}", or nothing.
std::string attributes_text(const OpDef& def, const Attrs& a) {
  std::vector<std::string> parts;
  for (Attr attr : def.attrs) switch (attr) {
      case Attr::number: parts.push_back("value=" + number_text(a.number)); break;
      case Attr::axes: parts.push_back(fmt::format("axes=[{}]", fmt::join(a.axes, ","))); break;
      case Attr::axis: parts.push_back(fmt::format("axis={}", a.axis)); break;
      case Attr::lo: parts.push_back(fmt::format("lo={}", a.lo)); break;
      case Attr::hi: parts.push_back(fmt::format("hi={}", a.hi)); break;
      case Attr::dim: parts.push_back("dim=" + to_string(a.dim)); break;
      case Attr::ta:
        if (a.ta) parts.push_back("ta");
        break;
      case Attr::tb:
        if (a.tb) parts.push_back("tb");
        break;
      case Attr::type:     // is the result's type
      case Attr::reverse:  // stands in the head of the scan
        break;
    }
  return parts.empty() ? "" : fmt::format(" {{{}}}", fmt::join(parts, ", "));
}

class Printer {
 public:
  void function(const Func& func) {
    const Names names(func);
    std::vector<std::string> params, results;
    for (Value p : func.params) params.push_back(names[p] + ": " + type_text(func, p));
    for (Value r : func.results) results.push_back(type_text(func, r));
    text_ = fmt::format("func @{}({}) -> ({}) {{\n", clean_name(func.name), fmt::join(params, ", "),
                        fmt::join(results, ", "));
    for (const Op& op : func.ops) line(func, names, op, 1);
    text_ +=
        func.results.empty() ? "  return\n}\n" : fmt::format("  return {}\n}}\n", names.list(func.results));
  }

  /// One op, without indentation and line end.
  void statement(const Func& func, const Names& names, const Op& op, size_t depth) {
    const OpDef& def = def_of(op.kind);
    Values results;
    for (uint32_t i = 0; i < op.result_count; ++i) results.push_back(op.result(i));
    std::vector<std::string> types;
    for (Value r : results) types.push_back(type_text(func, r));
    text_ += fmt::format("{} = {}", names.list(results), def.name);
    if (op.body)
      region(names, op, depth);
    else
      text_ += fmt::format("{}{}{}", op.operands.empty() ? "" : " ", names.list(op.operands),
                           attributes_text(def, op.attrs));
    text_ += fmt::format(" : {}", fmt::join(types, ", "));
  }

  std::string take() { return std::move(text_); }

 private:
  using Values = std::vector<Value>;

  void line(const Func& func, const Names& names, const Op& op, size_t depth) {
    text_.append(2 * depth, ' ');
    statement(func, names, op, depth);
    text_ += '\n';
  }

  /// Of an operand that is an x; windows along the first dim need no telling.
  static int64_t window_axis(const Op& op, size_t operand) {
    const bool x = operand >= op.attrs.consts + op.attrs.carries && operand < op.body->params.size();
    return x ? ScanView(op).window_axis(op.body->params[operand]) : 0;
  }

  /// " consts(%w, %inner = %outer)" for operands [from, to), or nothing where there are none.
  static std::string group(std::string_view word, const Names& outer, const Names& inner, const Op& op,
                           size_t from, size_t to) {
    std::vector<std::string> parts;
    for (size_t i = from; i < to; ++i) {
      const std::string param = i < op.body->params.size() ? inner[op.body->params[i]] : "%?";
      const std::string operand = outer[op.operands[i]];
      parts.push_back(param == operand ? param : param + " = " + operand);
      if (const int64_t axis = window_axis(op, i); axis > 0) parts.back() += fmt::format(" along {}", axis);
    }
    return parts.empty() ? "" : fmt::format(" {}({})", word, fmt::join(parts, ", "));
  }

  void region(const Names& outer, const Op& op, size_t depth) {
    const Func& body = *op.body;
    const Names inner(body);
    const bool lengths = op.attrs.lengths && !op.operands.empty();
    const size_t count = op.operands.size() - lengths;
    const size_t carries = std::min<size_t>(op.attrs.consts, count),
                 xs = std::min(carries + op.attrs.carries, count);
    if (op.attrs.reverse) text_ += " reverse";
    if (op.attrs.chunks) text_ += fmt::format(" chunks({})", op.attrs.chunks);
    if (lengths) text_ += fmt::format(" lengths({})", outer[op.operands.back()]);
    if (op.attrs.window.is_named())
      text_ += fmt::format(" windows({}, {})", to_string(op.attrs.window), to_string(op.attrs.longest));
    if (xs == count || op.attrs.window.is_named()) text_ += fmt::format(" trip({})", to_string(op.attrs.dim));
    text_ += group("consts", outer, inner, op, 0, carries) + group("carry", outer, inner, op, carries, xs) +
             group("xs", outer, inner, op, xs, count) + " {\n";
    for (const Op& inside : body.ops) line(body, inner, inside, depth + 1);
    text_.append(2 * depth + 2, ' ');
    const std::span<const Value> results(body.results);
    const size_t next = std::min<size_t>(op.attrs.carries, results.size());
    text_ += "yield";
    if (next) text_ += fmt::format(" carry({})", inner.list(results.first(next)));
    if (next < results.size()) text_ += fmt::format(" ys({})", inner.list(results.subspan(next)));
    text_ += '\n';
    text_.append(2 * depth, ' ');
    text_ += '}';
  }

  std::string text_;
};

}  // namespace

std::string print(const Func& func) {
  Printer p;
  p.function(func);
  return p.take();
}

std::string print(const Func& func, const Op& op) {
  Printer p;
  p.statement(func, Names(func), op, 0);
  return p.take();
}

}  // namespace rondo::ir
