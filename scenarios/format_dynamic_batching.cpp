// The part of the scenario format that describes a model behind a dynamic batcher, in the words of
// Triton's model configuration.

#include "scenarios/format.hpp"
#include "sim/serving/service_spec.hpp"

namespace headroom::scenarios {

namespace {

constexpr double kMostInstances = 1000;
constexpr double kLargestBatch = 65'536;

ParameterSpec network_profile_format(const char* name, const char* help) {
    return ParameterSpec::object(
        name,
        {ParameterSpec::text("model", "", "a network of the catalogue").required(),
         ParameterSpec::text("gpu", "", "a GPU of the catalogue").required()},
        help);
}

ParameterSpec batch_profile_format() {
    return ParameterSpec::tagged(
        "profile", "kind",
        {network_profile_format("best", "measured, else estimated"),
         network_profile_format("measured", "from the kernel benchmark on this GPU"),
         network_profile_format("estimated",
                                "from first principles, with the error band that the report "
                                "states"),
         ParameterSpec::object(
             "linear",
             {ParameterSpec::duration("t0", Duration::zero(), "per batch").required().at_most(3600),
              ParameterSpec::duration("t1", Duration::zero(), "per request of it").at_most(3600)},
             "two coefficients: t0 + t1 b")},
        "best", "how long a batch of b requests takes");
}

ParameterSpec queue_policy_format() {
    return ParameterSpec::object(
        "default_queue_policy",
        {ParameterSpec::integer("max_queue_size", 0,
                                "requests in the queue at most (of each priority level), further "
                                "ones are rejected; 0: any")
             .at_least(0)
             .at_most(1e9),
         ParameterSpec::duration("default_timeout", Duration::seconds(1),
                                 "that a request may wait in the queue; default: any")
             .optional_without_default()
             .above(0)
             .at_most(kHorizonSeconds),
         ParameterSpec::choice("timeout_action", {"reject", "delay"}, "reject",
                               "an error, or behind all others of its priority level")},
        "of the batcher's queue; with any of it batches form for idle instances only");
}

}  // namespace

ParameterSpec dynamic_batching_format() {
    const serving::DynamicEngineSpec defaults;
    return ParameterSpec::object(
               "dynamic_batching",
               {batch_profile_format(),
                ParameterSpec::integer("max_batch_size", 8, "requests in a batch at most")
                    .required()
                    .at_least(1)
                    .at_most(kLargestBatch),
                ParameterSpec::list("preferred_batch_size",
                                    ParameterSpec::integer("size", 8, "")
                                        .required()
                                        .at_least(1)
                                        .at_most(kLargestBatch),
                                    "sizes that go without a delay; default: max_batch_size"),
                ParameterSpec::duration("max_queue_delay", defaults.max_queue_delay,
                                        "that the oldest request of a batch may wait for others")
                    .at_most(kHorizonSeconds),
                ParameterSpec::object(
                    "instance_group",
                    {ParameterSpec::integer("count", defaults.instances, "batches run at once")
                         .at_least(1)
                         .at_most(kMostInstances)},
                    "execution instances of a replica; they do not slow one another down"),
                queue_policy_format(),
                ParameterSpec::integer("priority_levels", defaults.priority_levels,
                                       "1 is the highest; 0: all requests are equal")
                    .at_least(0)
                    .at_most(1000),
                ParameterSpec::integer("default_priority_level", defaults.default_priority_level,
                                       "of a request whose priority is no level")
                    .at_least(0)
                    .at_most(1000)},
               "a model behind Triton's dynamic batcher; a request counts 1 in a batch")
        .optional_without_default();
}

}  // namespace headroom::scenarios
