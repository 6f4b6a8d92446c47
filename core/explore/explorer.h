#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "explore/answers.h"
#include "explore/predictions.h"
#include "explore/samp_link.h"
#include "serve/http_server.h"

namespace astroclip::explore {

/// What the page of the explorer asks for, answered: its own files, and under "api/" the maps, objects, neighbours and
/// selections of one file of embeddings (explore/answers.h). Thread-safe.
class Explorer {
 public:
  /// The data may have no inputs; without a model nothing can be uploaded. All but the predictions are kept by
  /// reference.
  Explorer(const Embeddings& embeddings, const Catalogue& catalogue, ViewIndex& index, OwnGalaxies* own = nullptr,
           std::vector<Predicted> predictions = {});
  Explorer(const Explorer&) = delete;
  Explorer& operator=(const Explorer&) = delete;

  /// Throws serve::NotFound, or Error for a request that makes no sense.
  serve::Response answer(const serve::Request& request) const;

  /// Says what is being made, for the page; "" when nothing is.
  void set_work(const std::string& what, double share);

 private:
  serve::Response state() const;

  Explored explored_;
  SampLink samp_;
  Answers answers_;
  mutable std::mutex mutex_;
  std::string work_;
  double share_ = 0;
};

}  // namespace astroclip::explore
