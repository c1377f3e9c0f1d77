/// nearest_name: which valid name was probably meant by a mistyped one.
///
/// The distance counts inserted, deleted and replaced characters and swapped neighbours (optimal
/// string alignment: Damerau 1964, Levenshtein 1966), ignoring case. A name is offered when its
/// distance is at most a third of the longer of the two names, but at least 1 and less than
/// the length of the given name; ties go to the first in the list. Where nothing is as near, the
/// first that the given name is the beginning of is offered, if that has two letters at least.
/// Empty: there is none.
///
///     nearest_name("llama-31-8b", {"llama-3.1-8b", "llama-3.1-70b"})   // "llama-3.1-8b"
///
/// O(names * length^2) and only on the way to an error message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace headroom::inline core {

[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

[[nodiscard]] std::string nearest_name(std::string_view given,
                                       const std::vector<std::string>& names);

}  // namespace headroom::inline core
