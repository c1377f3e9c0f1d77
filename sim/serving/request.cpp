#include "sim/serving/request.hpp"

namespace headroom::serving {

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::in_flight:
            return "in_flight";
        case Outcome::completed:
            return "completed";
        case Outcome::failed:
            return "failed";
        case Outcome::rejected:
            return "rejected";
        case Outcome::timed_out:
            return "timed_out";
    }
    return "unknown";
}

std::string_view to_string(Cause cause) {
    switch (cause) {
        case Cause::none:
            return "none";
        case Cause::gateway_queue_full:
            return "gateway_queue_full";
        case Cause::instance_queue_full:
            return "instance_queue_full";
        case Cause::exceeds_kv_capacity:
            return "exceeds_kv_capacity";
        case Cause::exceeds_batch_limit:
            return "exceeds_batch_limit";
        case Cause::exceeds_model_length:
            return "exceeds_model_length";
        case Cause::timeout:
            return "timeout";
        case Cause::instance_lost:
            return "instance_lost";
        case Cause::queue_timeout:
            return "queue_timeout";
    }
    return "unknown";
}

}  // namespace headroom::serving
