#include "codegen/compiled_code.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "support/error.h"

namespace rondo::codegen {

Size::Size(const ir::Poly& p, const std::vector<std::string>& dims) {
  auto number_or_dim = [&](const ir::Dim& d) {
    const auto at = std::find(dims.begin(), dims.end(), d.name());
    return d.is_named() ? ArgDim{0, static_cast<int32_t>(at - dims.begin())} : ArgDim{d.size(), -1};
  };
  for (const auto& [names, coefficient] : p.terms()) {
    Term term{coefficient, {}};
    for (const std::string& name : names) {
      const auto parts = ir::quotient_parts(name);
      term.factors.push_back(parts ? Factor{number_or_dim(parts->first), number_or_dim(parts->second)}
                                   : Factor{number_or_dim(name)});
    }
    terms.push_back(term);
  }
}

int64_t Size::operator()(const int64_t* dims) const {
  auto value = [&](const ArgDim& d) { return d.dim < 0 ? d.size : dims[d.dim]; };
  int64_t sum = 0;
  for (const Term& t : terms) {
    int64_t product = t.coefficient;
    for (const auto& [steps, longest] : t.factors) product *= ir::windows_of(value(steps), value(longest));
    sum += product;
  }
  return sum;
}

namespace {

// One description of each struct serves both ways: Io is Writer or Reader.
void transfer(auto& io, ArgDim& d) { io(d.size, d.dim); }
void transfer(auto& io, Arg& a) { io(a.name, a.dtype, a.shape); }
void transfer(auto& io, Signature::Alias& a) { io(a.input, a.output); }
void transfer(auto& io, Signature::Bound& b) { io(b.input, b.bound, b.more, b.low); }
void transfer(auto& io, Signature& s) { io(s.name, s.dims, s.inputs, s.outputs, s.aliases, s.bounds); }
void transfer(auto& io, Size::Factor& f) { io(f.steps, f.longest); }
void transfer(auto& io, Size::Term& t) { io(t.coefficient, t.factors); }
void transfer(auto& io, Size& s) { io(s.terms); }
void transfer(auto& io, CompiledCode& c) {
  io(c.signature, c.slots, c.copies, c.object, c.threads, c.thread_slots, c.time_saved, c.waits);
}

template <class T>
constexpr bool is_plain = std::is_arithmetic_v<T> || std::is_enum_v<T>;

class Writer {
 public:
  template <class... T>
  void operator()(T&... values) {
    (one(values), ...);
  }
  std::string bytes;

 private:
  template <class T>
  void one(T& value) {
    if constexpr (is_plain<T>)
      bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    else
      transfer(*this, value);
  }
  void one(std::string& text) {
    count(text.size());
    bytes += text;
  }
  template <class T>
  void one(std::vector<T>& list) {
    count(list.size());
    for (T& value : list) one(value);
  }
  void count(uint64_t n) { one(n); }
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}
  template <class... T>
  void operator()(T&... values) {
    (one(values), ...);
  }
  bool at_end() const { return left_.empty(); }

 private:
  template <class T>
  void one(T& value) {
    if constexpr (is_plain<T>)
      std::memcpy(&value, take(sizeof value).data(), sizeof value);
    else
      transfer(*this, value);
  }
  void one(std::string& text) { text = take(count()); }
  template <class T>
  void one(std::vector<T>& list) {
    list.resize(count());
    for (T& value : list) one(value);
  }
  /// No element takes less than a byte, so a count that is wrong is found before memory is asked for.
  uint64_t count() {
    uint64_t n = 0;
    one(n);
    RONDO_CHECK(n <= left_.size(), "compiled code ends early");
    return n;
  }
  std::string_view take(uint64_t n) {
    RONDO_CHECK(n <= left_.size(), "compiled code ends early");
    const std::string_view taken = left_.substr(0, n);
    left_.remove_prefix(n);
    return taken;
  }

  std::string_view left_;
};

}  // namespace

std::string to_bytes(const CompiledCode& code) {
  Writer write;
  CompiledCode copy = code;
  write(copy);
  return std::move(write.bytes);
}

CompiledCode compiled_code(std::string_view bytes) {
  Reader read(bytes);
  CompiledCode code;
  read(code);
  RONDO_CHECK(read.at_end(), "compiled code goes on");
  return code;
}

}  // namespace rondo::codegen
