// SAMP: what the page sends to other programs, and what has come from them.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "base/error.h"
#include "explore/answers.h"
#include "explore/request_body.h"
#include "explore/response_body.h"
#include "map/selecting.h"

namespace astroclip::explore {

namespace {

using nlohmann::ordered_json;
using serve::Request;
using serve::Response;

/// What has come "after" a number; by POST {"do": "connect", "disconnect", "table" (of "selection", or of all), "show"
/// ("row") or "select" ("selection")}.
Response exchange(const Explored& explored, SampLink& samp, const Request& request) {
  if (request.method == "GET") return json_response(samp.state(request.integer("after", 0, INT64_MAX)));
  const Embeddings& embeddings = explored.embeddings;
  const ordered_json body = parsed_body(request);
  const std::string action = text_in(body, "do", "");
  const auto chosen = [&] { return explored.selections.find(integer_in(body, "selection")); };
  std::vector<std::string> programs;
  if (action == "connect") {
    samp.connect();
  } else if (action == "disconnect") {
    samp.disconnect();
  } else if (action == "table" && body.contains("selection")) {
    programs = samp.send_table(chosen().name, chosen().rows);
  } else if (action == "table") {
    programs = samp.send_table(std::filesystem::path(embeddings.path()).filename().string(),
                               std::make_shared<const map::Mask>(map::every_row(embeddings.rows())));
  } else if (action == "show") {
    programs = samp.show(row_in(body, embeddings.rows()));
  } else if (action == "select") {
    programs = samp.select(*chosen().rows);
  } else {
    throw Error(fmt::format("'do' must be one of connect, disconnect, table, show, select, found '{}'", action));
  }
  return json_response({{"programs", programs}});
}

}  // namespace

Answers samp_answers(const Explored& explored, SampLink& samp) {
  return {{"api/samp", [&](const Request& request) { return exchange(explored, samp, request); }}};
}

}  // namespace astroclip::explore
