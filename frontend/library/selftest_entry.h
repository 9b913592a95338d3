// The part of a library's self-test that is about one entry: see selftest.cpp.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "frontend/compile.h"
#include "frontend/library/plan.h"

namespace rondo::library {

/// Writes vectors, which the program computes, and a function test_<entry> that checks them. What it needs of
/// the file around: blocks state, other_state, scratch and so on, saved, begin() and comparisons.
class EntryTest {
 public:
  EntryTest(const Plan& plan, const PlannedEntry& entry, Program program);

  const ir::DimValues& dims() const { return dims_; }
  std::string text();

 private:
  using Role = CParam::Role;
  using Replaced = std::map<Role, std::string>;  // arguments of a call

  std::vector<CParam> arrays(Role) const;
  bool has(Role role) const { return !arrays(role).empty(); }
  std::string vector(const CParam&, int call) const;
  std::string got(const CParam&) const;
  int64_t count(const CParam&) const;
  int64_t bound(const std::string& title) const;
  std::string state_dims() const;

  void fill(int call);
  std::string vectors(int call, Role) const;
  std::string call(int number, const Replaced& replaced = {}) const;
  std::string with_input(const CParam& input, const std::string& argument) const;
  std::string expect(int number, const Replaced& replaced = {}) const;
  std::string wrong(Role, const std::string& argument, const char* status) const;

  std::string checks() const;
  std::string check_mode() const;
  std::string check_state() const;
  std::string check_arguments() const;

  const Plan& plan_;
  const PlannedEntry& entry_;
  Program program_;
  std::string big_;
  ir::DimValues dims_;
};

}  // namespace rondo::library
