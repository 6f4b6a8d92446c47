#include "model/origins.h"

#include <algorithm>
#include <set>

#include "io/weights/weights_file.h"

namespace astroclip {

namespace {

constexpr const char* origin_names[] = {"initial", "file", "trained", "aligned"};  // in the order of Origin

std::string metadata_key(const std::string& encoder, const char* part) { return "origin." + encoder + "." + part; }

}  // namespace

bool has_own_head(const Encoder& encoder) {
  const auto is_heads = [](const NamedTensor& entry) { return !entry.name.starts_with("backbone."); };
  return std::ranges::any_of(encoder.parameters(), is_heads);
}

void add_stage(Origins& origins, const Model& model, const std::vector<std::string>& reached) {
  std::set<std::string> backbones, heads, modalities;
  for (const std::string& encoder : model.names()) {
    const std::string prefix = encoder_prefix(encoder) + ".", backbone = prefix + "backbone.";
    for (const std::string& name : reached) {
      if (!name.starts_with(prefix)) continue;
      (name.starts_with(backbone) ? backbones : heads).insert(encoder);
    }
    if (!has_own_head(model.encoder(encoder)) && backbones.contains(encoder)) heads.insert(encoder);
    if (heads.contains(encoder)) modalities.insert(model.encoder(encoder).modality());
  }
  for (const std::string& encoder : model.names()) {
    PartOrigins& of = origins[encoder];
    const bool aligns = modalities.size() > 1 && heads.contains(encoder);
    const Origin now = aligns ? Origin::aligned : Origin::trained;
    if (heads.contains(encoder)) of.head = std::max(of.head, now);
    if (backbones.contains(encoder)) of.backbone = std::max(of.backbone, now);
  }
}

void add_file(Origins& origins, const std::string& encoder, const std::string& path, bool with_head) {
  const Origins told = read_origins(io::list_weights(path).metadata);
  const auto known = told.find(encoder);
  const PartOrigins from = known == told.end() ? PartOrigins{Origin::file, Origin::file} : known->second;
  origins[encoder].backbone = from.backbone;
  if (with_head) origins[encoder].head = from.head;
}

io::Metadata origins_metadata(const Origins& origins) {
  io::Metadata metadata;
  for (const auto& [encoder, of] : origins) {
    metadata[metadata_key(encoder, "backbone")] = origin_names[static_cast<size_t>(of.backbone)];
    metadata[metadata_key(encoder, "head")] = origin_names[static_cast<size_t>(of.head)];
  }
  return metadata;
}

Origins read_origins(const io::Metadata& metadata) {
  Origins origins;
  for (const auto& [key, value] : metadata) {
    const auto* name = std::ranges::find(origin_names, value);
    if (!key.starts_with("origin.") || name == std::end(origin_names)) continue;
    const auto origin = static_cast<Origin>(name - origin_names);
    const size_t dot = key.rfind('.'), begin = std::string("origin.").size();
    PartOrigins& of = origins[key.substr(begin, dot - begin)];
    (key.substr(dot + 1) == "head" ? of.head : of.backbone) = origin;
  }
  return origins;
}

bool has_meaning(const Origins& origins, const std::string& encoder) {
  const auto found = origins.find(encoder);
  return found == origins.end() || found->second.head != Origin::initial;
}

std::string embedding_name(const PartOrigins& origins, bool head) {
  const Origin origin = head ? origins.head : origins.backbone;
  if (origin == Origin::initial) return "untrained";
  if (!head) return origin == Origin::aligned ? "backbone after alignment" : "before alignment";
  if (origin == Origin::aligned) return "aligned";
  return origin == Origin::trained ? "trained" : "from file";
}

}  // namespace astroclip
