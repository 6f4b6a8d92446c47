#include "explore/samp_link.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/printable.h"
#include "explore/selection_table.h"

namespace astroclip::explore {

namespace {

using nlohmann::ordered_json;

constexpr size_t most_tables = 16, most_news = 100;
constexpr int64_t most_rows_sent = 100000;  // of a table.select.rowList
constexpr const char *highlight_type = "table.highlight.row", *select_type = "table.select.rowList",
                     *point_type = "coord.pointAt.sky", *load_type = "table.load.votable";

const std::string& parameter(const nlohmann::json& parameters, const char* name) {
  const auto found = parameters.find(name);
  if (found == parameters.end() || !found->is_string()) throw Error(fmt::format("the message lacks '{}'", name));
  return found->get_ref<const std::string&>();
}

template <class Number>
Number number_of(const std::string& text, const char* name) {
  Number number = {};
  const size_t sign = text.starts_with('+') && !text.starts_with("+-") ? 1 : 0;  // which from_chars does not take
  const auto [end, problem] = std::from_chars(text.data() + sign, text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size())
    throw Error(fmt::format("'{}' of the message is no number: '{}'", name, printable(text, 50)));
  return number;
}

/// The place of a row among those of a mask that has it.
int64_t place_of(const map::Mask& mask, int64_t row) {
  int64_t place = 0;
  for (int64_t word = 0; word < row / 64; ++word) place += std::popcount(mask[static_cast<size_t>(word)]);
  const uint64_t below = (uint64_t{1} << (row % 64)) - 1;
  return place + std::popcount(mask[static_cast<size_t>(row / 64)] & below);
}

/// Names once each.
void add_names(std::vector<std::string>& to, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (std::ranges::find(to, name) == to.end()) to.push_back(name);
  }
}

}  // namespace

SampLink::SampLink(const Embeddings& embeddings, const Catalogue& catalogue, const Columns& columns,
                   Selections& selections, std::function<std::string(const std::string&, const map::Mask&)> votable)
    : embeddings_(embeddings),
      catalogue_(catalogue),
      columns_(columns),
      selections_(selections),
      votable_(std::move(votable)) {}

void SampLink::connect() {
  disconnect();
  samp::ClientOptions options;
  options.name = "astroclip";
  options.description = "explorer of " + std::filesystem::path(embeddings_.path()).filename().string();
  options.types = {highlight_type, select_type, point_type};
  options.receive = [this](const samp::Message& message) { receive(message); };
  options.file = [this](const std::string& file) {
    Table asked;
    {
      const std::scoped_lock lock(mutex_);
      const auto found = std::ranges::find(tables_, file, &Table::file);
      if (found == tables_.end()) throw serve::NotFound("there is no such table");
      asked = *found;
    }
    return serve::Response{.type = "application/x-votable+xml", .body = votable_(asked.name, *asked.rows)};
  };
  auto made = std::make_shared<samp::Client>(std::move(options));
  const std::scoped_lock lock(mutex_);
  tables_.clear();
  client_ = std::move(made);
}

void SampLink::disconnect() {
  std::shared_ptr<samp::Client> ending;  // outside of the lock, for it waits for messages that are being handled
  const std::scoped_lock lock(mutex_);
  ending.swap(client_);
}

std::shared_ptr<samp::Client> SampLink::client() const {
  const std::scoped_lock lock(mutex_);
  if (!client_ || !client_->is_registered()) throw Error("the explorer is not connected to a SAMP hub");
  return client_;
}

std::vector<std::string> SampLink::send_table(const std::string& name, std::shared_ptr<const map::Mask> rows) {
  if (map::count_of(*rows) > most_exported)
    throw Error(fmt::format("'{}' has {} objects; at most {} leave the program at once", name, map::count_of(*rows),
                            most_exported));
  const auto hub = client();
  Table table;
  {
    const std::scoped_lock lock(mutex_);
    table.file = fmt::format("{}.vot", ++last_table_);
    // Its address identifies it: it holds a random token, so no earlier start of the explorer has had the same.
    table.url = hub->url_of(table.file);
    table.name = name;
    table.rows = std::move(rows);
    tables_.push_back(table);
    if (tables_.size() > most_tables) tables_.pop_front();
  }
  return hub->notify_all(load_type, {{"url", table.url}, {"table-id", table.url}, {"name", name}});
}

std::deque<SampLink::Table> SampLink::sent_tables() const {
  const std::scoped_lock lock(mutex_);
  return tables_;
}

