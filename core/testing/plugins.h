#pragma once

#include <memory>
#include <string>

#include "api/dataset.h"
#include "api/encoder.h"
#include "api/loss.h"
#include "api/task.h"

/// Plugins as an experiment makes them, for tests: parameters are TOML text ("dim = 8\ndepth = 2") that the plugin's
/// schema checks and completes. All throw Error as the host and the plugin do.
namespace astroclip::testing_support {

/// With initial weights, on a device: the reference backend to check gradients and formulas in float64.
std::shared_ptr<Encoder> make_encoder(const std::string& name, const std::string& toml, Device device);
/// To be attached to an engine, then materialized.
std::shared_ptr<Loss> make_loss(const std::string& name, const std::string& toml = "");
std::shared_ptr<Dataset> make_dataset(const std::string& name, const std::string& toml = "");
std::shared_ptr<Task> make_task(const std::string& name, const std::string& toml = "");

/// Looks for plugins in a folder, too.
bool add_plugin_folder(const std::string& folder);

#ifdef ASTROCLIP_TESTED_PLUGINS
/// The folder that astroclip_add_plugin(… TESTS …) builds the plugin into: its tests find it however they are started.
inline const bool tested_plugins_are_found = add_plugin_folder(ASTROCLIP_TESTED_PLUGINS);
#endif

}  // namespace astroclip::testing_support
