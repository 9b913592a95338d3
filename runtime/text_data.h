// Texts for character language models: the symbols of a text, and its windows for truncated backpropagation
// through time.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rondo {

/// The whole of a text file. Throws Error if it cannot be read, is empty, or is binary (holds a zero byte;
/// says where).
std::string read_text(const std::string& path);

/// The symbols of a text: each byte value that occurs is one, numbered in ascending order of bytes.
class Vocabulary {
 public:
  explicit Vocabulary(std::string_view text);

  int64_t size() const { return static_cast<int64_t>(symbols_.size()); }
  /// All symbols in the order of their numbers. It is a text that gives this same vocabulary.
  const std::string& symbols() const { return symbols_; }
  /// Throws Error for a byte that is no symbol, with its position.
  std::vector<int32_t> encode(std::string_view text) const;
  /// Throws Error for a number that is no symbol's.
  std::string decode(std::span<const int32_t> ids) const;

  /// The symbols in hexadecimal, for a checkpoint's notes, which are UTF-8 as single bytes of a text need not
  /// be.
  std::string to_hex() const;
  static Vocabulary from_hex(std::string_view hex);

 private:
  std::string symbols_;
  std::array<int32_t, 256> id_of_;
};

/// Cuts a text into windows of `batch` rows and `steps` columns, in the layout of char-rnn (Karpathy 2015,
/// CharSplitLMMinibatchLoader.lua): the text is cut to a multiple of batch * steps and laid out in `batch`
/// contiguous rows; window i is columns [i * steps, (i+1) * steps) of all rows. So each row of a window goes
/// on where that row of the window before ended, and the state is carried from one to the next. The first
/// floor(windows * fraction) windows are for training, the rest is held out. The target of a symbol is the
/// next one; of the very last, the first.
class TextWindows {
 public:
  /// Throws Error if the text is too short for one window of training.
  TextWindows(std::vector<int32_t> ids, int64_t batch, int64_t steps, double train_fraction = 0.95);

  int64_t batch() const { return batch_; }
  int64_t steps() const { return steps_; }
  /// Number of windows; the held-out ones come after those for training.
  int64_t training() const { return training_; }
  int64_t held_out() const { return windows_ - training_; }
  /// Symbols in one window.
  int64_t symbols() const { return batch_ * steps_; }

  /// Fills both, which are [steps,batch]. Training window of update n: n % training().
  void training_window(int64_t index, std::span<int32_t> ids, std::span<int32_t> next) const;
  void held_out_window(int64_t index, std::span<int32_t> ids, std::span<int32_t> next) const;

 private:
  void fill(int64_t window, std::span<int32_t> ids, std::span<int32_t> next) const;

  std::vector<int32_t> ids_;
  int64_t batch_, steps_, windows_, training_;
};

}  // namespace rondo
