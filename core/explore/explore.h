#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace astroclip::explore {

struct Options {
  std::string embeddings;         ///< HDF5, as `astroclip embed` writes it; or a run's folder, which brings its dataset
  std::vector<std::string> data;  ///< files, folders, patterns of the same objects
  std::string dataset;            ///< instead: a dataset plugin, or a TOML file with the section [dataset]
  std::vector<std::string> assignments;  ///< "dataset.key=value", for the dataset
  std::string model;  ///< of the embeddings, to embed uploaded galaxies with; "": none can be uploaded
  std::string
      predictions;  ///< a finished run, whose tasks' predictions are shown; "": that in whose folder embeddings lie
  std::string address = "127.0.0.1";  ///< to listen at
  int port = 0;                       ///< 0: one that is free
  int64_t threads = 0;                ///< 0: one for each core
  bool with_umap = true;              ///< build maps by UMAP, and scores of outliers and near-duplicates
  bool only_index = false;            ///< build the view index, and serve nothing
};

/// What it means to listen at an address that is not loopback.
inline constexpr const char* what_others_can_do =
    "whoever reaches this address and has the printed URL sees all objects, and embeds files where there is a model; "
    "anyone on the way can read the URL and everything else, for nothing is encrypted";

/// Has the process return large blocks of memory to the system as soon as they are freed. Otherwise glibc keeps those
/// of up to 32 MB for each thread, so that what was uploaded once seems to be in use.
void give_back_large_blocks();

/// Builds what the view index beside the embeddings lacks, prints the address of the explorer's page, and serves it to
/// browsers until SIGINT or SIGTERM. The page is there once the principal components are; what finds neighbours fast
/// and UMAP are built meanwhile. Throws Error when the dataset of a run has changed since.
void explore(const Options& options);

}  // namespace astroclip::explore
