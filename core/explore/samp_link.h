#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "explore/catalogue.h"
#include "explore/columns.h"
#include "explore/selections.h"
#include "samp/client.h"

namespace astroclip::explore {

/// What the explorer exchanges with other programs at a SAMP hub, such as TOPCAT and Aladin: it sends tables, and of
/// tables that it has sent rows and selections, and positions; it takes rows and selections of those tables, and
/// positions. Thread-safe.
class SampLink {
 public:
  /// `votable` makes the table of rows. All are kept by reference.
  SampLink(const Embeddings& embeddings, const Catalogue& catalogue, const Columns& columns, Selections& selections,
           std::function<std::string(const std::string& name, const map::Mask& rows)> votable);

  /// Throws Error when no hub runs.
  void connect();
  void disconnect();
  // These throw Error when the explorer is not connected, and return the names of the programs that take the message.
  std::vector<std::string> send_table(const std::string& name, std::shared_ptr<const map::Mask> rows);
  /// A row of the tables that have it, and its position.
  std::vector<std::string> show(int64_t row);
  /// Rows of the tables that have been sent.
  std::vector<std::string> select(const map::Mask& rows);

  /// {"connected", "programs", "last", "news": what came after number `after`, each {"row"} or {"selection"}, with
  /// "text"}
  nlohmann::ordered_json state(int64_t after);

 private:
  struct Table {
    std::string file, url, name;
    std::shared_ptr<const map::Mask> rows;
  };
  struct News {
    int64_t number = 0;
    nlohmann::ordered_json what;
  };
  std::shared_ptr<samp::Client> client() const;
  /// A copy: messages are sent without the lock.
  std::deque<Table> sent_tables() const;
  void receive(const samp::Message& message);
  /// The table that a message is about.
  Table table_of(const nlohmann::json& parameters) const;
  void add_news(nlohmann::ordered_json what);

  const Embeddings& embeddings_;
  const Catalogue& catalogue_;
  const Columns& columns_;
  Selections& selections_;
  std::function<std::string(const std::string& name, const map::Mask& rows)> votable_;
  mutable std::mutex mutex_;
  std::deque<Table> tables_;  ///< the latest of those sent
  std::deque<News> news_;     ///< the latest
  int64_t last_news_ = 0, last_table_ = 0;
  std::shared_ptr<samp::Client> client_;
};

}  // namespace astroclip::explore
