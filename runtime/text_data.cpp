#include "runtime/text_data.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "runtime/files.h"
#include "support/error.h"

namespace rondo {

std::string read_text(const std::string& path) {
  const InputFile file(path);
  std::string text(file.size(), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  if (text.empty()) throw Error(fmt::format("{}: is empty", path));
  if (const size_t zero = text.find('\0'); zero != text.npos)
    throw Error(fmt::format("{}: is not a text: byte {} is zero", path, zero));
  return text;
}

Vocabulary::Vocabulary(std::string_view text) {
  id_of_.fill(-1);
  for (unsigned char byte : text) id_of_[byte] = 0;
  for (int byte = 0; byte < 256; ++byte) {
    if (id_of_[byte] < 0) continue;
    id_of_[byte] = static_cast<int32_t>(symbols_.size());
    symbols_.push_back(static_cast<char>(byte));
  }
}

std::vector<int32_t> Vocabulary::encode(std::string_view text) const {
  std::vector<int32_t> ids;
  ids.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (id_of_[byte] < 0)
      throw Error(fmt::format("byte {:#04x} at position {} is not in the vocabulary", byte, i));
    ids.push_back(id_of_[byte]);
  }
  return ids;
}

std::string Vocabulary::decode(std::span<const int32_t> ids) const {
  std::string text;
  for (int32_t id : ids) {
    if (id < 0 || id >= size()) throw Error(fmt::format("symbol {} is outside [0,{})", id, size()));
    text.push_back(symbols_[id]);
  }
  return text;
}

std::string Vocabulary::to_hex() const {
  std::string hex;
  for (unsigned char byte : symbols_) hex += fmt::format("{:02x}", byte);
  return hex;
}

Vocabulary Vocabulary::from_hex(std::string_view hex) {
  std::string symbols;
  for (size_t i = 0; i < hex.size(); i += 2) {
    const std::string_view digits = hex.substr(i, 2);
    unsigned byte = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (error != std::errc() || digits.size() != 2 || end != digits.data() + 2)
      throw Error(fmt::format("vocabulary: `{}` at {} is not a byte in hexadecimal", digits, i));
    symbols.push_back(static_cast<char>(byte));
  }
  return Vocabulary(symbols);
}

TextWindows::TextWindows(std::vector<int32_t> ids, int64_t batch, int64_t steps, double train_fraction)
    : ids_(std::move(ids)), batch_(batch), steps_(steps) {
  if (batch < 1 || steps < 1)
    throw Error(fmt::format("a window of {} rows and {} steps: both must be at least 1", batch, steps));
  if (!(train_fraction > 0 && train_fraction <= 1))
    throw Error(fmt::format("train fraction {} is outside (0,1]", train_fraction));
  const auto size = static_cast<int64_t>(ids_.size());
  windows_ = size / steps / batch;
  training_ = static_cast<int64_t>(std::floor(static_cast<double>(windows_) * train_fraction));
  if (windows_ == 0)
    throw Error(fmt::format("a text of {} characters is shorter than one window of {} rows x {} steps", size,
                            batch, steps));
  if (training_ == 0)
    throw Error(fmt::format(
        "a text of {} characters has {} windows of {} rows x {} steps: {} of them is none to train on", size,
        windows_, batch, steps, train_fraction));
  ids_.resize(static_cast<size_t>(windows_ * batch * steps));
}

void TextWindows::training_window(int64_t index, std::span<int32_t> ids, std::span<int32_t> next) const {
  RONDO_CHECK(index >= 0 && index < training(), fmt::format("training window {} of {}", index, training()));
  fill(index, ids, next);
}

void TextWindows::held_out_window(int64_t index, std::span<int32_t> ids, std::span<int32_t> next) const {
  RONDO_CHECK(index >= 0 && index < held_out(), fmt::format("held-out window {} of {}", index, held_out()));
  fill(training_ + index, ids, next);
}

void TextWindows::fill(int64_t window, std::span<int32_t> ids, std::span<int32_t> next) const {
  const auto wanted = static_cast<size_t>(symbols());
  if (ids.size() != wanted || next.size() != wanted)
    throw Error(fmt::format("a window of {} steps x {} rows does not fit buffers of {} and {} elements",
                            steps_, batch_, ids.size(), next.size()));
  const int64_t row_length = windows_ * steps_;
  for (int64_t b = 0; b < batch_; ++b) {
    const int64_t start = b * row_length + window * steps_;
    for (int64_t t = 0; t < steps_; ++t) {
      const size_t at = static_cast<size_t>(start + t), into = static_cast<size_t>(t * batch_ + b);
      ids[into] = ids_[at];
      next[into] = ids_[at + 1 < ids_.size() ? at + 1 : 0];
    }
  }
}

}  // namespace rondo
