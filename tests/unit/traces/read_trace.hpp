/// What a trace with a given text yields: its requests up to the end or the first error.
#pragma once

#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/traces/temporary_file.hpp"
#include "traces/readers/trace_reader.hpp"

namespace headroom::traces {

struct TraceRead {
    std::vector<serving::Arrival> arrivals;
    std::string error;  ///< without the path
    bool opened = false;
};

inline TraceRead read_trace_file(const std::string& path, const TraceOptions& options = {}) {
    TraceRead result;
    const auto trace = open_trace(path, options, result.error);
    result.opened = trace != nullptr;
    if (trace != nullptr) {
        while (trace->peek()) {
            const Time next = *trace->peek();
            result.arrivals.push_back(trace->take());
            CHECK(result.arrivals.back().time == next);
        }
        result.error = trace->error();
    }
    if (result.error.rfind(path, 0) == 0) result.error.erase(0, path.size());
    return result;
}

inline TraceRead read_trace(const std::string& content, const TraceOptions& options = {}) {
    return read_trace_file(TemporaryFile(content).path(), options);
}

}  // namespace headroom::traces
