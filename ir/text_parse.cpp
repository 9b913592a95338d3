#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "ir/builder.h"
#include "ir/op_def.h"
#include "ir/text.h"
#include "ir/text_reader.h"
#include "support/error.h"

// A recursive-descent parser that builds through Builder, so that what it returns has passed every type rule.
// Text comes from outside: the nesting of scans is bounded, extents are bounded, and all memory is in
// proportion to the text.

namespace rondo::ir {
namespace {

constexpr int kMaxDepth = 64;

struct NamedAttr {
  std::string_view name;
  Attr attr;
};
constexpr NamedAttr kAttrs[] = {{"value", Attr::number}, {"axes", Attr::axes}, {"axis", Attr::axis},
                                {"lo", Attr::lo},        {"hi", Attr::hi},     {"ta", Attr::ta},
                                {"tb", Attr::tb},        {"dim", Attr::dim}};

/// A function in the making, and what its names mean.
struct Region {
  explicit Region(std::string name) : builder(std::move(name)) {}
  Builder builder;
  std::map<std::string, Value> values;
};

class Parser {
 public:
  Parser(std::string_view text, std::string_view file) : in_(text, file) {}

  Func function() {
    in_.expect("func");
    Region region(in_.name("@"));
    in_.expect("(");
    for (bool more = !in_.accept(")"); more; more = next_or(")")) {
      const size_t at = in_.place();
      const std::string name = in_.name("%");
      in_.expect(":");
      define(region, at, name, region.builder.param(type(), source_name(name)));
    }
    in_.expect("->");
    in_.expect("(");
    std::vector<Type> types;
    for (bool more = !in_.accept(")"); more; more = next_or(")")) types.push_back(type());
    in_.expect("{");
    ops(region, 0);
    const size_t at = in_.place();
    in_.expect("return");
    std::vector<Value> results;
    if (in_.next_is('%')) results = uses(region);
    check_types(at, region.builder, results, types);
    in_.expect("}");
    return std::move(region.builder).finish(std::move(results));
  }
  bool at_end() { return in_.at_end(); }
  void expect_end() { in_.expect_end(); }

 private:
  /// After an item of a list: another follows a comma, or the list ends.
  bool next_or(std::string_view end) {
    if (in_.accept(",")) return true;
    in_.expect(end);
    return false;
  }

