#include "data/band_names.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace astroclip::data {

namespace {

constexpr std::string_view optical = "ugrizy", near_infrared = "jhk";

/// The band that a word in lower case is: "r", "r2" (HSC's second), "rband" and "bokr" are r; "" of other words.
std::string letter_of(const std::string& word) {
  constexpr std::pair<std::string_view, char> others[] = {{"bokr", 'r'}, {"zd", 'z'}};  // of BASS and MzLS
  for (const auto& [name, letter] : others) {
    if (word == name) return {letter};
  }
  const bool is_known = !word.empty() && optical.find(word[0]) != std::string_view::npos;
  const std::string_view rest = std::string_view(word).substr(is_known ? 1 : 0);
  const bool is_digit = rest.size() == 1 && std::isdigit(static_cast<unsigned char>(rest[0])) != 0;
  return is_known && (rest.empty() || is_digit || rest == "band") ? word.substr(0, 1) : "";
}

}  // namespace

std::vector<std::string> lower_words(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte)) {
      words.back() += static_cast<char>(std::tolower(byte));
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

std::string band_of(const std::string& text) {
  const std::vector<std::string> words = lower_words(text);
  constexpr std::string_view other_systems[] = {"bessell", "bessel", "johnson", "cousins", "harris"};
  const bool is_other = std::ranges::any_of(words, [&](const std::string& word) {
    return std::ranges::find(other_systems, word) != std::end(other_systems);
  });
  std::vector<std::string> letters;
  for (const std::string& word : words) {
    if (std::string letter = letter_of(word); !letter.empty()) letters.push_back(std::move(letter));
  }
  return !is_other && letters.size() == 1 ? letters[0] : std::string(trimmed(text));
}

std::vector<std::string> bands_of(const std::string& text) {
  constexpr std::string_view separators = ", ;|";
  const auto is_one_letter = [](unsigned char c) {
    const auto letter = static_cast<char>(std::tolower(c));
    return (optical.find(letter) != std::string_view::npos) || near_infrared.find(letter) != std::string_view::npos;
  };
  std::vector<std::string> bands;
  for (size_t at = text.find_first_not_of(separators); at != std::string::npos;) {
    const size_t end = std::min(text.find_first_of(separators, at), text.size());
    const std::string one = text.substr(at, end - at);
    if (std::ranges::all_of(one, is_one_letter)) {
      for (const char letter : one) bands.push_back(band_of(std::string(1, letter)));
    } else {
      bands.push_back(band_of(one));
    }
    at = text.find_first_not_of(separators, end);
  }
  return bands;
}

std::string band_in_name(const std::string& name) {
  std::string found;
  for (const std::string& word : lower_words(name)) {
    if (word.size() != 1 || letter_of(word).empty()) continue;
    if (!found.empty() && found != word) return "";
    found = word;
  }
  return found;
}

}  // namespace astroclip::data
