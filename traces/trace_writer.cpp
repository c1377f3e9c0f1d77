#include "traces/trace_writer.hpp"

#include <algorithm>

#include "traces/readers/hash_ids.hpp"
#include "traces/readers/numbers.hpp"

namespace headroom::traces {

namespace {

void append_contents(std::string& text, const serving::Arrival& arrival) {
    const serving::TokenContents* contents = arrival.contents.get();
    // Without an id nothing is told; the reader wants just as many ids as what is covered takes.
    if (contents == nullptr || contents->covered_tokens() == 0) {
        text += ",,,";
        return;
    }
    const std::int64_t covered =
        std::min(contents->covered_tokens(), arrival.prompt.count() + arrival.output.count());
    text += ',';
    append_hash_ids(text, contents->ids,
                    static_cast<std::size_t>(pieces_of(covered, contents->tokens_per_id)));
    text += ',' + std::to_string(contents->tokens_per_id) + ',' + std::to_string(covered);
}

}  // namespace

std::string TraceWriter::header(bool attributes, bool contents) {
    std::string text = "arrival_s,prompt_tokens,output_tokens";
    if (attributes) text += ",priority,tenant,session,adapter";
    if (contents) text += ",hash_ids,tokens_per_id,covered_tokens";
    return text + "\n";
}

void TraceWriter::append(std::string& text, const serving::Arrival& arrival, bool attributes,
                         bool contents) {
    append_seconds(text, arrival.time.ps());
    text += ',' + std::to_string(arrival.prompt.count());
    text += ',' + std::to_string(arrival.output.count());
    if (attributes) {
        const serving::RequestAttributes& a = arrival.attributes;
        text += ',' + std::to_string(a.priority) + ',' + std::to_string(a.tenant);
        text += ',' + std::to_string(a.session) + ',' + std::to_string(a.adapter);
    }
    if (contents) append_contents(text, arrival);
    text += '\n';
}

}  // namespace headroom::traces