  /// Digits alone are the text's name of an unnamed value.
  static std::string source_name(const std::string& name) {
    const bool digits =
        std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c); });
    return digits ? "" : name;
  }

  void define(Region& region, size_t at, const std::string& name, Value v) {
    if (!region.values.emplace(name, v).second) in_.fail(at, fmt::format("`%{}` is defined twice", name));
  }

  Value use(Region& region) {
    const size_t at = in_.place();
    const std::string name = in_.name("%");
    auto it = region.values.find(name);
    if (it == region.values.end()) in_.fail(at, fmt::format("`%{}` is not defined", name));
    return it->second;
  }

  std::vector<Value> uses(Region& region) {
    std::vector<Value> values;
    do values.push_back(use(region));
    while (in_.accept(","));
    return values;
  }

  Dim name_or_number() {
    if (!in_.next_is_digit()) return in_.word("a dim");
    return in_.integer();
  }

  Dim dim() {
    const Dim d = name_or_number();
    if (!in_.accept("/")) return d;
    const Dim longest = name_or_number();
    return quotient(d, in_.accept("/") ? quotient(longest, name_or_number()) : longest);
  }

  Type type() {
    const size_t at = in_.place();
    const std::string name = in_.word("a type");
    const auto dtype = parse_dtype(name);
    if (!dtype) in_.fail(at, fmt::format("unknown dtype `{}`", name));
    Type t{*dtype, {}};
    int64_t count = 1;
    in_.expect("[");
    for (bool more = !in_.accept("]"); more; more = next_or("]")) {
      t.shape.push_back(dim());
      const int64_t n = std::max<int64_t>(t.shape.back().size(), 1);
      if (count > kMaxElements / n) in_.fail(at, "the type has too many elements");
      count *= n;
    }
    return t;
  }

  std::vector<Type> types() {
    std::vector<Type> list;
    do list.push_back(type());
    while (in_.accept(","));
    return list;
  }

  void check_types(size_t at, const Builder& b, const std::vector<Value>& values,
                   const std::vector<Type>& types) {
    if (values.size() != types.size())
      in_.fail(at, fmt::format("{} results, but {} types", values.size(), types.size()));
    for (size_t i = 0; i < values.size(); ++i)
      if (b.type(values[i]) != types[i])
        in_.fail(at, fmt::format("result {} is {}, the text says {}", i, to_string(b.type(values[i])),
                                 to_string(types[i])));
  }

  void attribute(Attr attr, Attrs& a) {
    if (attr != Attr::ta && attr != Attr::tb) in_.expect("=");
    switch (attr) {
      case Attr::number: a.number = in_.number(); break;
      case Attr::axis: a.axis = in_.integer(); break;
      case Attr::lo: a.lo = in_.integer(); break;
      case Attr::hi: a.hi = in_.integer(); break;
      case Attr::ta: a.ta = true; break;
      case Attr::tb: a.tb = true; break;
      case Attr::dim: a.dim = dim(); break;
      case Attr::axes:
        in_.expect("[");
        for (bool more = !in_.accept("]"); more; more = next_or("]")) a.axes.push_back(in_.integer());
        break;
      case Attr::type:
      case Attr::reverse: break;  // not among kAttrs
    }
  }

  /// All that the op has, each once; booleans may be left out.
  Attrs attributes(const OpDef& def) {
    Attrs a;
    std::vector<Attr> left;
    for (const NamedAttr& known : kAttrs)
      if (std::count(def.attrs.begin(), def.attrs.end(), known.attr)) left.push_back(known.attr);
    size_t at = in_.place();
    if (in_.accept("{")) {
      for (bool more = !in_.accept("}"); more; more = next_or("}")) {
        at = in_.place();
        const std::string name = in_.word("an attribute");
        const auto known = std::find_if(std::begin(kAttrs), std::end(kAttrs),
                                        [&](const NamedAttr& n) { return n.name == name; });
        const auto place =
            known == std::end(kAttrs) ? left.end() : std::find(left.begin(), left.end(), known->attr);
        if (place == left.end()) in_.fail(at, fmt::format("`{}` has no attribute `{}` here", def.name, name));
        left.erase(place);
        attribute(known->attr, a);
      }
    }
    for (const NamedAttr& known : kAttrs)
      if (known.attr != Attr::ta && known.attr != Attr::tb &&
          std::count(left.begin(), left.end(), known.attr))
        in_.fail(at, fmt::format("`{}` lacks the attribute `{}`", def.name, known.name));
    return a;
  }

  /// Runs a step of the builder; its errors get the place.
  template <class F>
  auto built(size_t at, F f) {
    try {
      return f();
    } catch (const Error& e) {
      std::string_view message = e.what();
      if (message.starts_with("rondo: ")) message.remove_prefix(7);
      in_.fail(at, std::string(message));
    }
  }

  /// Statements up to `return` or `yield`.
  void ops(Region& region, int depth) {
    while (in_.next_is('%')) statement(region, depth);
  }

  void statement(Region& region, int depth) {
    std::vector<std::pair<size_t, std::string>> names;
    do {
      const size_t at = in_.place();
      names.emplace_back(at, in_.name("%"));
    } while (in_.accept(","));
    in_.expect("=");
    const size_t at = in_.place();
    const std::string word = in_.word("an op");
    const OpDef* def = find_op(word);
    if (!def) in_.fail(at, fmt::format("unknown op `{}`", word));
    std::vector<Value> results;
    if (def->cls == OpClass::scan) {
      results = scan(region, at, names, depth);
    } else {
      results = {simple(region, at, *def, names[0].second)};
    }
    if (results.size() != names.size())
      in_.fail(at, fmt::format("{} results, but {} names", results.size(), names.size()));
    for (size_t i = 0; i < names.size(); ++i) define(region, names[i].first, names[i].second, results[i]);
  }

  Value simple(Region& region, size_t at, const OpDef& def, const std::string& name) {
    std::vector<Value> operands;
    if (in_.next_is('%')) operands = uses(region);
    Attrs attrs = attributes(def);
    in_.expect(":");
    const Type shown = type();
    if (std::count(def.attrs.begin(), def.attrs.end(), Attr::type)) attrs.type = shown;
    const Value v =
        built(at, [&] { return region.builder.emit(def.kind, operands, attrs, source_name(name)); });
    check_types(at, region.builder, {v}, {shown});
    return v;
  }

  /// A group of a scan's operands, "(%inner = %outer, %same)". Each becomes a parameter of the body, or a
  /// slice of it, as the scan's attributes say; returns how many.
  uint32_t bindings(Region& outer, Region& inner, std::vector<Value>& operands,
                    const Attrs* slices = nullptr) {
    uint32_t count = 0;
    in_.expect("(");
    for (bool more = !in_.accept(")"); more; more = next_or(")"), ++count) {
      const size_t at = in_.place();
      const std::string name = in_.name("%");
      if (in_.accept("=")) {
        operands.push_back(use(outer));
      } else {
        auto it = outer.values.find(name);
        if (it == outer.values.end()) in_.fail(at, fmt::format("`%{}` is not defined", name));
        operands.push_back(it->second);
      }
      Type t = outer.builder.type(operands.back());
      if (slices) {
        if (t.rank() == 0) in_.fail(at, fmt::format("`%{}` is a scalar and has no leading dim", name));
        const bool along = in_.accept("along");
        const auto axis = static_cast<size_t>(along ? in_.integer() : 0);
        const bool window =
            slices->window.is_named() && axis < t.shape.size() && t.shape[axis] == slices->dim;
        if (along && !window) in_.fail(at, fmt::format("`%{}` has no windows along dim {}", name, axis));
        if (window)
          t.shape[axis] = slices->window;
        else
          t.shape.erase(t.shape.begin());
      }
      define(inner, at, name, inner.builder.param(std::move(t), source_name(name)));
    }
    return count;
  }

  std::vector<Value> scan(Region& outer, size_t at, const std::vector<std::pair<size_t, std::string>>& names,
                          int depth) {
    if (depth == kMaxDepth) in_.fail(at, fmt::format("scans nest deeper than {}", kMaxDepth));
    Region inner("body");
    Attrs attrs;
    std::vector<Value> operands;
    attrs.reverse = in_.accept("reverse");
    if (in_.accept("chunks")) {
      in_.expect("(");
      attrs.chunks = in_.integer();
      in_.expect(")");
    }
    Value lengths;
    if ((attrs.lengths = in_.accept("lengths"))) {
      in_.expect("(");
      lengths = use(outer);
      in_.expect(")");
    }
    if (in_.accept("windows")) {
      in_.expect("(");
      attrs.window = in_.word("the name of a window's steps");
      in_.expect(",");
      attrs.longest = dim();
      in_.expect(")");
    }
    const bool windows = attrs.window.is_named(), has_trip = in_.accept("trip");
    if (has_trip) {
      in_.expect("(");
      attrs.dim = dim();
      in_.expect(")");
    }
    if (in_.accept("consts")) attrs.consts = bindings(outer, inner, operands);
    if (in_.accept("carry")) attrs.carries = bindings(outer, inner, operands);
    const bool has_xs = in_.accept("xs") && bindings(outer, inner, operands, &attrs) > 0;
    if (lengths) operands.push_back(lengths);
    if (windows ? !has_trip : has_trip == has_xs)
      in_.fail(at, windows  ? "a scan of windows takes a trip count"
                   : has_xs ? "a scan with xs takes no trip count"
                            : "a scan without xs takes a trip count");
    in_.expect("{");
    ops(inner, depth + 1);
    std::vector<Value> yielded = yield(inner, attrs.carries);
    in_.expect("}");
    in_.expect(":");
    const std::vector<Type> shown = types();
    std::vector<std::string> sources;
    for (const auto& [place, name] : names) sources.push_back(source_name(name));
    auto body = std::make_shared<const Func>(std::move(inner.builder).finish(std::move(yielded)));
    std::vector<Value> results = built(
        at, [&] { return outer.builder.emit_scan(std::move(operands), attrs, body, std::move(sources)); });
    check_types(at, outer.builder, results, shown);
    return results;
  }

  /// "yield carry(%next) ys(%y)": the body's results.
  std::vector<Value> yield(Region& inner, uint32_t carries) {
    const size_t at = in_.place();
    in_.expect("yield");
    std::vector<Value> results;
    auto group = [&](std::string_view word) {
      if (!in_.accept(word)) return;
      in_.expect("(");
      for (bool more = !in_.accept(")"); more; more = next_or(")")) results.push_back(use(inner));
    };
    group("carry");
    if (results.size() != carries)
      in_.fail(at, fmt::format("{} carries, but {} are yielded", carries, results.size()));
    group("ys");
    return results;
  }

  TextReader in_;
};

}  // namespace

Func parse(std::string_view text, std::string_view file) {
  Parser parser(text, file);
  Func func = parser.function();
  parser.expect_end();
  return func;
}

std::vector<Func> parse_all(std::string_view text, std::string_view file) {
  Parser parser(text, file);
  std::vector<Func> funcs;
  do funcs.push_back(parser.function());
  while (!parser.at_end());
  return funcs;
}

}  // namespace rondo::ir
