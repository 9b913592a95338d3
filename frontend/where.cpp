#include "frontend/where.h"

#include <fmt/format.h>

#include <string_view>

#include "support/error.h"

namespace rondo {
namespace {

thread_local const LibraryCall* innermost = nullptr;

}  // namespace

std::string to_string(const Where& where) {
  std::string_view file = where.file;
  return fmt::format("{}:{}", file.substr(file.find_last_of("/\\") + 1), where.line);
}

LibraryCall::LibraryCall(std::string name, Where where)
    : outer_(innermost), name_(std::move(name)), where_(where) {
  innermost = this;
}

LibraryCall::~LibraryCall() { innermost = outer_; }

std::string LibraryCall::place(Where where) {
  std::string names;
  for (const LibraryCall* call = innermost; call; call = call->outer_) {
    names = names.empty() ? call->name_ : call->name_ + "/" + names;
    where = call->where_;
  }
  return fmt::format("{}{} ({})", names.empty() ? "" : " in ", names, to_string(where));
}

void fail(const std::string& what, Where where) {
  throw Error(fmt::format("rondo: {}{}", what, LibraryCall::place(where)));
}

}  // namespace rondo
