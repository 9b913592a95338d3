#include "runtime/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/files.h"

namespace rondo {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little,
              "the format stores little-endian numbers, copied as they are");

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeader = 100'000'000;  // the format's own limit

/// One element type of the format, and what it becomes here.
struct Format {
  std::string_view name;
  DType dtype;
  uint64_t bytes;  // of one element in the file
};
constexpr std::array<Format, 5> kFormats = {{{"F32", DType::f32, 4},
                                             {"F64", DType::f64, 8},
                                             {"I32", DType::i32, 4},
                                             {"BOOL", DType::pred, 1},
                                             {"I64", DType::i32, 8}}};

/// A tensor as the header describes it.
struct Entry {
  std::string name, dtype;
  std::optional<std::vector<uint64_t>> shape, offsets;
};

/// Receives the header's JSON piece by piece and accepts only the format's own structure, which is three
/// levels deep: no tree is built, so that neither depth nor size of hostile JSON matters.
class HeaderReader : public json::json_sax_t {
 public:
  std::vector<Entry> entries;
  Metadata metadata;
  std::string error;

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(json::number_integer_t) override { return unexpected("a negative number"); }
  bool number_float(json::number_float_t, const std::string&) override { return unexpected("a fraction"); }
  bool binary(json::binary_t&) override { return unexpected("binary data"); }

  bool number_unsigned(json::number_unsigned_t value) override {
    if (place_ != Place::numbers) return unexpected("a number");
    numbers_->push_back(value);
    return true;
  }

  bool string(std::string& value) override {
    if (place_ == Place::metadata) {
      metadata[key_] = value;
      return true;
    }
    if (place_ != Place::tensor || key_ != "dtype") return unexpected("a string");
    entries.back().dtype = value;
    return true;
  }

  bool start_object(size_t) override {
    if (place_ == Place::start) {
      place_ = Place::top;
    } else if (place_ == Place::top && key_ == "__metadata__") {
      place_ = Place::metadata;
    } else if (place_ == Place::top) {
      place_ = Place::tensor;
      entries.push_back({.name = key_, .dtype = {}, .shape = {}, .offsets = {}});
    } else {
      return unexpected("an object");
    }
    keys_.emplace_back();
    return true;
  }

  bool key(std::string& name) override {
    key_ = name;
    if (keys_.back().insert(name).second) return true;
    error = place_ == Place::top ? fmt::format("tensor {} is there twice", name)
                                 : fmt::format("key {} is there twice", name);
    return false;
  }

  bool end_object() override {
    keys_.pop_back();
    place_ = place_ == Place::top ? Place::end : Place::top;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ != Place::tensor) return unexpected("an array");
    if (key_ == "shape") {
      numbers_ = &entries.back().shape.emplace();
    } else if (key_ == "data_offsets") {
      numbers_ = &entries.back().offsets.emplace();
    } else {
      return unexpected("an array");
    }
    place_ = Place::numbers;
    return true;
  }

  bool end_array() override {
    place_ = Place::tensor;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const json::exception&) override {
    error = fmt::format("malformed JSON at byte {} of the header", position);
    return false;
  }

 private:
  enum class Place { start, top, metadata, tensor, numbers, end };

  bool unexpected(std::string_view what) {
    switch (place_) {
      case Place::start: error = fmt::format("the header is {}, not an object", what); break;
      case Place::metadata: error = fmt::format("metadata {} is {}, not a string", key_, what); break;
      case Place::top: error = fmt::format("tensor {} is {}, not an object", key_, what); break;
      default: error = fmt::format("tensor {}: unexpected {} at {}", entries.back().name, what, key_);
    }
    return false;
  }

  Place place_ = Place::start;
  std::string key_;
  std::vector<std::set<std::string>> keys_;  // of the objects that are open
  std::vector<uint64_t>* numbers_ = nullptr;
};

/// A tensor that is proven to lie within the file.
struct Tensor {
  std::string name;
  Format format;
  std::vector<int64_t> shape;
  uint64_t begin, end;  // bytes, from the end of the header
};

