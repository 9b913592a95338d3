#include "codegen/lowering/in_place.h"

#include <algorithm>

namespace rondo::codegen {
namespace {

using namespace ir;

/// Calls fn(access, is_store, in_accumulator) for all accesses of a kernel.
template <class K, class Fn>
void each_access(K& kernel, Fn fn) {
  for (auto& acc : kernel.accs)
    for (auto& node : acc.nodes)
      if (node.op == ScalarOp::load) fn(node.access, false, true);
  for (auto& node : kernel.nodes)
    if (node.op == ScalarOp::load) fn(node.access, false, false);
  for (auto& store : kernel.stores) fn(store.access, true, false);
}

template <class S, class Fn>
void each_kernel(S& stmt, Fn fn) {
  if (stmt.kernel) fn(*stmt.kernel);
  if (stmt.loop)
    for (auto& inner : stmt.loop->body) each_kernel(inner, fn);
}

bool touches(const Stmt& stmt, BufferId buffer, bool stores) {
  bool found = false;
  each_kernel(stmt, [&](const Kernel& k) {
    each_access(
        k, [&](const Access& a, bool is_store, bool) { found |= is_store == stores && a.buffer == buffer; });
  });
  return found;
}

Access redirected(Access a, const View& target) {
  a.buffer = target.buffer;
  a.offset += target.offset;
  a.outer.insert(a.outer.end(), target.outer.begin(), target.outer.end());
  return a;
}

/// The kernel reads `old` only at the element that it then writes.
bool reads_what_it_writes(const Kernel& kernel, BufferId temporary, const View& target, BufferId old) {
  const Access* written = nullptr;
  bool fine = true;
  each_access(kernel, [&](const Access& a, bool is_store, bool) {
    if (is_store && a.buffer == temporary) {
      if (written || a.row != kNone) fine = false;
      written = &a;
    }
  });
  if (!written || !fine) return false;
  Access own = redirected(*written, target);
  own.buffer = old;
  each_access(kernel, [&](const Access& a, bool is_store, bool in_accumulator) {
    if (!is_store && a.buffer == old && (in_accumulator || !(a == own))) fine = false;
  });
  return fine;
}

/// The kernel copies `old`, element by element.
bool only_copies(const Stmt& stmt, BufferId temporary, const View& target, BufferId old) {
  if (!stmt.kernel || stmt.kernel->stores.size() != 1) return false;
  const Node& value = stmt.kernel->nodes[stmt.kernel->stores[0].value];
  return value.op == ScalarOp::load && value.access.buffer == old &&
         reads_what_it_writes(*stmt.kernel, temporary, target, old);
}

}  // namespace

bool update_in_place(std::vector<Stmt>& stmts, BufferId temporary, const View& target, BufferId old) {
  auto writes = [&](const Stmt& s) { return touches(s, temporary, true); };
  auto first = std::find_if(stmts.begin(), stmts.end(), writes);
  if (first == stmts.end()) return false;
  // What starts as a copy, of which rows are replaced, is there already.
  const auto copy = first;
  const auto replaced = std::find_if(first + 1, stmts.end(), writes);
  const bool starts = replaced != stmts.end() && only_copies(*first, temporary, target, old);
  if (starts) {
    if (std::any_of(copy, replaced, [&](const Stmt& s) { return touches(s, target.buffer, true); }))
      return false;
    first = replaced;
  }
  bool single = std::none_of(first + 1, stmts.end(), writes);
  for (auto s = first; s != stmts.end(); ++s) {
    if (touches(*s, target.buffer, true)) return false;
    if (!touches(*s, old, false)) continue;
    if (s != first || !single || !s->kernel || !reads_what_it_writes(*s->kernel, temporary, target, old))
      return false;
  }
  for (auto s = copy; s != stmts.end(); ++s)
    each_kernel(*s, [&](Kernel& k) {
      each_access(k, [&](Access& a, bool, bool) {
        if (a.buffer == temporary) a = redirected(std::move(a), target);
      });
    });
  if (starts) stmts.erase(copy);
  return true;
}

}  // namespace rondo::codegen
