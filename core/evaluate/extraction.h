#pragma once

#include <string>
#include <vector>

#include "api/dataset.h"
#include "evaluate/chosen_objects.h"
#include "evaluate/sources.h"
#include "evaluate/token_cache.h"
#include "experiment/experiment.h"
#include "record/console.h"

namespace astroclip::evaluate {

/// Tokens that tasks read, in a folder that goes with the object.
class TokenFolder {
 public:
  /// A folder for those of the experiment's tasks; none where no task reads tokens.
  TokenFolder(const Experiment& experiment, std::string path);
  ~TokenFolder();
  TokenFolder(const TokenFolder&) = delete;
  TokenFolder& operator=(const TokenFolder&) = delete;

  bool is_wanted() const { return !path_.empty(); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Fills in the vectors of the sources' representations, of the objects that are chosen; they may hold what is not
/// finite. What frozen backbones give is taken from `cache`, or kept there, if there is one. Embeddings of backbones
/// have tokens where tasks read some: in `cache` or in `tokens`. Throws Error when these do not fit
/// `[evaluation] token_mb`.
void extract(const Experiment& experiment, const Dataset& dataset, const ChosenObjects& chosen, TokenCache* cache,
             const TokenFolder& tokens, record::Console& console, std::vector<Source>& sources);

/// Throws Error when a task reads tokens and embeddings are those of heads, which have none.
void check_tokens(const Experiment& experiment);

}  // namespace astroclip::evaluate
