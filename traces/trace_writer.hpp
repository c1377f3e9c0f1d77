/// TraceWriter turns requests into the CSV that the `csv` format reads, without loss: times are
/// written to the picosecond.
///
///     std::string text = TraceWriter::header(false);
///     while (source.peek()) TraceWriter::append(text, source.take(), false);
///
/// With attributes, the columns priority, tenant, session and adapter follow; with contents,
/// hash_ids, tokens_per_id and covered_tokens, empty for a request whose tokens are not told. Ids
/// are written as they are in the Arrival; a TraceReader that reads them shifts them (by one number
/// for all of a file with equal tokens_per_id), which changes no equality among these. O(1) a row
/// and O(ids), into the caller's buffer.
#pragma once

#include <string>

#include "sim/serving/request.hpp"

namespace headroom::traces {

class TraceWriter {
  public:
    [[nodiscard]] static std::string header(bool attributes, bool contents = false);
    static void append(std::string& text, const serving::Arrival& arrival, bool attributes,
                       bool contents = false);
};

}  // namespace headroom::traces
