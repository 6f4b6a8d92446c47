#pragma once

namespace astroclip::record {

/// While it lives, SIGINT and SIGTERM request the run to stop after the current step; a second signal ends the process
/// at once, with the last checkpoint on disk.
class StopRequest {
 public:
  StopRequest();
  ~StopRequest();
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;
  bool requested() const;
};

}  // namespace astroclip::record
