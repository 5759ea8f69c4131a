// Files: atomic writing, bounded reading, paths that may not leave their folder.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace mien {

// Writes to a temporary name beside `path`; commit() flushes to disk and renames. Without commit() the destructor
// removes the temporary file, so a failure leaves nothing half-written and the old file untouched. Not thread-safe.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes);  // throws kIo, naming the file ("disk full" is said in words)
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();
  // For libraries that open files themselves: the temporary path. Close their handle before commit().
  const std::filesystem::path& temporary_path() const { return temporary_; }

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::FILE* file_ = nullptr;
  bool committed_ = false;
};

// The whole file. Throws kNotFound, kIo, or kBadFile when it is larger than `max_bytes`.
std::vector<std::uint8_t> read_file(const std::filesystem::path& path, std::size_t max_bytes = std::size_t{4} << 30);
std::string read_text(const std::filesystem::path& path, std::size_t max_bytes = 256u << 20);
void write_file(const std::filesystem::path& path, const void* data, std::size_t bytes);

// Joins `relative` to `folder` and refuses (kBadFile, naming `where`) absolute paths, "..", and links that lead out.
std::filesystem::path path_inside(const std::filesystem::path& folder, const std::string& relative,
                                  const std::string& where);

// Creates the folder (with parents) or throws kIo with the reason; checks that it can be written to.
void make_output_folder(const std::filesystem::path& folder);

}  // namespace mien
