#include "support/dtype.h"

#include <array>

namespace rondo {
namespace {

struct Info {
  std::string_view name;
  size_t size;
};
constexpr std::array<Info, 4> kInfo = {{{"f32", 4}, {"f64", 8}, {"i32", 4}, {"pred", 1}}};

}  // namespace

size_t size_of(DType t) { return kInfo[static_cast<size_t>(t)].size; }
std::string_view name_of(DType t) { return kInfo[static_cast<size_t>(t)].name; }

std::optional<DType> parse_dtype(std::string_view name) {
  for (size_t i = 0; i < kInfo.size(); ++i)
    if (kInfo[i].name == name) return static_cast<DType>(i);
  return std::nullopt;
}

}  // namespace rondo
