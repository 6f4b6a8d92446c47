#include "testing/plugins.h"

#include "config/toml.h"
#include "plugin/host.h"

namespace astroclip::testing_support {

namespace {

config::Table resolved(plugin::Kind kind, const std::string& name, const std::string& toml) {
  config::Problems problems;
  const auto schema = plugin::Host::instance().schema(kind, name);
  config::Table table = schema.resolve(config::parse_text(toml, "test"), {"test"}, {}, problems);
  problems.throw_if_any();
  return table;
}

}  // namespace

std::shared_ptr<Encoder> make_encoder(const std::string& name, const std::string& toml, Device device) {
  auto encoder = plugin::Host::instance().make_encoder(name, resolved(plugin::Kind::encoder, name, toml));
  encoder->materialize(device, 1);
  return encoder;
}

std::shared_ptr<Loss> make_loss(const std::string& name, const std::string& toml) {
  return plugin::Host::instance().make_loss(name, resolved(plugin::Kind::loss, name, toml));
}

std::shared_ptr<Dataset> make_dataset(const std::string& name, const std::string& toml) {
  return plugin::Host::instance().make_dataset(name, resolved(plugin::Kind::dataset, name, toml));
}

std::shared_ptr<Task> make_task(const std::string& name, const std::string& toml) {
  return plugin::Host::instance().make_task(name, resolved(plugin::Kind::task, name, toml));
}

bool add_plugin_folder(const std::string& folder) {
  plugin::Host::instance().add_search_path(folder);
  return true;
}

}  // namespace astroclip::testing_support
