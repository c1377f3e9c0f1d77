#include "analysis/experiments/llm_capacity.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/core/math.hpp"

namespace headroom::analysis {

namespace {

/// Prompts are put together into this many groups of equal weight.
constexpr std::size_t kPromptGroups = 64;
constexpr std::int64_t kNoLimit = 1 << 20;

/// The first of these parameters that the policy has.
std::int64_t parameter_or(const Parameters& parameters, std::initializer_list<const char*> names,
                          std::int64_t other) {
    for (const char* name : names) {
        const ParameterValue* value = parameters.find(name);
        if (value != nullptr && std::holds_alternative<std::int64_t>(value->data)) {
            return std::get<std::int64_t>(value->data);
        }
    }
    return other;
}

std::int64_t whole(double x) {
    return std::llround(x);
}

}  // namespace

const char* to_string(BatchLimit limit) {
    switch (limit) {
        case BatchLimit::sequences:
            return "max_num_seqs";
        case BatchLimit::kv_cache:
            return "KV cache";
        case BatchLimit::token_budget:
            return "token budget";
    }
    return "";
}

LlmCapacity::LlmCapacity(const serving::LlmEngineSpec& spec, const LengthMix& lengths, double speed)
    : spec_(spec), speed_(speed), stages_(static_cast<double>(spec.pipeline_stages)) {
    set_limits();
    set_lengths(lengths);
    set_batch();
}

void LlmCapacity::set_limits() {
    const Parameters& parameters = spec_.batching.parameters;
    const std::string& policy = spec_.batching.name;
    max_num_seqs_ = parameter_or(
        parameters, {"max_num_seqs", "max_batch_size", "max_running_requests", "batch_size"},
        kNoLimit);
    token_budget_ = parameter_or(
        parameters,
        {"max_num_batched_tokens", "max_num_tokens", "chunk_size", "chunked_prefill_size"},
        kNoLimit);
    apart_ = policy == "vllm-v0" || policy == "sglang" || policy == "static";
    whole_batch_ = policy == "static";
    reserved_ = static_cast<double>(parameter_or(parameters, {"reserve_tokens"}, 0));
    const ParameterValue* scheduler = parameters.find("capacity_scheduler_policy");
    reserves_output_ = scheduler != nullptr &&
                       std::holds_alternative<std::string>(scheduler->data) &&
                       std::get<std::string>(scheduler->data) != "max_utilization";
    if (spec_.speculation) {
        const auto drafts = static_cast<double>(spec_.speculation->num_speculative_tokens);
        const double rate = spec_.speculation->acceptance_rate;
        accepted_ = rate < 1 ? (1 - det_pow(rate, drafts + 1)) / (1 - rate) : drafts + 1;
        draft_s_ = spec_.speculation->draft_time.to_seconds() * drafts;
    }
}

void LlmCapacity::set_lengths(const LengthMix& lengths) {
    const auto longest = static_cast<double>(spec_.max_model_len);
    const auto block = static_cast<double>(spec_.block_size);
    std::vector<Prompt> prompts;
    double weight = 0;
    double context = 0;
    double held = 0;
    for (const LengthMix::Point& point : lengths.points) {
        if (point.prompt >= longest) {
            refused_ += point.weight;
            continue;
        }
        const double output = std::min(point.output, longest - point.prompt);
        double prompt = point.prompt;
        double steps = output - 1;
        if (spec_.role == serving::EngineRole::prefill) steps = 0;
        if (spec_.role == serving::EngineRole::decode) prompt = 1;
        weight += point.weight;
        mean_prompt_ += point.weight * prompt;
        mean_output_ += point.weight * output;
        steps_ += point.weight * steps;
        context += point.weight * steps * (point.prompt + steps / 2);
        double tokens = point.prompt + output / 2 + block / 2;
        if (reserves_output_) tokens = point.prompt + output + block / 2;
        if (reserved_ > 0) tokens = reserved_;
        held += point.weight * std::max(steps, 1.0) * tokens;
        prompts.push_back({prompt, point.weight});
        outputs_.push_back({steps, point.weight});
    }
    if (!(weight > 0)) return;
    mean_prompt_ /= weight;
    mean_output_ /= weight;
    double held_for = 0;
    for (Prompt& output : outputs_) {
        held_for += output.weight * std::max(output.tokens, 1.0);
        output.weight /= weight;
    }
    context_ = steps_ > 0 ? context / steps_ : mean_prompt_;
    kv_tokens_ = held / held_for;
    steps_ /= weight * accepted_;
    const auto shorter = [](const Prompt& a, const Prompt& b) { return a.tokens < b.tokens; };
    std::sort(outputs_.begin(), outputs_.end(), shorter);
    std::sort(prompts.begin(), prompts.end(), shorter);
    // Groups by cumulative weight, each at its mean.
    double seen = 0;
    for (const Prompt& prompt : prompts) {
        const double share = prompt.weight / weight;
        const auto group = static_cast<std::size_t>(std::min(
            seen * static_cast<double>(kPromptGroups), static_cast<double>(kPromptGroups - 1)));
        while (prompts_.size() <= group) prompts_.emplace_back();
        prompts_[group].tokens += share * prompt.tokens;
        prompts_[group].weight += share;
        seen += share;
    }
    prompts_.erase(std::remove_if(prompts_.begin(), prompts_.end(),
                                  [](const Prompt& p) { return !(p.weight > 0); }),
                   prompts_.end());
    for (Prompt& prompt : prompts_) prompt.tokens /= prompt.weight;
}

void LlmCapacity::set_batch() {
    const auto room = static_cast<double>(spec_.kv_blocks * spec_.block_size);
    kv_sequences_ = kv_tokens_ > 0 ? std::max(1.0, room / kv_tokens_) : 1;
    double most = static_cast<double>(max_num_seqs_);
    limit_ = BatchLimit::sequences;
    if (kv_sequences_ < most) {
        most = kv_sequences_;
        limit_ = BatchLimit::kv_cache;
    }
    // Each decode step of a request comes with 1 / steps of a prompt.
    const double per_sequence = 1 + (apart_ || !(steps_ > 0) ? 0 : mean_prompt_ / steps_);
    const double budget = static_cast<double>(token_budget_) / per_sequence;
    if (budget < most) {
        most = budget;
        limit_ = BatchLimit::token_budget;
    }
    batch_ = std::max<std::int64_t>(1, static_cast<std::int64_t>(most / stages_));
}

double LlmCapacity::seconds(double prefill, double attention, double chunks, double sampled,
                            std::int64_t decodes) const {
    serving::IterationShape shape;
    shape.prefill_tokens = whole(prefill);
    shape.decode_sequences = decodes;
    shape.context_tokens = whole(static_cast<double>(decodes) * context_);
    shape.prefill_attention_doubled = whole(attention);
    shape.prefill_chunks = whole(chunks);
    shape.sampled_tokens = whole(sampled);
    if (shape.prefill_tokens + decodes == 0) return 0;
    const serving::IterationCost cost = spec_.latency->iteration_cost(shape);
    return (cost.at(shape.context_tokens).to_seconds() + draft_s_) / speed_;
}

/// What a prompt adds to iterations that `decodes` sequences share.
double LlmCapacity::prompt_s(double tokens, std::int64_t decodes) const {
    const std::int64_t beside = apart_ ? 0 : decodes;
    const double room = static_cast<double>(std::max<std::int64_t>(1, token_budget_ - beside));
    const double chunks = std::ceil(tokens / room);
    const double chunk = tokens / chunks;
    const double without = beside > 0 ? seconds(0, 0, 0, static_cast<double>(beside), beside) : 0;
    double sum = 0;
    for (double k = 0; k < chunks; ++k) {
        const double attention = chunk * (2 * k * chunk + chunk);
        const double sampled = static_cast<double>(beside) + (k + 1 >= chunks ? 1 : 0);
        sum += seconds(chunk, attention, 1, sampled, beside) - without;
    }
    return sum;
}

double LlmCapacity::prompts_s(std::int64_t decodes) const {
    double sum = 0;
    for (const Prompt& prompt : prompts_) sum += prompt.weight * prompt_s(prompt.tokens, decodes);
    return sum;
}

/// Iterations in which one of `batch` requests at a time is done.
double LlmCapacity::steps_at(double batch) const {
    if (!whole_batch_) return steps_ / batch;
    // The longest of `batch` outputs: the distribution function to that power.
    double longest = 0;
    double below = 0;
    double reached = 0;
    for (const Prompt& output : outputs_) {
        reached = std::min(1.0, reached + output.weight);
        const double to = det_pow(reached, batch);
        longest += output.tokens * (to - below);
        below = to;
    }
    return longest / batch;
}

LlmCapacity::Split LlmCapacity::request_s(std::int64_t batch) const {
    const auto b = static_cast<double>(batch);
    const double n = steps_at(b);
    const double plain = n > 0 ? seconds(0, 0, 0, b, batch) : 0;
    const double each = n > 0 ? 1 / n : std::numeric_limits<double>::infinity();
    Split split;
    if (each <= 1 || apart_) {
        split = {n * plain, prompts_s(batch)};
    } else {
        // Several prompts an iteration; with nothing to decode, as many as the budget takes.
        const double room = static_cast<double>(token_budget_) - (n > 0 ? b : 0);
        const double packed = std::max(1.0, room / std::max(mean_prompt_, 1.0));
        const double prompts = std::min({each, packed, static_cast<double>(max_num_seqs_)});
        if (prompts <= 1) {
            split = {n * plain, prompts_s(n > 0 ? batch : 0)};
        } else {
            const double tokens = prompts * mean_prompt_;
            double squares = 0;
            for (const Prompt& p : prompts_) squares += p.weight * p.tokens * p.tokens;
            const double whole_s = seconds(tokens, prompts * squares, prompts,
                                           prompts + (n > 0 ? b : 0), n > 0 ? batch : 0);
            split = {n * plain, whole_s / prompts - n * plain};
        }
    }
    split.decode_s /= stages_;
    split.prefill_s /= stages_;
    return split;
}

LlmOperation LlmCapacity::whole_operation(std::int64_t batch) const {
    const Split split = request_s(batch);
    const auto b = static_cast<double>(batch);
    const double n = steps_at(b);
    LlmOperation out;
    out.batch = b * stages_;
    out.requests_per_s = split.total() > 0 ? 1 / split.total() : 0;
    out.iteration_s = split.total() * stages_ / (n > 0 ? n * accepted_ : 1);
    out.kv_fraction = std::min(1.0, out.batch / kv_sequences_);
    out.prefill_share = split.total() > 0 ? split.prefill_s / split.total() : 0;
    return out;
}

LlmOperation LlmCapacity::operation(double batch) const {
    const auto low = static_cast<std::int64_t>(batch);
    const double part = batch - static_cast<double>(low);
    const LlmOperation a = whole_operation(low);
    if (part == 0) return a;
    const LlmOperation b = whole_operation(low + 1);
    const auto between = [part](double x, double y) { return x + (y - x) * part; };
    return {between(a.batch, b.batch), between(a.requests_per_s, b.requests_per_s),
            between(a.iteration_s, b.iteration_s), between(a.kv_fraction, b.kv_fraction),
            between(a.prefill_share, b.prefill_share)};
}

/// Less than one at a time: a token takes its own iteration, and now and then a prompt's.
LlmOperation LlmCapacity::sparse_operation(double rate) const {
    const Split split = request_s(1);
    const double n = steps_at(1);
    LlmOperation out;
    out.requests_per_s = rate;
    const double pace = n > 0 ? split.decode_s * stages_ / n : split.prefill_s * stages_;
    const double waits = n > 0 ? 1 - rate * split.prefill_s : 1;
    out.iteration_s = pace / waits / accepted_;
    out.batch = rate * std::max(n, 1.0) * pace / waits;
    out.kv_fraction = std::min(1.0, out.batch / kv_sequences_);
    out.prefill_share = split.total() > 0 ? split.prefill_s / split.total() : 0;
    return out;
}

LlmOperation LlmCapacity::most() const {
    return whole_operation(batch_);
}

LlmOperation LlmCapacity::at(double requests_per_s) const {
    const LlmOperation alone = whole_operation(1);
    if (requests_per_s <= alone.requests_per_s || batch_ == 1) {
        return sparse_operation(std::min(requests_per_s, alone.requests_per_s));
    }
    double low = 1;
    double high = static_cast<double>(batch_);
    if (operation(high).requests_per_s <= requests_per_s) return operation(high);
    constexpr int kHalvings = 40;
    for (int i = 0; i < kHalvings; ++i) {
        const double middle = 0.5 * (low + high);
        (operation(middle).requests_per_s < requests_per_s ? low : high) = middle;
    }
    return operation(high);
}

LlmOperation LlmCapacity::within(double tpot_s) const {
    if (whole_operation(1).iteration_s > tpot_s) return {};
    std::int64_t low = 1;
    std::int64_t high = batch_ + 1;
    while (high - low > 1) {
        const std::int64_t middle = low + (high - low) / 2;
        (whole_operation(middle).iteration_s <= tpot_s ? low : high) = middle;
    }
    return whole_operation(low);
}

double LlmCapacity::decode_tokens_per_s() const {
    if (!(steps_ > 0)) return 0;
    const auto b = static_cast<double>(batch_);
    return b * stages_ * accepted_ / seconds(0, 0, 0, b, batch_);
}

double LlmCapacity::prefill_tokens_per_s() const {
    const double tokens =
        std::min(static_cast<double>(token_budget_), std::max(8192.0, mean_prompt_));
    const double prompts = std::max(1.0, tokens / std::max(1.0, mean_prompt_));
    const double attention = tokens * std::min(tokens, mean_prompt_);
    return stages_ * tokens / seconds(tokens, attention, prompts, prompts, 0);
}

double LlmCapacity::lone_prefill_s() const {
    return prompts_s(0);
}

double LlmCapacity::lone_request_s() const {
    return prompts_s(0) + steps_ * seconds(0, 0, 0, 1, 1);
}

}  // namespace headroom::analysis
