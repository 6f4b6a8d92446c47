#include "explore/explorer.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "explore/exported_table.h"
#include "explore/page.h"
#include "explore/response_body.h"
#include "explore/selection_table.h"
#include "map/selecting.h"

namespace astroclip::explore {

using nlohmann::ordered_json;
using serve::Request;
using serve::Response;

Explorer::Explorer(const Embeddings& embeddings, const Catalogue& catalogue, ViewIndex& index, OwnGalaxies* own,
                   std::vector<Predicted> predictions)
    : explored_{.embeddings = embeddings,
                .catalogue = catalogue,
                .index = index,
                .own = own,
                .columns = {embeddings, catalogue, index, std::move(predictions)},
                .thumbnails = Thumbnails(catalogue)},
      samp_(embeddings, catalogue, explored_.columns, explored_.selections,
            [this](const std::string& name, const map::Mask& rows) {
              return votable_text(table_of(explored_.embeddings, explored_.columns, explored_.index, name,
                                           map::rows_of(rows, 0, map::count_of(rows))));
            }) {
  for (Answers some : {map_answers(explored_), object_answers(explored_), neighbour_answers(explored_),
                       own_answers(explored_), selection_answers(explored_), samp_answers(explored_, samp_)})
    answers_.merge(some);
  answers_.emplace("api/state", [this](const Request&) { return state(); });
}

Response Explorer::answer(const Request& request) const {
  if (const auto found = answers_.find(request.path); found != answers_.end()) return found->second(request);
  const std::string name = request.path.empty() ? "index.html" : request.path;
  for (const PageFile& file : page_files()) {
    if (file.name == name) return {.type = std::string(file.type), .body = std::string(file.text)};
  }
  throw serve::NotFound(fmt::format("there is nothing under '{}'", request.path));
}

void Explorer::set_work(const std::string& what, double share) {
  const std::scoped_lock lock(mutex_);
  work_ = what;
  share_ = share;
}

Response Explorer::state() const {
  const auto& [embeddings, catalogue, index, own_galaxies, all_columns, thumbnails, kept] = explored_;
  ordered_json maps = ordered_json::array(), columns = ordered_json::array(), selections = ordered_json::array(),
               encoders = ordered_json::array(), own = ordered_json::array();
  for (const auto& one : index.maps()) maps.push_back(json_summary(*one));
  for (const Catalogue::Column& column : all_columns.all()) {
    columns.push_back({{"name", column.name},
                       {"unit", column.unit},
                       {"meaning", column.meaning},
                       {"text", column.kind == Catalogue::Column::Kind::text}});
  }
  for (const std::string& name : embeddings.encoders())
    encoders.push_back({{"name", name}, {"width", embeddings.width(name)}});
  if (own_galaxies != nullptr) {
    for (const auto& galaxy : own_galaxies->all()) own.push_back({{"id", galaxy->id}, {"name", galaxy->name}});
  }
  for (const Selection& one : kept.all())
    selections.push_back({{"id", one.id}, {"name", one.name}, {"count", one.count}});
  const std::scoped_lock lock(mutex_);
  return json_response(
      {{"file", std::filesystem::path(embeddings.path()).filename().string()},
       {"objects", embeddings.rows()},
       {"with_data", catalogue.found()},
       {"model", embeddings.attribute("model")},
       {"model_hash", embeddings.attribute("model_hash")},
       {"embedding", embeddings.attribute("embedding")},
       {"encoders", encoders},
       {"maps", maps},
       {"columns", columns},
       {"selections", selections},
       {"with_model", own_galaxies != nullptr},
       {"reconstructs", own_galaxies == nullptr ? std::vector<std::string>() : own_galaxies->reconstructed()},
       {"with_positions", catalogue.position_columns().has_value()},
       {"own", own},
       {"work", work_},
       {"share", share_}});
}

}  // namespace astroclip::explore
