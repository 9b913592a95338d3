// What a model file of another program becomes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "frontend/function.h"
#include "runtime/weights.h"

namespace rondo {

struct ImportedModel {
  std::vector<Function> functions;
  Weights weights;
  /// What the file tells besides ("sample_rate", "author"), as text.
  std::map<std::string, std::string> metadata;

  /// The function of that name. Throws Error, listing the functions there are, if there is none.
  const Function& function(const std::string& name) const;
};

}  // namespace rondo
