/// A small results.h5 as a run leaves it, with things in it that no run writes: groups, data sets
/// and attributes that are missing, of another kind, type, shape or length than their neighbours,
/// with numbers that make no sense or sizes past all memory. Which, says the stream of draws.
#pragma once

#include <string>

#include "tests/draws.hpp"

namespace headroom::analysis {

/// `mistakes`: how many things are wrong at most; 0: nothing is. Replaces a file that is there.
void write_results_variant(const std::string& path, tests::Draws& draws, int mistakes);

/// One thing that is wrong for sure.
enum class ResultsMistake { list_of_seeds, claimed_values, escape_in_reason };
void write_results_with(const std::string& path, ResultsMistake mistake);

}  // namespace headroom::analysis
