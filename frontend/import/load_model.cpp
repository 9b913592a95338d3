#include "frontend/import/load_model.h"

#include <fmt/format.h>

#include "frontend/function_text.h"
#include "frontend/import/nam.h"
#include "frontend/import/rtneural.h"
#include "runtime/text_data.h"
#include "support/error.h"

namespace rondo {

ImportedModel load_model(const std::string& path, const OnnxOptions& options) {
  if (path.ends_with(".onnx")) return load_onnx(path, options);
  if (!options.dims.empty() || !options.values.empty() || !options.state.empty())
    throw Error(fmt::format("rondo: {}: values and state are told for ONNX models only", path));
  if (path.ends_with(".nam")) return load_nam(path);
  if (path.ends_with(".json")) return load_rtneural(path);
  return {parse_functions(read_text(path), path), {}, {}};
}

}  // namespace rondo
