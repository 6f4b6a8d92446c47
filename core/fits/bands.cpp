#include "fits/bands.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "base/text.h"

namespace astroclip::fits {

namespace {

constexpr std::string_view optical = "ugrizy", near_infrared = "jhk";

/// "r", "r2" (HSC's second) and "r'" are r.
bool is_letter(const std::string& word) {
  return !word.empty() && word.size() < 3 && optical.find(word[0]) != std::string_view::npos &&
         (word.size() == 1 || std::isdigit(static_cast<unsigned char>(word[1])) != 0);
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
  const auto is_same = [](const std::string& word) { return is_letter(word); };
  if (!is_other && std::ranges::count_if(words, is_same) == 1)
    return std::ranges::find_if(words, is_same)->substr(0, 1);
  return std::string(trimmed(text));
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
    if (word.size() != 1 || !is_letter(word)) continue;
    if (!found.empty() && found != word) return "";
    found = word;
  }
  return found;
}

}  // namespace astroclip::fits
