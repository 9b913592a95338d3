#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "ir/loops.h"

namespace rondo::ir {
namespace {

constexpr auto kScalarNames = std::to_array<std::string_view>(
    {"constant", "load",    "index", "size",  "acc",  "cast",  "neg",   "exp",    "log",
     "tanh",     "sigmoid", "sqrt",  "rsqrt", "abs",  "cos",   "floor", "add",    "sub",
     "mul",      "div",     "max",   "min",   "less", "equal", "fma",   "select", "random"});
static_assert(kScalarNames.size() == static_cast<size_t>(ScalarOp::random) + 1, "every scalar op has a name");
constexpr std::array<std::string_view, 3> kAccNames = {"sum", "max", "argmax"};
constexpr std::array<std::string_view, 4> kOrderNames = {"", " in halves", " in quarters", " in lanes"};

std::string list(const std::vector<Poly>& polys) {
  std::vector<std::string> texts;
  for (const Poly& p : polys) texts.push_back(to_string(p));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

class Printer {
 public:
  explicit Printer(const LoopProgram& program) : program_(program) {}

  std::string run() && {
    line(0, fmt::format("program {}({}){}", program_.name, fmt::join(program_.dims, ", "),
                        program_.threads > 1 ? fmt::format(" for {} threads", program_.threads) : ""));
    for (size_t i = 0; i < program_.buffers.size(); ++i) buffer(i);
    for (size_t i = 0; i < program_.slots.size(); ++i)
      line(1, fmt::format("slot {}: {} bytes", i, to_string(program_.slots[i])));
    for (const Count& c : program_.counts) {
      if (c.buffer == kNone) {
        const std::string most = to_string(c.most);
        line(1, fmt::format("count {} = min({}, {} - t{}*({}))", c.name, most, to_string(c.steps), c.loop,
                            most));
        continue;
      }
      line(1, fmt::format("count {} = {}[{}] <= {}", c.name, buffer_name(c.buffer),
                          c.loop == kNone ? "0" : fmt::format("t{}", c.loop), to_string(c.most)));
    }
    for (const IndexBound& b : program_.bounds)
      line(1, fmt::format("input {} in [{},{})", b.input, b.low, to_string(b.bound)));
    for (const Stmt& s : program_.stmts) statement(1, s);
    return std::move(text_);
  }

 private:
  void line(size_t depth, const std::string& text) {
    text_.append(2 * depth, ' ');
    text_ += text;
    text_ += '\n';
  }

  std::string buffer_name(BufferId id) const {
    if (id >= program_.buffers.size()) return "b?";
    const std::string& name = program_.buffers[id].name;
    return name.empty() ? fmt::format("b{}", id) : fmt::format("{}.b{}", name, id);
  }

  void buffer(size_t i) {
    const Buffer& b = program_.buffers[i];
    std::string place = b.kind == Buffer::Kind::input    ? fmt::format("input {}", b.arg)
                        : b.kind == Buffer::Kind::output ? fmt::format("output {}", b.arg)
                        : b.slot == kNone                ? "scratch"
                                                         : fmt::format("slot {}", b.slot);
    line(1, fmt::format("buffer {}: {}[{}] {}{}", buffer_name(static_cast<BufferId>(i)), name_of(b.dtype),
                        to_string(b.size), place, b.own.is_zero() ? "" : ", a part for each thread"));
  }

  void statement(size_t depth, const Stmt& s) {
    if (s.sync) line(depth, "sync");
    if (s.kernel) kernel(depth, *s.kernel);
    if (s.loop) loop(depth, *s.loop);
    if (s.pack) pack(depth, *s.pack);
  }

  void pack(size_t depth, const Pack& p) {
    line(depth, fmt::format("pack {} group {}{}", p.kernel->name, p.group,
                            p.source ? fmt::format(" from term {} on, of", p.first) : ""));
    if (!p.source) return;
    for (const Accumulator& a : p.source->accs) nodes(depth + 1, a.nodes);
  }

  void loop(size_t depth, const Loop& l) {
    line(depth, fmt::format("loop t{} < {}{}{}{}{}", l.id, to_string(l.trip), l.reverse ? " reverse" : "",
                            l.by_points ? " by points" : "",
                            l.chunks ? fmt::format(", {} chunks", l.chunks) : "", l.rows ? " of rows" : ""));
    for (const Stmt& s : l.body) statement(depth + 1, s);
  }

  void kernel(size_t depth, const Kernel& k) {
    line(depth, fmt::format("kernel {} over {}{}{}", k.name, list(k.dims), schedule(k.schedule),
                            split(k.schedule.split)));
    for (size_t i = 0; i < k.accs.size(); ++i) {
      const Accumulator& a = k.accs[i];
      line(depth + 1,
           fmt::format("acc{} = {} {} of %{} over {}{}", i, kAccNames[static_cast<size_t>(a.kind)],
                       name_of(a.dtype), a.value, list(a.dims), kOrderNames[static_cast<size_t>(a.order)]));
      nodes(depth + 2, a.nodes);
    }
    nodes(depth + 1, k.nodes);
    for (const Store& s : k.stores)
      line(depth + 1, fmt::format("{} {}= %{}{}", access(s.access), s.add ? "+" : "", s.value,
                                  s.may_repeat ? ", the last stays" : ""));
  }

  std::string split(const Split& s) const {
    if (program_.threads == 1) return "";
    if (s.dim == kNone) return ", one thread";
    return fmt::format(", i{} {}", s.dim, s.in_turn ? "in turn" : fmt::format("in runs of {}", s.grain));
  }

  std::string schedule(const Schedule& s) const {
    if (s.form == Schedule::Form::vector) return "";
    if (s.form == Schedule::Form::row)
      return s.overwritten == kNone ? " as row" : " as row, over " + buffer_name(s.overwritten);
    if (s.form == Schedule::Form::none) return " not at all";
    std::vector<std::string> packed;
    for (BufferId b : s.packed) packed.push_back(b == kNone ? "-" : buffer_name(b));
    return fmt::format(" as gemm of {} rows, {} vectors{}{}", s.rows, s.vectors, s.block ? ", in blocks" : "",
                       packed.empty() ? "" : fmt::format(", packed {}", fmt::join(packed, " ")));
  }

  void nodes(size_t depth, const Nodes& nodes) {
    for (size_t i = 0; i < nodes.size(); ++i) line(depth, fmt::format("%{} = {}", i, node(nodes[i])));
  }

  std::string node(const Node& n) const {
    std::string text = fmt::format("{} {}", kScalarNames[static_cast<size_t>(n.op)], name_of(n.dtype));
    if (n.op == ScalarOp::constant) text += fmt::format(" {}", n.number);
    if (n.op == ScalarOp::load) text += fmt::format(" {}", access(n.access));
    if (n.op == ScalarOp::index) text += fmt::format(" {}", position(n.access));
    if (n.op == ScalarOp::size) text += fmt::format(" {}", to_string(n.access.offset));
    if (n.op == ScalarOp::acc) text += fmt::format(" acc{}", n.acc);
    for (NodeId arg : n.args) text += fmt::format(" %{}", arg);
    return text;
  }

  std::string access(const Access& a) const {
    return fmt::format("{}[{}]", buffer_name(a.buffer), position(a));
  }

  /// "4*B + i0*8 + t1*(8*B) + row %3*8"; a variable's stride of 0 is left out.
  static std::string position(const Access& a) {
    std::vector<std::string> terms;
    auto add = [&](const std::string& variable, const Poly& stride) {
      if (stride.is_zero()) return;
      const std::string factor = to_string(stride);
      terms.push_back(factor == "1"          ? variable
                      : stride.is_constant() ? fmt::format("{}*{}", variable, factor)
                                             : fmt::format("{}*({})", variable, factor));
    };
    if (!a.offset.is_zero()) terms.push_back(to_string(a.offset));
    for (const auto& [loop, stride] : a.outer) add(fmt::format("t{}", loop), stride);
    if (a.row != kNone) add(fmt::format("%{}", a.row), a.row_stride);
    for (size_t i = 0; i < a.strides.size(); ++i) add(fmt::format("i{}", i), a.strides[i]);
    return terms.empty() ? "0" : fmt::format("{}", fmt::join(terms, " + "));
  }

  const LoopProgram& program_;
  std::string text_;
};

}  // namespace

std::string to_string(const LoopProgram& program) { return Printer(program).run(); }

}  // namespace rondo::ir
