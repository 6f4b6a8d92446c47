#include "experiment/libraries.h"

#include <fitsio.h>
#include <fmt/format.h>
#include <hdf5.h>

#include <boost/version.hpp>
#include <oneapi/dnnl/dnnl.hpp>

namespace astroclip {

namespace {

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

std::string cfitsio_version() {
  float version = 0.0F;
  return fmt::format("{:.2f}", fits_get_version(&version));
}

std::string onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> library_versions() {
  return {{"oneDNN", onednn_version()},
          {"HDF5", hdf5_version()},
          {"CFITSIO", cfitsio_version()},
          {"Boost", fmt::format("{}.{}.{}", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100)},
          {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)}};
}

std::string compiler_version() {
#ifdef __clang__
  return __VERSION__;
#else
  return "GCC " __VERSION__;
#endif
}

}  // namespace astroclip
