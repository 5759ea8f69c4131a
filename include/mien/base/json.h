// JSON with errors that name the file and the key.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace mien {

using Json = nlohmann::json;

// Reads and parses a JSON file of at most `max_bytes`. Throws kNotFound, kBadFile (with line and column).
Json read_json(const std::filesystem::path& path, std::size_t max_bytes = 256u << 20);

// Writes atomically (temporary name, flush, rename), two-space indent.
void write_json(const std::filesystem::path& path, const Json& json);

// Reads `key` of an object as T; throws kBadFile naming `where` and `key` when absent or of another type.
template <typename T>
T get_field(const Json& object, const std::string& key, const std::string& where);
// As above, with a default for an absent key. A key of the wrong type still throws.
template <typename T>
T get_field_or(const Json& object, const std::string& key, const std::string& where, T fallback);

[[noreturn]] void throw_bad_field(const std::string& key, const std::string& where, const std::string& why);

template <typename T>
T get_field(const Json& object, const std::string& key, const std::string& where) {
  if (!object.is_object() || !object.contains(key)) throw_bad_field(key, where, "is missing");
  try {
    return object.at(key).get<T>();
  } catch (const nlohmann::json::exception&) {
    throw_bad_field(key, where, "has the wrong type: " + object.at(key).dump().substr(0, 60));
  }
}

template <typename T>
T get_field_or(const Json& object, const std::string& key, const std::string& where, T fallback) {
  if (!object.is_object() || !object.contains(key)) return fallback;
  return get_field<T>(object, key, where);
}

}  // namespace mien
