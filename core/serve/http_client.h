#pragma once

#include <cstddef>
#include <string>

namespace astroclip::serve {

/// The body that a server of this machine answers to a POST within so many seconds. `url` is "http://HOST:PORT/PATH"
/// with a loopback address, "localhost" or this machine's own name as the host, which is asked on loopback: nothing
/// leaves the machine. Throws Error naming the host when it is another, does not answer, or answers another status than
/// 200 or more than so many bytes.
std::string post(const std::string& url, const std::string& type, const std::string& body, int seconds,
                 size_t most_bytes);

}  // namespace astroclip::serve
