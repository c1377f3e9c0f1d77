/// TraceWriter turns requests into the CSV that the `csv` format reads, without loss: times are
/// written to the picosecond.
///
///     std::string text = TraceWriter::header(false);
///     while (source.peek()) TraceWriter::append(text, source.take(), false);
///
/// With attributes, the columns priority, tenant, session and adapter follow. O(1) a row, into the
/// caller's buffer.
#pragma once

#include <string>

#include "sim/serving/request.hpp"

namespace headroom::traces {

class TraceWriter {
  public:
    [[nodiscard]] static std::string header(bool attributes);
    static void append(std::string& text, const serving::Arrival& arrival, bool attributes);
};

}  // namespace headroom::traces
