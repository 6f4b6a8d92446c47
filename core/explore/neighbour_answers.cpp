// Neighbours: of one object in every direction, and of several examples.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "base/error.h"
#include "explore/answers.h"
#include "explore/request_body.h"
#include "explore/response_body.h"
#include "map/similar.h"

namespace astroclip::explore {

namespace {

using nlohmann::ordered_json;
using serve::Request;
using serve::Response;

constexpr int64_t most_neighbours = 200, most_examples = 100;

/// Throws Error unless the embeddings `among` have the width of those of `query`.
void expect_width(const Embeddings& embeddings, const std::string& among, int64_t width, const std::string& query) {
  if (embeddings.width(among) == width) return;
  throw Error(fmt::format("embeddings of '{}' and '{}' differ in width", query, among));
}

ordered_json json_of(const Embeddings& embeddings, const map::Similar& one) {
  return {{"row", one.row}, {"id", embeddings.id(one.row)}, {"cosine", one.cosine}};
}

/// Of one part of the rows, of which the answer tells the number; by each of the object's embeddings that is as wide as
/// those it is looked for among, or by "query" alone.
Response neighbours(const Explored& explored, const Request& request) {
  const Embeddings& embeddings = explored.embeddings;
  const int64_t k = request.integer("k", 1, most_neighbours);
  const std::string& among = request.text("among");
  const int64_t parts = explored.index.parts(among),
                part = request.query.contains("part") ? request.integer("part", 0, parts - 1) : 0;
  const auto own = explored.own_of(request);
  const int64_t row = own ? -1 : explored.row_of(request);
  const auto asked = request.query.find("query");
  std::vector<std::string> names;
  std::vector<std::span<const float>> queries;
  for (const std::string& name : embeddings.encoders()) {
    const bool is_there = !own || own->vectors.contains(name);
    if (asked == request.query.end() ? !is_there || embeddings.width(name) != embeddings.width(among)
                                     : name != asked->second)
      continue;
    if (!is_there) throw Error(fmt::format("{} has no embedding of '{}'", own->name, name));
    expect_width(embeddings, among, embeddings.width(name), name);
    names.push_back(name);
    queries.push_back(own ? own->vectors.at(name) : embeddings.vector(name, row));
  }
  if (names.empty()) throw Error("there are no such embeddings to look for neighbours by");
  const auto found = explored.index.most_similar(queries, among, part, k, row);
  ordered_json lists = ordered_json::object();
  for (size_t i = 0; i < names.size(); ++i) {
    ordered_json& list = lists[names[i]] = ordered_json::array();
    for (const map::Similar& one : found[i]) list.push_back(json_of(embeddings, one));
  }
  return json_response({{"among", among}, {"part", part}, {"parts", parts}, {"neighbours", lists}});
}

/// {"positive": […], "negative": […], "query", "among", "k"}: the nearest to examples, rows or {"own"}, that are
/// themselves left out.
Response similar(const Explored& explored, const Request& request) {
  const Embeddings& embeddings = explored.embeddings;
  const ordered_json body = parsed_body(request);
  const std::string query = text_in(body, "query", ""), among = text_in(body, "among", "");
  const int64_t k = std::clamp<int64_t>(integer_in(body, "k"), 1, most_neighbours);
  std::vector<int64_t> examples;
  std::array<std::vector<std::span<const float>>, 2> vectors;
  for (const auto& [name, found] : {std::pair("positive", &vectors[0]), std::pair("negative", &vectors[1])}) {
    const ordered_json list = body.value(name, ordered_json::array());
    if (!list.is_array() || std::ssize(list) > most_examples)
      throw Error(fmt::format("'{}' must be a list of at most {} examples", name, most_examples));
    for (const ordered_json& one : list) {
      if (one.is_object()) {
        const auto own = explored.own == nullptr ? nullptr : explored.own->find(integer_in(one, "own"));
        if (!own || !own->vectors.contains(query))
          throw Error(fmt::format("an example has no embedding of '{}'", query));
        found->push_back(own->vectors.at(query));
      } else {
        if (!one.is_number_integer() || one < 0 || one >= embeddings.rows()) throw Error("an example is no row");
        examples.push_back(one.get<int64_t>());
        found->push_back(embeddings.vector(query, examples.back()));
      }
    }
  }
  const std::vector<float> direction = map::direction_of(vectors[0], vectors[1]);
  if (direction.empty()) throw Error(fmt::format("no positive example has an embedding of '{}'", query));
  expect_width(embeddings, among, std::ssize(direction), query);
  ordered_json nearest = ordered_json::array();
  for (const map::Similar& one : explored.index.most_similar(direction, among, k + std::ssize(examples))) {
    if (std::ranges::find(examples, one.row) == examples.end() && std::ssize(nearest) < k)
      nearest.push_back(json_of(embeddings, one));
  }
  return json_response({{"query", query}, {"among", among}, {"neighbours", nearest}});
}

}  // namespace

Answers neighbour_answers(const Explored& explored) {
  return answers_by<const Explored>(explored, {{"api/neighbours", neighbours}, {"api/similar", similar}});
}

}  // namespace astroclip::explore
