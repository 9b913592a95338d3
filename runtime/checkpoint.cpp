#include "runtime/checkpoint.h"

#include <fmt/format.h>

#include "runtime/safetensors.h"

namespace rondo {
namespace {

// Metadata keys: these two, and each note behind its prefix.
constexpr const char* kFormat = "rondo.checkpoint";
constexpr const char* kModel = "rondo.model";
constexpr std::string_view kNote = "note.";
constexpr const char* kVersion = "1";

/// Handles to the weights and the state under names that cannot clash.
Weights joined(const Checkpoint& checkpoint) {
  Weights all;
  for (const auto& [name, buffer] : checkpoint.weights.all()) all.add("weights/" + name, buffer);
  for (const auto& [name, buffer] : checkpoint.state.all()) all.add("state/" + name, buffer);
  return all;
}

/// The model line and the notes of a checkpoint's metadata.
std::map<std::string, std::string> split_metadata(const Metadata& metadata, std::string& model) {
  const auto format = metadata.find(kFormat), line = metadata.find(kModel);
  if (format == metadata.end() || line == metadata.end()) throw Error("not a checkpoint");
  if (format->second != kVersion)
    throw Error(fmt::format("a checkpoint of version {}, not {}", format->second, kVersion));
  model = line->second;
  std::map<std::string, std::string> notes;
  for (const auto& [key, value] : metadata)
    if (key.starts_with(kNote)) notes.emplace(key.substr(kNote.size()), value);
  return notes;
}

}  // namespace

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  Metadata metadata = {{kFormat, kVersion}, {kModel, checkpoint.model}};
  for (const auto& [key, value] : checkpoint.notes) metadata.emplace(std::string(kNote) + key, value);
  joined(checkpoint).save(path, metadata);
}

void load_checkpoint(const std::string& path, Checkpoint& into) {
  Metadata metadata;
  const Weights file = Weights::load(path, &metadata);
  try {
    std::string model;
    std::map<std::string, std::string> notes = split_metadata(metadata, model);
    if (model != into.model)
      throw Error(fmt::format("a checkpoint of another model: `{}`, not `{}`", model, into.model));
    try {
      joined(into).assign(file);
    } catch (const Error& error) {
      throw Error(fmt::format("a checkpoint of another model: {}", error.what()));
    }
    into.notes = std::move(notes);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", path, error.what()));
  }
}

std::map<std::string, std::string> read_checkpoint_notes(const std::string& path, std::string* model) {
  Metadata metadata;
  read_safetensors(path, &metadata);
  try {
    std::string line;
    std::map<std::string, std::string> notes = split_metadata(metadata, line);
    if (model) *model = line;
    return notes;
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", path, error.what()));
  }
}

}  // namespace rondo
