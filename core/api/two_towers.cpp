#include "api/two_towers.h"

#include <fmt/format.h>

#include "base/error.h"

namespace astroclip {

std::vector<ViewRequest> view_of_each(const LossSetup& setup, bool augment) {
  std::vector<ViewRequest> requests;
  for (const std::string& modality : setup.modalities()) {
    requests.push_back({.name = modality, .modality = modality, .augment = augment});
  }
  return requests;
}

std::vector<std::string> two_aligned_modalities(const LossSetup& setup, const std::string& loss) {
  const std::vector<std::string> modalities = setup.modalities();
  if (modalities.size() != 2) {
    throw Error(fmt::format("[{}] aligns two encoders, the stage has {}", loss, modalities.size()));
  }
  const int64_t first = setup.encoder(modalities[0]).embedding_width();
  const int64_t second = setup.encoder(modalities[1]).embedding_width();
  if (first != second) {
    throw Error(fmt::format("[{}] the heads of the two encoders must be equally wide, found {} ({}) and {} ({})", loss,
                            first, modalities[0], second, modalities[1]));
  }
  return modalities;
}

}  // namespace astroclip