std::vector<std::string> SampLink::show(int64_t row) {
  const auto hub = client();
  std::vector<std::string> names;
  for (const Table& table : sent_tables()) {
    if (!map::is_set(*table.rows, row)) continue;
    add_names(names, hub->notify_all(highlight_type, {{"table-id", table.url},
                                                      {"url", table.url},
                                                      {"row", std::to_string(place_of(*table.rows, row))}}));
  }
  const auto columns = catalogue_.position_columns();
  if (!columns) return names;
  const std::vector<int64_t> rows = {row};
  const double ra = columns_.read(columns->first, rows).numbers()[0],
               dec = columns_.read(columns->second, rows).numbers()[0];
  if (std::isfinite(ra) && std::isfinite(dec))
    add_names(names, hub->notify_all(point_type, {{"ra", fmt::format("{}", ra)}, {"dec", fmt::format("{}", dec)}}));
  return names;
}

std::vector<std::string> SampLink::select(const map::Mask& rows) {
  const auto hub = client();
  std::vector<std::string> names;
  for (const Table& table : sent_tables()) {
    const map::Mask common = joined(rows, *table.rows, "intersection");
    const int64_t count = map::count_of(common);
    if (count > most_rows_sent)
      throw Error(fmt::format("{} rows of '{}' are selected; at most {} are sent, a table can have more", count,
                              table.name, most_rows_sent));
    nlohmann::json list = nlohmann::json::array();
    for (const int64_t row : map::rows_of(common, 0, count)) list.push_back(std::to_string(place_of(*table.rows, row)));
    add_names(names, hub->notify_all(select_type, {{"table-id", table.url}, {"url", table.url}, {"row-list", list}}));
  }
  return names;
}

SampLink::Table SampLink::table_of(const nlohmann::json& parameters) const {
  const std::scoped_lock lock(mutex_);
  for (const Table& table : tables_) {
    if (parameters.value("table-id", nlohmann::json()) == table.url ||
        parameters.value("url", nlohmann::json()) == table.url)
      return table;
  }
  throw Error("the explorer has not sent that table");
}

void SampLink::receive(const samp::Message& message) {
  const nlohmann::json& parameters = message.parameters;
  const std::string from = printable(message.sender, 50);
  if (message.type == highlight_type) {
    const Table table = table_of(parameters);
    const auto place = number_of<int64_t>(parameter(parameters, "row"), "row");
    const auto rows = map::rows_of(*table.rows, std::max<int64_t>(0, place), 1);
    if (place < 0 || rows.empty()) throw Error(fmt::format("'{}' has no such row", table.name));
    add_news({{"row", rows[0]}, {"text", from + " shows a galaxy"}});
  } else if (message.type == select_type) {
    const Table table = table_of(parameters);
    const auto list = parameters.find("row-list");
    if (list == parameters.end() || !list->is_array()) throw Error("the message lacks 'row-list'");
    const std::vector<int64_t> rows = map::rows_of(*table.rows, 0, map::count_of(*table.rows));
    map::Mask mask = map::no_row(embeddings_.rows());
    for (const nlohmann::json& one : *list) {
      const auto place = number_of<int64_t>(one.is_string() ? one.get<std::string>() : "", "row-list");
      if (place < 0 || place >= std::ssize(rows)) throw Error(fmt::format("'{}' has no row {}", table.name, place));
      map::set(mask, rows[static_cast<size_t>(place)]);
    }
    const std::string name = "from " + from;  // one of each program is enough
    for (const Selection& one : selections_.all()) {
      if (one.name == name) selections_.remove(one.id);
    }
    const Selection made = selections_.add(name, std::move(mask));
    add_news({{"selection", made.id}, {"text", fmt::format("{} selects {} objects", from, made.count)}});
  } else if (message.type == point_type) {
    const auto near = columns_.nearest_on_sky(number_of<double>(parameter(parameters, "ra"), "ra"),
                                              number_of<double>(parameter(parameters, "dec"), "dec"));
    if (near)
      add_news({{"row", near->row},
                {"text", fmt::format("{} points at a galaxy, {:.1f} arcseconds away", from, near->separation)}});
    else
      add_news({{"text", from + " points where no object is within a minute of arc"}});
  } else {
    throw Error("the explorer does not take such messages");
  }
}

void SampLink::add_news(ordered_json what) {
  const std::scoped_lock lock(mutex_);
  news_.push_back({++last_news_, std::move(what)});
  if (news_.size() > most_news) news_.pop_front();
}

ordered_json SampLink::state(int64_t after) {
  ordered_json programs = ordered_json::array(), news = ordered_json::array();
  bool is_connected = true;
  try {
    for (const std::string& name : client()->others()) programs.push_back(name);
  } catch (const Error&) {
    is_connected = false;
  }
  const std::scoped_lock lock(mutex_);
  for (const News& one : news_) {
    if (one.number > after) news.push_back(one.what);
  }
  return {{"connected", is_connected}, {"programs", programs}, {"last", last_news_}, {"news", news}};
}

}  // namespace astroclip::explore
