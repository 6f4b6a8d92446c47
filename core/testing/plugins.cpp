#include "testing/plugins.h"

#include "config/toml.h"
#include "plugin/host.h"

namespace astroclip::testing_support {

namespace {

template <class Interface>
std::shared_ptr<Interface> make(const std::string& name, const std::string& toml) {
  return plugin::Host::instance().make<Interface>(name, config::parse_text(toml, "test"), "test");
}

}  // namespace

std::shared_ptr<Encoder> make_encoder(const std::string& name, const std::string& toml, Device device) {
  auto encoder = make<Encoder>(name, toml);
  encoder->materialize(device, 1);
  return encoder;
}

std::shared_ptr<Loss> make_loss(const std::string& name, const std::string& toml) { return make<Loss>(name, toml); }

std::shared_ptr<Dataset> make_dataset(const std::string& name, const std::string& toml) {
  return make<Dataset>(name, toml);
}

std::shared_ptr<Task> make_task(const std::string& name, const std::string& toml) { return make<Task>(name, toml); }

bool add_plugin_folder(const std::string& folder) {
  plugin::Host::instance().add_search_path(folder);
  return true;
}

}  // namespace astroclip::testing_support
