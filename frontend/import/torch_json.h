// A PyTorch state_dict as JSON.
#pragma once

#include "frontend/import/json_node.h"
#include "frontend/import/layer_list.h"

namespace rondo {

/// Adds the modules of a state_dict to the model, in the order of the file. The first one tells model.in.
void read_state_dict(const JsonNode& dict, LayerList& model);

}  // namespace rondo
