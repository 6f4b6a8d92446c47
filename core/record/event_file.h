#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "io/output/output_file.h"
#include "record/metrics.h"

namespace astroclip::record {

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4).
uint32_t crc32c(std::string_view bytes);

/// One TFRecord (tensorflow/core/lib/io/record_writer.h): length, masked CRC of the length, data, masked CRC of it.
std::string tf_record(std::string_view data);

/// One line as a serialised TensorFlow Event (tensorflow/core/util/event.proto) of scalar summaries "STAGE/METRIC". The
/// line's "time" is the event's wall time.
std::string event_of(const MetricsLine& line);

/// The contents of a metrics file for TensorBoard. Begins with a copy of the existing lines, so that both files have
/// the same steps once, however often the run was resumed.
class EventFile {
 public:
  EventFile(const std::string& path, const std::string& metrics_path);
  void write(const MetricsLine& line) { file_.write(tf_record(event_of(line))); }

 private:
  io::OutputFile file_;
};

}  // namespace astroclip::record
