// The safetensors file format: 8 bytes of header length, a JSON header, then the tensors' bytes without gaps.
#pragma once

#include <map>
#include <string>

#include "runtime/weights.h"

namespace rondo {

using Metadata = std::map<std::string, std::string>;

/// Reads a file of F32, F64, I32, I64 (into i32; each value must fit) and BOOL tensors. The file is hostile
/// until proven good: everything is checked before memory is taken, and that is never more than the file's
/// size. Throws Error with the path and the reason.
std::map<std::string, Buffer> read_safetensors(const std::string& path, Metadata* metadata = nullptr);

/// Writes names in sorted order; the header is padded with spaces to a multiple of 8 bytes. Replaces the file
/// wholly or not at all.
void write_safetensors(const std::string& path, const std::map<std::string, Buffer>& tensors,
                       const Metadata& metadata = {});

}  // namespace rondo
