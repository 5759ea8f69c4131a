#include "mien/base/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "mien/base/error.h"
#include "mien/base/interrupt.h"

namespace fs = std::filesystem;

namespace mien {
namespace {

[[noreturn]] void throw_io(const fs::path& path, const char* verb, int code) {
  const char* mend = code == ENOSPC || code == EFBIG || code == EDQUOT
                         ? "the disk is full: free some space and try again"
                     : code == EACCES ? "check the permissions of the folder"
                                      : "check that the folder exists and can be written to";
  throw Error(ErrorCode::kIo, fmt::format("{}: cannot {} ({})", path.string(), verb, std::strerror(code)), mend);
}

}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  temporary_ = path_;
  temporary_ += fmt::format(".part{}", ::getpid());
  watch_temporary(temporary_);
  file_ = std::fopen(temporary_.c_str(), "wb");
  if (file_ == nullptr) {
    const int code = errno;
    unwatch_temporary(temporary_);
    throw_io(path_, "write", code);
  }
}

AtomicFile::~AtomicFile() {
  if (file_ != nullptr) std::fclose(file_);
  std::error_code ignored;
  if (!committed_) fs::remove(temporary_, ignored);
  unwatch_temporary(temporary_);
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  if (bytes != 0 && std::fwrite(data, 1, bytes, file_) != bytes) throw_io(path_, "write", errno);
}

void AtomicFile::commit() {
  if (std::fflush(file_) != 0) throw_io(path_, "write", errno);
  // A library may have replaced the content through temporary_path(): sync the file by name, not by our handle.
  const int descriptor = ::open(temporary_.c_str(), O_RDONLY);
  if (descriptor < 0 || ::fsync(descriptor) != 0) {
    const int code = errno;
    if (descriptor >= 0) ::close(descriptor);
    throw_io(path_, "flush", code);
  }
  ::close(descriptor);
  if (std::fclose(std::exchange(file_, nullptr)) != 0) throw_io(path_, "close", errno);
  std::error_code error;
  fs::rename(temporary_, path_, error);
  if (error) throw_io(path_, "rename into place", error.value());
  committed_ = true;
}

std::vector<std::uint8_t> read_file(const fs::path& path, std::size_t max_bytes) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no such file", path.string()), "check the path");
  }
  if (fs::is_directory(status)) {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: is a folder, not a file", path.string()),
                "name a file inside it");
  }
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) throw_io(path, "read", errno);
  std::vector<std::uint8_t> content;
  std::uint8_t chunk[1 << 16];
  std::size_t got = 0;
  while ((got = std::fread(chunk, 1, sizeof chunk, file)) > 0) {
    if (content.size() + got > max_bytes) {
      std::fclose(file);
      throw Error(ErrorCode::kBadFile,
                  fmt::format("{}: is larger than the {} bytes allowed here", path.string(), max_bytes));
    }
    content.insert(content.end(), chunk, chunk + got);
  }
  const bool failed = std::ferror(file) != 0;
  std::fclose(file);
  if (failed) throw_io(path, "read", EIO);
  return content;
}

std::string read_text(const fs::path& path, std::size_t max_bytes) {
  const std::vector<std::uint8_t> bytes = read_file(path, max_bytes);
  return {bytes.begin(), bytes.end()};
}

void write_file(const fs::path& path, const void* data, std::size_t bytes) {
  AtomicFile file(path);
  file.write(data, bytes);
  file.commit();
}

fs::path path_inside(const fs::path& folder, const std::string& relative, const std::string& where) {
  const auto refuse = [&](const char* why) {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: path \"{}\" {}", where, relative, why),
                "paths must be relative and stay inside their folder");
  };
  const fs::path path(relative);
  if (relative.empty()) refuse("is empty");
  if (relative.find('\0') != std::string::npos) refuse("contains a zero byte");
  if (path.is_absolute()) refuse("is absolute");
  for (const fs::path& part : path) {
    if (part == "..") refuse("leaves its folder");
  }
  // Links: compare what the file system resolves to.
  std::error_code error;
  const fs::path root = fs::weakly_canonical(folder, error);
  const fs::path full = fs::weakly_canonical(folder / path, error);
  const fs::path from_root = full.lexically_relative(root);
  if (error || from_root.empty() || *from_root.begin() == "..") refuse("leaves its folder through a link");
  return folder / path;
}

void make_output_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw_io(folder, "create the folder", error.value());
  if (!fs::is_directory(folder)) throw_io(folder, "use as a folder", ENOTDIR);
  if (::access(folder.c_str(), W_OK) != 0) throw_io(folder, "write", errno);
}

}  // namespace mien
