/// Checks for programmer errors. HEADROOM_CHECK always runs and belongs at module edges;
/// HEADROOM_DCHECK runs only in builds without NDEBUG and belongs in hot loops. Neither is for bad
/// input, which is collected and reported while loading. (The prefix keeps clear of the macros of
/// the same name in Catch2.)
///
///     HEADROOM_CHECK(queue_.size() < limit, "the queue grew past its limit");
#pragma once

namespace headroom::inline core {

/// Prints file, line, the condition and the message to stderr, then aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const char* message);

}  // namespace headroom::inline core

#define HEADROOM_CHECK(condition, message) \
    ((condition) ? static_cast<void>(0)    \
                 : ::headroom::core::check_failed(__FILE__, __LINE__, #condition, message))

#ifdef NDEBUG
#define HEADROOM_DCHECK(condition, message) static_cast<void>(0)
#else
#define HEADROOM_DCHECK(condition, message) HEADROOM_CHECK(condition, message)
#endif
