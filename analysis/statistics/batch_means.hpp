/// The interval of the mean of one long run, whose values go together with their neighbours: the
/// method of batch means.
///
///     const auto wait = batch_means(waits);       // steady, in the order of time; may not exist
///     wait->interval;                             // Student's t with 19 degrees of freedom
///
/// How long a batch must be is found by doubling (as in Fishman and Yarberry, INFORMS J. Computing
/// 9, 1997): the smallest batches of 1, 2, 4, ... values whose means pass von Neumann's test of
/// independence on their ranks (Bartels, JASA 77, 1982; level 0.01, against positive correlation).
/// At least two hundred have to pass; else the run is too short and there is no interval. Ranks,
/// because a test on the values refuses just those runs that had the longest queues, and those it
/// lets pass then cover less. The interval rests on twenty batches (Schmeiser, Operations Research
/// 30, 1982: 10 to 30, more gain little), each of at least ten that passed. What does not fill
/// twenty equal batches, fewer than twenty values, is left out at the front.
///
/// Values are finite and free of a warm-up (mser5.hpp). O(n log n).
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "analysis/statistics/interval.hpp"

namespace headroom::analysis {

struct BatchMeans {
    Interval interval;                 ///< its count is that of the batches
    std::size_t batch_size = 0;        ///< values in each
    std::size_t independent_size = 0;  ///< the smallest that passed
};

/// nullopt: the run is too short for its correlation.
[[nodiscard]] std::optional<BatchMeans> batch_means(std::span<const double> values,
                                                    double confidence = kDefaultConfidence);

/// Von Neumann's ratio of the ranks (equal values share their mean rank), sum (r_i - r_{i+1})^2 /
/// sum (r_i - mean)^2, standardised: (1 - ratio / 2) sqrt(n + 7 / 5), about standard normal for
/// independent values and large where neighbours resemble each other. 0 where all are equal.
[[nodiscard]] double rank_von_neumann(std::span<const double> values);

}  // namespace headroom::analysis
