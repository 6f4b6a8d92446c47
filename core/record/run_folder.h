#pragma once

#include <string>

#include "io/output/output_file.h"

namespace astroclip::record {

/// A run's files:
///   resolved.toml          the experiment with every default; can be run again
///   provenance.toml        data and code that the run was made with
///   log.txt                the output on the terminal
///   metrics.jsonl          one line per step
///   events.out.tfevents.1.astroclip  the same for TensorBoard
///   checkpoints/           states from which the run resumes
///   stages/NAME.safetensors  the encoders at the end of a stage
///   stages/NAME.best.safetensors  those of the best validation
///   figures/STAGE-STEP-N.svg  what the loss drew at a validation, with the numbers in a .dat
///   model.safetensors      the encoders at the end
///   embeddings.h5          embeddings of every object
///   predictions.h5         what the tasks predict of test objects
///   objects.h5             labels of test objects, and pictures of those in the report's galleries
///   tokens/                tokens that the tasks' attentive probes read, while they run
///   probes/                the probes that the tasks fit, if they are kept
///   report.txt, report.json  results of the tasks; report.json marks the run as finished
///   report/index.html      the same as a page with figures, which `astroclip report` can write anew
class RunFolder {
 public:
  /// Creates a folder: `path`, or first_free(name) when `path` is empty. Throws Error when the folder is not empty.
  static RunFolder create(const std::string& path, const std::string& name, const std::string& resolved_toml);
  /// "runs/NAME-N" with the first free N.
  static std::string first_free(const std::string& name);
  /// Removes the folder unless anything was trained or evaluated in it.
  void remove_unless_begun() const;
  /// An existing folder. Throws Error when it is not that of a run.
  static RunFolder open(const std::string& path);

  const std::string& path() const { return path_; }
  std::string resolved() const { return path_ + "/resolved.toml"; }
  std::string provenance() const { return path_ + "/provenance.toml"; }
  std::string log() const { return path_ + "/log.txt"; }
  std::string metrics() const { return path_ + "/metrics.jsonl"; }
  std::string events() const { return path_ + "/events.out.tfevents.1.astroclip"; }
  std::string checkpoints() const { return path_ + "/checkpoints"; }
  std::string stage(const std::string& name) const { return path_ + "/stages/" + name + ".safetensors"; }
  std::string best(const std::string& stage) const { return path_ + "/stages/" + stage + ".best.safetensors"; }
  std::string figures() const { return path_ + "/figures"; }
  std::string model() const { return path_ + "/model.safetensors"; }
  std::string embeddings() const { return path_ + "/embeddings.h5"; }
  std::string predictions() const { return path_ + "/predictions.h5"; }
  std::string objects() const { return path_ + "/objects.h5"; }
  std::string tokens() const { return path_ + "/tokens"; }
  std::string probes() const { return path_ + "/probes"; }
  std::string report_text() const { return path_ + "/report.txt"; }
  std::string report_json() const { return path_ + "/report.json"; }
  std::string report() const { return path_ + "/report"; }

 private:
  explicit RunFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// Beginning of the log's last line when an error ended the run.
constexpr const char* failure_mark = "failed: ";

/// Keeps other processes from a run while it lives; the system releases it with the process.
class RunLock {
 public:
  /// Throws Error when another process uses the run.
  explicit RunLock(const RunFolder& folder);
  /// Whether a process uses the run.
  static bool is_held(const RunFolder& folder);

 private:
  io::OutputFile file_;
};

}  // namespace astroclip::record
