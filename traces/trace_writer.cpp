#include "traces/trace_writer.hpp"

#include "traces/readers/numbers.hpp"

namespace headroom::traces {

std::string TraceWriter::header(bool attributes) {
    std::string text = "arrival_s,prompt_tokens,output_tokens";
    if (attributes) text += ",priority,tenant,session,adapter";
    return text + "\n";
}

void TraceWriter::append(std::string& text, const serving::Arrival& arrival, bool attributes) {
    append_seconds(text, arrival.time.ps());
    text += ',' + std::to_string(arrival.prompt.count());
    text += ',' + std::to_string(arrival.output.count());
    if (attributes) {
        const serving::RequestAttributes& a = arrival.attributes;
        text += ',' + std::to_string(a.priority) + ',' + std::to_string(a.tenant);
        text += ',' + std::to_string(a.session) + ',' + std::to_string(a.adapter);
    }
    text += '\n';
}

}  // namespace headroom::traces
