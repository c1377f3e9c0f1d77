/// What a file says, inside of a message: text that neither steers a terminal nor breaks a report
/// in JSON or XML. Printable is well-formed UTF-8 (RFC 3629) without control characters, which are
/// U+0000 to U+001F and U+007F to U+009F, and without U+FFFE and U+FFFF, which are no characters
/// (XML 1.0, production 2).
///
///     printable("a\x1b[31m\xff")        // "a?[31m?"
///     beginning_of("h\xc3\xa9llo", 2)   // "h": no half characters
///
/// O(length).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace headroom::inline core {

/// The place of the first byte that is not part of a printable character nor one of `allowed`;
/// npos: there is none.
[[nodiscard]] std::size_t find_unprintable(std::string_view text, std::string_view allowed = {});

/// A question mark for each byte of what is neither printable nor one of `allowed`.
[[nodiscard]] std::string printable(std::string_view text, std::string_view allowed = {});

/// As many characters from the front as fit in so many bytes.
[[nodiscard]] std::string_view beginning_of(std::string_view text, std::size_t bytes);
/// The same, printable, with "..." behind it where something was left out.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t bytes);

}  // namespace headroom::inline core
