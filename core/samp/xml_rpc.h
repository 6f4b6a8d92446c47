#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace astroclip::samp {

// XML-RPC (xmlrpc.com/spec.md) as SAMP uses it (1.3, section 4.3): values are strings, lists and maps of them, here
// JSON's strings, arrays and objects. Numbers and truth values that others send are taken as their texts. What is
// written is ASCII; other characters become '?'.

struct Call {
  std::string method;
  std::vector<nlohmann::json> parameters;
};

std::string call_text(const Call& call);
std::string answer_text(const nlohmann::json& value);
std::string fault_text(const std::string& reason);

/// These throw Error saying what the text is instead.
Call parsed_call(const std::string& text);
/// An answer's value. Throws Error with the reason of a fault.
nlohmann::json parsed_answer(const std::string& text);

}  // namespace astroclip::samp
