#include "explore/answers.h"

#include <fmt/format.h>

namespace astroclip::explore {

std::shared_ptr<const EmbeddingMap> Explored::map_of(const serve::Request& request) const {
  auto found = index.find(request.text("map"));
  if (!found) throw serve::NotFound(fmt::format("there is no map '{}'", request.text("map")));
  return found;
}

int64_t Explored::row_of(const serve::Request& request) const {
  return request.integer("row", 0, embeddings.rows() - 1);
}

std::shared_ptr<const OwnGalaxies::Galaxy> Explored::own_of(const serve::Request& request) const {
  if (!request.query.contains("own")) return nullptr;
  const int64_t id = request.integer("own", 1, INT64_MAX);
  auto found = own == nullptr ? nullptr : own->find(id);
  if (!found) throw serve::NotFound(fmt::format("there is no uploaded galaxy {}", id));
  return found;
}

std::optional<Catalogue::Found> Explored::found(const serve::Request& request) const {
  if (const auto galaxy = own_of(request)) return Catalogue::Found{0, galaxy->input, galaxy->row};
  return catalogue.find(row_of(request));
}

}  // namespace astroclip::explore
