// Environment variables for the length of a scope.
#pragma once

#include <cstdlib>
#include <string>

namespace rondo::test {

class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) { setenv(name, value.c_str(), 1); }
  ~Environment() { unsetenv(name_); }

 private:
  const char* name_;
};

}  // namespace rondo::test
