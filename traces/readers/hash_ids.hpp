/// Lists of ids as a CSV field has them: whole numbers up to 2^64 - 1, separated by blanks, "a-b"
/// standing for a, a + 1, ..., b.
///
///     parse_hash_ids("7 100-102", ids, message)  -> true, ids == {7, 100, 101, 102}
///     append_hash_ids(text, ids, 4)              -> text is "7 100-102": reads back as the same
///
/// O(length + ids); ids are appended to the caller's buffer. A message reads "hash_ids has ...;
/// expected ...".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headroom::traces {

/// A row that names more pieces is refused, so that no small file can ask for endless memory.
inline constexpr std::size_t kMostHashIds = std::size_t{1} << 24;

/// ceil(tokens / tokens_per_id), without overflow for what a row can hold.
[[nodiscard]] constexpr std::int64_t pieces_of(std::int64_t tokens, std::int64_t tokens_per_id) {
    return tokens / tokens_per_id + (tokens % tokens_per_id != 0 ? 1 : 0);
}

/// At most `most` ids in all; any of `separators` between them. `message` is in the words of a
/// trace's column: a caller with other separators words its own.
[[nodiscard]] bool parse_hash_ids(std::string_view text, std::vector<std::uint64_t>& ids,
                                  std::string& message, std::size_t most = kMostHashIds,
                                  std::string_view separators = " \t");
/// The first `count` of them.
void append_hash_ids(std::string& text, const std::vector<std::uint64_t>& ids, std::size_t count);

/// "hash_ids has 3 ids; expected 2, one for every 512 tokens of the prompt (600)".
[[nodiscard]] std::string wrong_count(std::size_t found, std::int64_t expected,
                                      std::int64_t tokens_per_id, std::string_view of_what,
                                      std::int64_t tokens);

}  // namespace headroom::traces
