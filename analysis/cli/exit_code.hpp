/// Exit codes of the program, the same for all commands.
#pragma once

namespace headroom::analysis {

inline constexpr int kExitGood = 0;
inline constexpr int kExitExpectationFailed =
    1;                                     ///< the run ended, and an expectation did not hold
inline constexpr int kExitBadInput = 2;    ///< bad usage, or a scenario or trace with mistakes
inline constexpr int kExitUnfinished = 3;  ///< interrupted, or results could not be written

}  // namespace headroom::analysis
