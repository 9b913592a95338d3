#include "codegen/loops/share_columns.h"

#include <algorithm>
#include <set>

#include "codegen/kernels/simplify_kernel.h"
#include "codegen/loops/touches.h"

namespace rondo::codegen {

using namespace ir;

namespace {

/// The columns of a row that a touch walks.
struct Columns {
  size_t variable;
  int64_t first, width;
};

/// If one variable walks the columns of rows of so many, one after the other, and all others walk rows.
std::optional<Columns> columns_of(const Touch& t, int64_t row) {
  std::optional<size_t> variable;
  for (size_t v = 0; v < t.access->strides.size(); ++v) {
    if (quotient(t.access->strides[v], row)) continue;
    if (variable || t.access->strides[v] != Poly(1) || !t.extents[v].is_constant()) return std::nullopt;
    variable = v;
  }
  if (!variable || !placed(t, {row, row + 1, 0})) return std::nullopt;
  const int64_t first = (t.access->offset.constant() % row + row) % row;
  return Columns{*variable, first, t.extents[*variable].constant()};
}

/// Columns of a sequence, and the buffer that holds them: there column c is column c + shift.
struct Segment {
  int64_t first, width;
  BufferId buffer;  // kNone: they are in no other sequence
  int64_t shift;

  bool holds(const Columns& c) const { return first <= c.first && c.first + c.width <= first + width; }
};

/// Gives up one sequence.
class Sharer {
 public:
  Sharer(ProgramBuilder& builder, std::map<BufferId, Touches>& touches, BufferId buffer)
      : builder_(builder), program_(builder.program), touches_(touches), buffer_(buffer) {}

  /// `for_a_step`: also where a row has to live for a step.
  void run(bool for_a_step) {
    loop_ = is_sequence(buffer_) ? writing_loop(buffer_) : nullptr;
    if (!loop_ || !find_segments() || !check_readers(for_a_step)) return;
    const Poly rows = *quotient(buffer().size, row());
    if (kept_width_ > 0) kept_ = new_buffer("", rows * Poly(kept_width_), kept_width_);
    if (lives_for_a_step_) step_ = new_buffer(".step", size_of_step(), row());
    split(program_.stmts);
    touches_ = touches_of(program_);
    redirect_loads();
    redirect_stores();
    touches_ = touches_of(program_);
  }

 private:
  const Buffer& buffer() const { return program_.buffers[buffer_]; }
  int64_t row() const { return buffer().row; }

  bool is_sequence(BufferId b) const {
    return program_.buffers[b].kind == Buffer::Kind::scratch && touches_.contains(b) &&
           std::ranges::none_of(program_.counts, [&](const Count& c) { return c.buffer == b; });
  }

  /// The loop whose kernels write all of the buffer, a row at each step, and do not read what they write.
  const Loop* writing_loop(BufferId b) const {
    const Touches& touches = touches_.at(b);
    const auto first = std::ranges::find_if(touches, &Touch::store);
    const Loop* loop = first == touches.end() ? nullptr : first->loop();
    std::set<const Kernel*> writers;
    for (const Touch& t : touches) {
      if (!t.store) continue;
      if (t.loop() != loop || t.access->row != kNone) return nullptr;
      writers.insert(t.kernel);
    }
    const bool reads =
        std::ranges::any_of(touches, [&](const Touch& t) { return !t.store && writers.contains(t.kernel); });
    return reads ? nullptr : loop;
  }

  /// Whether no two stores write the same columns.
  bool is_written_once(BufferId b) const {
    std::vector<Columns> written;
    for (const Touch& t : touches_.at(b)) {
      if (!t.store) continue;
      const std::optional<Columns> c = columns_of(t, program_.buffers[b].row);
      if (!c) return false;
      written.push_back(*c);
    }
    std::ranges::sort(written, {}, &Columns::first);
    return std::ranges::adjacent_find(written, [](const Columns& a, const Columns& b) {
             return b.first < a.first + a.width;
           }) == written.end();
  }

