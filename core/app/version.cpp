#include "app/version.h"

#include <fitsio.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hdf5.h>
#include <omp.h>

#include <boost/version.hpp>
#include <oneapi/dnnl/dnnl.hpp>

#include "app/commit.h"
#include "backend/devices.h"
#include "base/instructions.h"
#include "experiment/precision.h"
#include "plugin/abi.h"
#include "plugin/record.h"

namespace astroclip::app {

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

std::string compiler() {
#ifdef __clang__
  return __VERSION__;
#else
  return "GCC " __VERSION__;
#endif
}

}  // namespace

std::string version_text() {
  std::string text = fmt::format("astroclip {}\n", ASTROCLIP_VERSION);
  text += fmt::format("plugin API {}, ABI: {}\n", plugin::api_version, ASTROCLIP_ABI);
  const std::string commit = ASTROCLIP_COMMIT;
  text += fmt::format("build: {}, {}{}\n", ASTROCLIP_BUILD_TYPE, compiler(),
                      commit.empty() ? "" : fmt::format(", commit {}", commit));
  text += fmt::format("libraries: oneDNN {}, HDF5 {}, CFITSIO {}, Boost {}.{}.{}, fmt {}.{}.{}\n", onednn_version(),
                      hdf5_version(), cfitsio_version(), BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000,
                      BOOST_VERSION % 100, FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100);
  text += fmt::format("devices: {}\n", fmt::join(device_names(), ", "));
  text += fmt::format("card: {}\n", card_text());
  const PrecisionChoice& choice = fastest_precision(device_named("auto"));
  text += fmt::format("precision \"auto\" is {}: {}\n", name_of(choice.precision), choice.reason);
  text += fmt::format("this machine: {} instructions, {} processors\n", instruction_tier(), omp_get_num_procs());
  return text;
}

}  // namespace astroclip::app
