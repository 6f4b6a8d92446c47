#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugin/record.h"

namespace astroclip::plugin {

/// "encoder", "loss", "dataset", "task".
std::string kind_name(Kind kind);
/// The folder a kind's plugins stand in: "encoders", "losses", "datasets", "tasks".
std::string kind_folder(Kind kind);

/// One file of a plugin folder.
struct Listing {
  std::optional<Kind> kind;  ///< of a file that cannot be used: what its folder says, if it says anything
  std::string name;          ///< the file's name without ".so", which is the plugin's name
  std::string summary;
  std::filesystem::path file;
  std::string problem;  ///< why it cannot be used ("is not a shared object"); "" for a sound plugin
};

/// Finds plugins, compares their records before it calls anything of theirs, makes their objects and never unloads
/// them. Plugins stand in FOLDER/encoders, FOLDER/losses, FOLDER/datasets and FOLDER/tasks, or in FOLDER itself.
/// Members may be called from several threads.
class Host {
 public:
  /// The process's host: searches the folder "astroclip" beside libastroclip.so, then ASTROCLIP_PLUGIN_PATH
  /// (separated by colons), then what add_search_path adds.
  static Host& instance();
  explicit Host(const std::vector<std::filesystem::path>& folders);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// Throws Error when there is no such folder.
  void add_search_path(const std::filesystem::path& folder);
  std::vector<std::filesystem::path> search_paths() const;

  /// Every plugin file there is, ordered by kind and name, the unusable ones with the reason.
  std::vector<Listing> list();
  /// Throws Error naming the searched folders when there is no such plugin, and the reason when it cannot be used.
  Listing find(Kind kind, const std::string& name);
  /// What the plugin says of itself. Throws as find() does.
  Description describe(Kind kind, const std::string& name);
  /// Checks parameters; a key "plugin" among them is passed over. Problems name the plugin. Throws as find() does.
  template <class Interface>
  Spec<Interface> read(const std::string& name, const config::Table& parameters, config::Section where,
                       const config::Location& place, config::Problems& problems);
  /// An object with these parameters. Throws a ProblemList with all that is wrong with them, and as read and Spec::make
  /// do.
  template <class Interface>
  std::shared_ptr<Interface> make(const std::string& name, const config::Table& parameters, const std::string& where);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace astroclip::plugin