  // --- what is the same

  /// Another sequence into which a kernel stores what it stores into this one, and how far to the right.
  std::optional<Segment> twin_of(const Touch& t, const Columns& columns) const {
    const std::vector<Store>& stores = t.kernel->stores;
    const auto store = std::ranges::find(stores, t.access, [](const Store& s) { return &s.access; });
    for (const Store& other : stores) {
      const BufferId b = other.access.buffer;
      if (b == buffer_ || other.value != store->value || !is_sequence(b) || writing_loop(b) != loop_ ||
          !is_written_once(b))
        continue;
      const auto same = std::ranges::find(touches_.at(b), &other.access, &Touch::access);
      const int64_t width = program_.buffers[b].row;
      const std::optional<Columns> there = columns_of(*same, width);
      if (!there || there->variable != columns.variable) continue;
      const int64_t shift = there->first - columns.first;
      std::optional<Access> moved = placed(t, {row(), width, shift});
      if (!moved) continue;
      moved->buffer = b;
      if (*moved == other.access) return Segment{columns.first, columns.width, b, shift};
    }
    return std::nullopt;
  }

  /// Parts the row; false if no columns of it are in another sequence.
  bool find_segments() {
    std::vector<Segment> found;
    for (const Touch& t : touches_.at(buffer_)) {
      if (!t.store) continue;
      const std::optional<Columns> c = columns_of(t, row());
      if (!c) return false;
      found.push_back(twin_of(t, *c).value_or(Segment{c->first, c->width, kNone, 0}));
    }
    std::ranges::sort(found, {}, &Segment::first);
    for (Segment s : found) {
      if (s.first != (segments_.empty() ? 0 : end_of_segments())) return false;
      if (s.buffer == kNone) s.shift = kept_width_ - s.first, kept_width_ += s.width;
      if (!segments_.empty() && segments_.back().buffer == s.buffer && segments_.back().shift == s.shift)
        segments_.back().width += s.width;
      else
        segments_.push_back(s);
    }
    return end_of_segments() == row() && kept_width_ < row();
  }

  int64_t end_of_segments() const { return segments_.back().first + segments_.back().width; }

  const Segment* segment_of(const Columns& c) const {
    const auto found = std::ranges::find_if(segments_, [&](const Segment& s) { return s.holds(c); });
    return found == segments_.end() ? nullptr : &*found;
  }

  // --- who reads it

  bool check_readers(bool for_a_step) {
    for (const Touch& t : touches_.at(buffer_)) {
      if (t.store) continue;
      const std::optional<Columns> c = columns_of(t, row());
      if (!c) return false;
      if (segment_of(*c)) continue;
      if (may_split(t, *c))
        split_at_[t.kernel] = *c;
      else if (for_a_step && reads_the_step(t))
        lives_for_a_step_ = true;
      else
        return false;
    }
    return true;
  }

  /// Whether the kernel's points with some of the columns can be a kernel of their own.
  bool may_split(const Touch& t, const Columns& c) const {
    if (c.variable >= t.kernel->dims.size() || std::ranges::any_of(t.kernel->stores, &Store::ordered))
      return false;
    const auto other = split_at_.find(t.kernel);
    return other == split_at_.end() ||
           (other->second.variable == c.variable && other->second.first == c.first);
  }

  /// Whether it reads what kernels before it have written in this step.
  bool reads_the_step(const Touch& t) const {
    if (t.loop() != loop_) return false;
    const auto& outer = t.access->outer;
    return std::ranges::all_of(touches_.at(buffer_), [&](const Touch& other) {
      if (!other.store && &other != &t) return true;
      const Access& a = *other.access;
      return a.outer.size() == 1 && a.outer == outer && a.offset.is_constant() &&
             a.offset.constant() < row() && a.row == kNone &&
             (!other.store || other.path.back().index < t.path.back().index);
    });
  }

