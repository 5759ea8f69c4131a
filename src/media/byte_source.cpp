#include "media/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "mien/base/error.h"

namespace mien::media {

ByteSource::ByteSource(const std::filesystem::path& path) : name_(path == "-" ? "standard input" : path.string()) {
  if (path == "-") {
    descriptor_ = STDIN_FILENO;
  } else {
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0 && (errno == ENOENT || errno == ENOTDIR)) {
      throw Error(ErrorCode::kNotFound, name_ + ": no such file", "check the path");
    }
    if (descriptor_ < 0) {
      throw Error(ErrorCode::kIo, fmt::format("{}: cannot read ({})", name_, std::strerror(errno)),
                  "check the permissions of the file");
    }
    owned_ = true;
  }
  struct stat status = {};
  if (::fstat(descriptor_, &status) != 0) {
    const int code = errno;
    if (owned_) ::close(descriptor_);
    throw Error(ErrorCode::kIo, fmt::format("{}: cannot read ({})", name_, std::strerror(code)),
                "is standard input closed?");
  }
  if (S_ISDIR(status.st_mode)) {
    if (owned_) ::close(descriptor_);
    throw Error(ErrorCode::kBadFile, name_ + ": is a folder, not a file", "name a file inside it");
  }
  // Standard input may stand in the middle of a file: only files that we opened are seeked.
  seekable_ = owned_ && S_ISREG(status.st_mode);
  if (seekable_) size_ = static_cast<std::uint64_t>(status.st_size);
}

ByteSource::~ByteSource() {
  if (owned_ && descriptor_ >= 0) ::close(descriptor_);
}

ByteSource::ByteSource(ByteSource&& other) noexcept
    : name_(other.name_),
      descriptor_(std::exchange(other.descriptor_, -1)),
      owned_(other.owned_),
      seekable_(other.seekable_),
      size_(other.size_),
      position_(other.position_),
      head_(std::move(other.head_)) {}

std::size_t ByteSource::read_descriptor(std::uint8_t* to, std::size_t bytes) {
  std::size_t got = 0;
  while (got < bytes) {
    const ssize_t count = ::read(descriptor_, to + got, bytes - got);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      throw Error(ErrorCode::kIo, fmt::format("{}: cannot read ({})", name_, std::strerror(errno)), "check the device");
    }
    if (count == 0) break;
    got += static_cast<std::size_t>(count);
  }
  return got;
}

std::span<const std::uint8_t> ByteSource::peek(std::size_t bytes) {
  MIEN_CHECK(position_ == 0, "peek at {}", position_);
  if (bytes > head_.size()) {
    const std::size_t had = head_.size();
    head_.resize(bytes);
    head_.resize(had + read_descriptor(head_.data() + had, bytes - had));
  }
  return {head_.data(), std::min(bytes, head_.size())};
}

std::size_t ByteSource::read(std::span<std::uint8_t> to) {
  std::size_t got = 0;
  if (position_ < head_.size()) {
    got = std::min<std::size_t>(to.size(), head_.size() - position_);
    std::memcpy(to.data(), head_.data() + position_, got);
  }
  got += read_descriptor(to.data() + got, to.size() - got);
  position_ += got;
  return got;
}

void ByteSource::seek(std::uint64_t position) {
  MIEN_CHECK(seekable_, "seek in {}", name_);
  head_.clear();
  if (::lseek(descriptor_, static_cast<off_t>(position), SEEK_SET) < 0) {
    throw Error(ErrorCode::kIo, fmt::format("{}: cannot seek ({})", name_, std::strerror(errno)), "check the device");
  }
  position_ = position;
}

void ByteSource::make_seekable() {
  if (seekable_) return;
  MIEN_CHECK(position_ == 0, "make_seekable at {}", position_);
  std::string pattern = (std::filesystem::temp_directory_path() / "mien_input_XXXXXX").string();
  const int spool = ::mkstemp(pattern.data());
  if (spool < 0) {
    throw Error(ErrorCode::kIo, fmt::format("{}: cannot write ({})", pattern, std::strerror(errno)),
                "make the temporary folder writable, or set TMPDIR");
  }
  ::unlink(pattern.c_str());  // the space is freed when the descriptor closes, whatever happens
  std::vector<std::uint8_t> chunk(1 << 16);
  while (const std::size_t got = read(chunk)) {
    for (std::size_t done = 0; done < got;) {
      const ssize_t count = ::write(spool, chunk.data() + done, got - done);
      if (count < 0) {
        const int code = errno;
        ::close(spool);
        throw Error(ErrorCode::kIo, fmt::format("{}: cannot keep the input ({})", pattern, std::strerror(code)),
                    "free some space in the temporary folder, or set TMPDIR");
      }
      done += static_cast<std::size_t>(count);
    }
  }
  if (owned_) ::close(descriptor_);
  descriptor_ = spool;
  owned_ = true;
  seekable_ = true;
  size_ = position_;
  seek(0);
}

}  // namespace mien::media
