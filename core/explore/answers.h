#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "explore/catalogue.h"
#include "explore/columns.h"
#include "explore/embeddings.h"
#include "explore/own_galaxies.h"
#include "explore/samp_link.h"
#include "explore/selections.h"
#include "explore/thumbnails.h"
#include "explore/view_index.h"
#include "serve/http_server.h"

namespace astroclip::explore {

/// What the page asks about. All is kept by reference but what the page itself makes.
struct Explored {
  const Embeddings& embeddings;
  const Catalogue& catalogue;
  ViewIndex& index;
  OwnGalaxies* own = nullptr;  ///< null without a model
  Columns columns;
  Thumbnails thumbnails;
  Selections selections = {};

  // What a request names. These throw serve::NotFound for what there is not, and Error for what makes no sense.
  std::shared_ptr<const EmbeddingMap> map_of(const serve::Request& request) const;
  int64_t row_of(const serve::Request& request) const;
  /// The uploaded galaxy "own"; null where the request names a row.
  std::shared_ptr<const OwnGalaxies::Galaxy> own_of(const serve::Request& request) const;
  /// Where the data have the uploaded galaxy or the row.
  std::optional<Catalogue::Found> found(const serve::Request& request) const;
};

/// Answers by their addresses. They throw serve::NotFound, or Error for a request that makes no sense.
using Answers = std::map<std::string, std::function<serve::Response(const serve::Request&)>>;

/// The answers that functions of what is explored and a request give.
template <class What>
Answers answers_by(
    What& explored,
    std::initializer_list<std::pair<const char*, serve::Response (*)(What&, const serve::Request&)>> all) {
  Answers answers;
  for (const auto& [address, answer] : all) answers.emplace(address, std::bind_front(answer, std::ref(explored)));
  return answers;
}

// One subject each, in the file of its name. They keep what is explored by reference.

Answers map_answers(const Explored& explored);
Answers object_answers(const Explored& explored);
Answers neighbour_answers(const Explored& explored);
Answers own_answers(const Explored& explored);
Answers selection_answers(Explored& explored);
Answers samp_answers(const Explored& explored, SampLink& samp);

/// The address to which galaxies are uploaded.
inline constexpr const char* upload_path = "api/own";

/// What is known of an uploaded galaxy.
serve::Response own_object(const Explored& explored, const OwnGalaxies::Galaxy& galaxy);
/// What can be drawn of an object: {"field", "kind"} of each.
nlohmann::ordered_json measured_json(const Catalogue& catalogue, const std::optional<Catalogue::Found>& object);

}  // namespace astroclip::explore
