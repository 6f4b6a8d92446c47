#pragma once

#include <string>

#include "io/output/output_file.h"

namespace astroclip::record {

/// A run's files:
///   resolved.toml          the experiment with every default; runs again as it is
///   log.txt                what the terminal showed
///   metrics.jsonl          one line a step
///   events.out.tfevents.1.astroclip  the same for TensorBoard
///   checkpoints/           where the run can go on
///   stages/NAME.safetensors  the encoders that each stage ends with
///   stages/NAME.best.safetensors  those of its best validation
///   model.safetensors      the encoders at the end
///   embeddings.h5          of every object
///   report.txt, report.json  what the tasks measured
class RunFolder {
 public:
  /// A new folder: `path`, or first_free(name) when it is empty. Throws Error when it holds anything.
  static RunFolder create(const std::string& path, const std::string& name, const std::string& resolved_toml);
  /// "runs/NAME-N" with the first free N.
  static std::string first_free(const std::string& name);
  /// Takes the folder away again unless anything was trained or measured in it.
  void remove_unless_begun() const;
  /// A folder that an earlier call made. Throws Error when it holds no run.
  static RunFolder open(const std::string& path);

  const std::string& path() const { return path_; }
  std::string resolved() const { return path_ + "/resolved.toml"; }
  std::string log() const { return path_ + "/log.txt"; }
  std::string metrics() const { return path_ + "/metrics.jsonl"; }
  std::string events() const { return path_ + "/events.out.tfevents.1.astroclip"; }
  std::string checkpoints() const { return path_ + "/checkpoints"; }
  std::string stage(const std::string& name) const { return path_ + "/stages/" + name + ".safetensors"; }
  std::string best(const std::string& stage) const { return path_ + "/stages/" + stage + ".best.safetensors"; }
  std::string model() const { return path_ + "/model.safetensors"; }
  std::string embeddings() const { return path_ + "/embeddings.h5"; }
  std::string report_text() const { return path_ + "/report.txt"; }
  std::string report_json() const { return path_ + "/report.json"; }

 private:
  explicit RunFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// What the log's last line begins with when an error ended the run.
constexpr const char* failure_mark = "failed: ";

/// Keeps others from a run for as long as it lives; the system ends it with the process.
class RunLock {
 public:
  /// Throws Error when another process is at the run.
  explicit RunLock(const RunFolder& folder);
  /// Whether a process is at the run.
  static bool is_held(const RunFolder& folder);

 private:
  io::OutputFile file_;
};

}  // namespace astroclip::record
