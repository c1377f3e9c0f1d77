/// SIGINT and SIGTERM as a flag that is looked at between two points, so that the file is left
/// whole. A second signal finds the default action again and ends the program at once.
///
///     catch_stop_signals();
///     if (stop_signal() != 0) return 128 + stop_signal();     // 130, 143
#pragma once

namespace headroom::kernels {

void catch_stop_signals();
[[nodiscard]] int stop_signal();  ///< the first that came, 0: none

}  // namespace headroom::kernels
