#include "app/version.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <omp.h>

#include "app/commit.h"
#include "backend/devices.h"
#include "base/instructions.h"
#include "experiment/libraries.h"
#include "experiment/precision.h"
#include "plugin/abi.h"
#include "plugin/record.h"

namespace astroclip::app {

std::string version_text() {
  std::string text = fmt::format("astroclip {}\n", ASTROCLIP_VERSION);
  text += fmt::format("plugin API {}, ABI: {}\n", plugin::api_version, ASTROCLIP_ABI);
  const std::string commit = ASTROCLIP_COMMIT;
  std::vector<std::string> libraries;
  for (const auto& [name, version] : library_versions()) libraries.push_back(name + " " + version);
  text += fmt::format("build: {}, {}{}\n", ASTROCLIP_BUILD_TYPE, compiler_version(),
                      commit.empty() ? "" : ", commit " + commit);
  text += fmt::format("libraries: {}\n", fmt::join(libraries, ", "));
  text += fmt::format("devices: {}\n", fmt::join(device_names(), ", "));
  text += fmt::format("card: {}\n", card_text());
  const PrecisionChoice& choice = fastest_precision(device_named("auto"));
  text += fmt::format("precision \"auto\" is {}: {}\n", name_of(choice.precision), choice.reason);
  text += fmt::format("this machine: {} instructions, {} processors\n", instruction_tier(), omp_get_num_procs());
  return text;
}

}  // namespace astroclip::app