  /// Elements of all rows of a step.
  Poly size_of_step() const {
    const auto store = std::ranges::find_if(touches_.at(buffer_), &Touch::store);
    return at_most(program_, store->access->outer.front().second);
  }

  // --- to do it

  /// Splits kernels where segments meet.
  void split(std::vector<Stmt>& stmts) {
    std::vector<Stmt> result;
    for (Stmt& s : stmts) {
      if (s.loop) split(s.loop->body);
      const auto at = s.kernel ? split_at_.find(s.kernel.get()) : split_at_.end();
      if (at == split_at_.end()) {
        result.push_back(s);
        continue;
      }
      const Columns& c = at->second;
      for (const Segment& segment : segments_) {
        const int64_t first = std::max(segment.first, c.first),
                      last = std::min(segment.first + segment.width, c.first + c.width);
        if (first < last) result.push_back(part(*s.kernel, c.variable, first - c.first, last - first));
      }
    }
    stmts = std::move(result);
  }

  static Stmt part(const Kernel& kernel, size_t dim, int64_t first, int64_t size) {
    auto result = std::make_shared<Kernel>(kernel);
    visit_accesses(*result, [&](Access& a) { a.offset += stride_of(a, dim) * Poly(first); });
    result->dims[dim] = size;
    return {std::move(result), nullptr, nullptr};
  }

  BufferId new_buffer(const char* suffix, const Poly& size, int64_t row) {
    const BufferId b = builder_.new_buffer(buffer().name + suffix, buffer().dtype, size);
    program_.buffers[b].row = row;
    return b;
  }

  Access in_segment(const Touch& t, const Segment& s) const {
    const BufferId host = s.buffer == kNone ? kept_ : s.buffer;
    Access a = *placed(t, {row(), program_.buffers[host].row, s.shift});
    a.buffer = host;
    return a;
  }

  Access in_step(Access a) const {
    a.buffer = step_;
    a.outer.clear();
    return a;
  }

  void redirect_loads() {
    for (const Touch& t : touches_.at(buffer_)) {
      if (t.store) continue;
      const Segment* s = segment_of(*columns_of(t, row()));
      *t.access = s ? in_segment(t, *s) : in_step(*t.access);
    }
  }

  void redirect_stores() {
    std::map<Kernel*, std::vector<Store>> stores;
    for (const Touch& t : touches_.at(buffer_))
      if (t.store) stores[t.kernel];
    for (auto& [kernel, redirected] : stores) {
      for (const Store& s : kernel->stores) redirect(s, redirected);
      kernel->stores = std::move(redirected);
    }
  }

  void redirect(const Store& s, std::vector<Store>& stores) const {
    if (s.access.buffer != buffer_) return stores.push_back(s);
    const auto t = std::ranges::find(touches_.at(buffer_), &s.access, &Touch::access);
    const Segment& segment = *segment_of(*columns_of(*t, row()));
    if (segment.buffer == kNone) stores.push_back({in_segment(*t, segment), s.value});
    if (step_ != kNone) stores.push_back({in_step(s.access), s.value});
  }

  ProgramBuilder& builder_;
  LoopProgram& program_;
  std::map<BufferId, Touches>& touches_;
  const BufferId buffer_;
  const Loop* loop_ = nullptr;  // whose kernels write it
  std::vector<Segment> segments_;
  std::map<const Kernel*, Columns> split_at_;
  int64_t kept_width_ = 0;
  bool lives_for_a_step_ = false;
  BufferId kept_ = kNone, step_ = kNone;
};

}  // namespace

void share_columns(ProgramBuilder& builder) {
  std::map<BufferId, Touches> touches = touches_of(builder.program);
  for (const bool for_a_step : {false, true})
    for (BufferId b = 0; b < builder.program.buffers.size(); ++b) Sharer(builder, touches, b).run(for_a_step);
}

}  // namespace rondo::codegen
