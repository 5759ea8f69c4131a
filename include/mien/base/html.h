// Pieces of self-contained web pages.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mien {

// Text with &, <, > and " written as entities: safe between tags and inside quoted attributes.
std::string escape_html(std::string_view text);
// RFC 4648.
std::string base64(std::span<const std::uint8_t> bytes);

}  // namespace mien
