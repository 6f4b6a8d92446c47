#pragma once

namespace astroclip::record {

/// While alive, SIGINT and SIGTERM ask the run to end at the next step boundary instead of ending the process; a second
/// one ends it at once, leaving the last checkpoint.
class StopRequest {
 public:
  StopRequest();
  ~StopRequest();
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;
  bool requested() const;
};

}  // namespace astroclip::record
