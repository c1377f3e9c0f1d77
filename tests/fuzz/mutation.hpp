/// Mutations: variants of valid inputs for readers of untrusted input, the same on every machine. A
/// variant is a pure function of its corpus and of the draws, so a seed and a number name it:
///
///     Draws draws{RandomStream(seed, "fuzz/traces/17")};
///     const std::string input = mutate_bytes({kAzure, kMooncake}, draws);
///
/// mutate_bytes() makes one to four changes of the bytes: flips of bits and bytes, pieces taken
/// out, doubled or repeated, a truncation, tokens that readers trip over (quotes, NUL, invalid
/// UTF-8, deep nesting, numbers past every limit, very long lines), a number for another one, lines
/// swapped, a piece of another input. mutate_json() takes JSON (with comments) apart and makes one
/// to three changes of its structure: another type or an extreme value, keys taken out, doubled or
/// renamed, subtrees swapped or taken from another input; one variant in six loses its form
/// besides. O(size of the inputs).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/draws.hpp"

namespace headroom::tests {

using Corpus = std::vector<std::string>;

/// Inputs grow up to this, and by one piece more.
inline constexpr std::size_t kMostMutatedBytes = std::size_t{1} << 18;

[[nodiscard]] std::string mutate_bytes(const Corpus& corpus, Draws& draws);
/// Every input of the corpus must be JSON.
[[nodiscard]] std::string mutate_json(const Corpus& corpus, Draws& draws);

/// One of the tokens that readers trip over.
[[nodiscard]] std::string hostile_token(Draws& draws);
/// One of the inputs.
[[nodiscard]] const std::string& pick_input(const Corpus& corpus, Draws& draws);

}  // namespace headroom::tests
