#include "mien/base/json.h"

#include "mien/base/error.h"
#include "mien/base/file.h"

namespace mien {

Json read_json(const std::filesystem::path& path, std::size_t max_bytes) {
  const std::string text = read_text(path, max_bytes);
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    std::size_t line = 1;
    std::size_t column = 1;
    for (std::size_t i = 0; i + 1 < error.byte && i < text.size(); ++i) {
      column = text[i] == '\n' ? 1 : column + 1;
      line += text[i] == '\n' ? 1 : 0;
    }
    throw Error(ErrorCode::kBadFile, fmt::format("{}:{}:{}: not valid JSON", path.string(), line, column),
                "repair the file at that place, or write it again");
  }
}

void write_json(const std::filesystem::path& path, const Json& json) {
  const std::string text = json.dump(2) + "\n";
  write_file(path, text.data(), text.size());
}

void throw_bad_field(const std::string& key, const std::string& where, const std::string& why) {
  throw Error(ErrorCode::kBadFile, fmt::format("{}: \"{}\" {}", where, key, why));
}

}  // namespace mien
