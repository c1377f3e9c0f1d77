/// parallel_for: independent pieces of work on a few threads. The caller's results are in the order
/// of the index, whichever thread did what:
///
///     std::vector<Result> results(count);
///     parallel_for(count, threads, [&](std::size_t i) { results[i] = run(i); }, stop);
///
/// Pieces are started in the order of their index. One that throws keeps later ones from starting;
/// when all have ended, the exception of the lowest index is thrown. A raised `stop` keeps further
/// pieces from starting; those under way look at it themselves. With one thread everything happens
/// in the caller's. Returns whether all pieces were started.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

namespace headroom::analysis {

bool parallel_for(std::size_t count, int threads, const std::function<void(std::size_t)>& work,
                  const std::atomic<bool>* stop = nullptr);

}  // namespace headroom::analysis
