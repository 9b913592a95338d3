#include "codegen/library.h"

#include <algorithm>
#include <utility>

namespace rondo::codegen {

using namespace ir;

Poly upper_bound(const Poly& a, const Poly& b) {
  Poly bound;
  std::map<Poly::Term, int64_t> terms = a.terms();
  for (const auto& [names, coefficient] : b.terms()) {
    auto [at, fresh] = terms.try_emplace(names, std::max<int64_t>(coefficient, 0));
    if (!fresh) at->second = std::max(at->second, coefficient);
  }
  for (const auto& [names, coefficient] : terms) {
    Poly product = coefficient;
    for (const std::string& name : names) product = product * Poly(Dim(name));
    bound += product;
  }
  return bound;
}

void EntryFacts::include(const EntryFacts& other) {
  scratch_bytes = upper_bound(scratch_bytes, other.scratch_bytes);
  stack_bytes = std::max(stack_bytes, other.stack_bytes);
}

Service::Step Service::Step::zero(EntryPlace to, Poly bytes) {
  Step s{Kind::zero};
  s.to = std::move(to), s.bytes = std::move(bytes);
  return s;
}

Service::Step Service::Step::copy(EntryPlace to, EntryPlace from, Poly bytes) {
  Step s{Kind::copy};
  s.to = std::move(to), s.from = std::move(from), s.bytes = std::move(bytes);
  return s;
}

Service::Step Service::Step::prepare(EntryPlace to, EntryPlace from) {
  Step s{Kind::prepare};
  s.to = std::move(to), s.from = std::move(from);
  return s;
}

Service::Step Service::Step::put(EntryPlace to, Poly word) {
  Step s{Kind::put};
  s.to = std::move(to), s.word = std::move(word);
  return s;
}

Service::Step Service::Step::expect(EntryPlace from, Poly word) {
  Step s{Kind::expect};
  s.from = std::move(from), s.word = std::move(word);
  return s;
}

}  // namespace rondo::codegen