Tensor check_entry(const Entry& entry, uint64_t data_bytes) {
  const auto fail = [&](const std::string& why) -> Error {
    return Error(fmt::format("tensor {}: {}", entry.name, why));
  };
  if (entry.dtype.empty()) throw fail("has no dtype");
  if (!entry.shape) throw fail("has no shape");
  if (!entry.offsets) throw fail("has no data_offsets");
  const auto format = std::ranges::find(kFormats, entry.dtype, &Format::name);
  if (format == kFormats.end())
    throw fail(fmt::format("dtype {} is none of F32, F64, I32, I64, BOOL", entry.dtype));
  if (entry.offsets->size() != 2)
    throw fail(fmt::format("data_offsets are {} numbers, not 2", entry.offsets->size()));
  const uint64_t begin = (*entry.offsets)[0], end = (*entry.offsets)[1];
  if (begin > end || end > data_bytes)
    throw fail(fmt::format("data_offsets [{},{}] are outside the {} bytes of data", begin, end, data_bytes));

  const bool empty = std::ranges::find(*entry.shape, 0u) != entry.shape->end();
  uint64_t bytes = empty ? 0 : format->bytes;
  std::vector<int64_t> shape;
  for (uint64_t extent : *entry.shape) {
    if (extent > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      throw fail("the shape is too large");
    shape.push_back(static_cast<int64_t>(extent));
    if (bytes != 0 && extent > std::numeric_limits<uint64_t>::max() / bytes)
      throw fail("the shape is too large");
    bytes *= extent;
  }
  if (bytes != end - begin)
    throw fail(fmt::format("{} takes {} bytes, but data_offsets hold {}", to_string(format->dtype, shape),
                           bytes, end - begin));
  return {entry.name, *format, std::move(shape), begin, end};
}

/// Tensors in the order of their bytes, which must cover the data without gap or overlap.
std::vector<Tensor> check_entries(const std::vector<Entry>& entries, uint64_t data_bytes) {
  std::vector<Tensor> tensors;
  for (const Entry& entry : entries) tensors.push_back(check_entry(entry, data_bytes));
  std::ranges::sort(tensors, {}, [](const Tensor& t) { return std::pair(t.begin, t.end); });
  uint64_t at = 0;
  for (const Tensor& t : tensors) {
    if (t.begin != at)
      throw Error(fmt::format("tensor {}: {} at byte {} of the data", t.name,
                              t.begin < at ? "overlap" : "gap", t.begin));
    at = t.end;
  }
  if (at != data_bytes) throw Error(fmt::format("{} bytes of data, but the tensors take {}", data_bytes, at));
  return tensors;
}

void read_i64(const InputFile& file, uint64_t offset, const std::string& name, std::span<int32_t> into) {
  std::array<int64_t, 1024> block;
  for (size_t done = 0; done < into.size();) {
    const size_t n = std::min(block.size(), into.size() - done);
    file.read(offset + done * sizeof(int64_t), std::as_writable_bytes(std::span(block).first(n)));
    for (size_t i = 0; i < n; ++i) {
      if (!std::in_range<int32_t>(block[i]))
        throw Error(fmt::format("tensor {}: {} at index {} does not fit i32", name, block[i], done + i));
      into[done + i] = static_cast<int32_t>(block[i]);
    }
    done += n;
  }
}

Buffer read_tensor(const InputFile& file, uint64_t data_start, const Tensor& tensor) {
  Buffer buffer(tensor.format.dtype, tensor.shape);
  const uint64_t offset = data_start + tensor.begin;
  if (tensor.format.name == "I64") {
    read_i64(file, offset, tensor.name, buffer.as<int32_t>());
    return buffer;
  }
  const std::span bytes(static_cast<std::byte*>(buffer.data()), buffer.bytes());
  file.read(offset, bytes);
  if (buffer.dtype() == DType::pred &&
      std::ranges::any_of(bytes, [](std::byte b) { return b > std::byte{1}; }))
    throw Error(fmt::format("tensor {}: a BOOL is neither 0 nor 1", tensor.name));
  return buffer;
}

std::map<std::string, Buffer> read_tensors(const InputFile& file, Metadata* metadata) {
  if (file.size() < kLengthBytes) throw Error(fmt::format("{} bytes are too few for a header", file.size()));
  uint64_t length = 0;
  file.read(0, std::as_writable_bytes(std::span(&length, 1)));
  if (length > kMaxHeader || length > file.size() - kLengthBytes)
    throw Error(fmt::format("a header of {} bytes does not fit the file of {} bytes", length, file.size()));
  std::string text(length, '\0');
  file.read(kLengthBytes, std::as_writable_bytes(std::span(text)));

  HeaderReader header;
  if (!json::sax_parse(text, &header)) throw Error(header.error);
  const uint64_t data_start = kLengthBytes + length;
  std::map<std::string, Buffer> buffers;
  for (const Tensor& tensor : check_entries(header.entries, file.size() - data_start))
    buffers.emplace(tensor.name, read_tensor(file, data_start, tensor));
  if (metadata) *metadata = std::move(header.metadata);
  return buffers;
}

std::string header_text(const std::map<std::string, Buffer>& tensors, const Metadata& metadata) {
  json header = json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t at = 0;
  for (const auto& [name, buffer] : tensors) {
    const auto format = std::ranges::find(kFormats, buffer.dtype(), &Format::dtype);
    header[name] = {
        {"dtype", format->name}, {"shape", buffer.shape()}, {"data_offsets", {at, at + buffer.bytes()}}};
    at += buffer.bytes();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

std::map<std::string, Buffer> read_safetensors(const std::string& path, Metadata* metadata) {
  const InputFile file(path);
  try {
    return read_tensors(file, metadata);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: not a safetensors file: {}", path, error.what()));
  }
}

void write_safetensors(const std::string& path, const std::map<std::string, Buffer>& tensors,
                       const Metadata& metadata) {
  std::string header;
  try {
    header = header_text(tensors, metadata);
  } catch (const json::exception&) {
    throw Error(fmt::format("{}: cannot write: a name or a piece of metadata is not UTF-8", path));
  }
  const uint64_t length = header.size();
  OutputFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(std::as_bytes(std::span(header)));
  for (const auto& [name, buffer] : tensors)
    file.write({static_cast<const std::byte*>(buffer.data()), buffer.bytes()});
  file.commit();
}

}  // namespace rondo
