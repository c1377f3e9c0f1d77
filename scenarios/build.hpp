/// From checked Parameters to the plain structs that the simulation is built from: names resolved
/// to indices, profiles computed, fields that depend on each other checked. Internal to the loader.
///
/// Every function reports what is wrong through the BuildContext and goes on, so that all mistakes
/// of a file come in one go; what it returns is only used when nothing was reported. A value that
/// did not pass the check is its default or "not given", so required fields are asked for with
/// given().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/catalogue/catalogue.hpp"
#include "scenarios/located_json.hpp"
#include "scenarios/source_load.hpp"
#include "sim/core/distribution.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"
#include "sim/simulation.hpp"

namespace headroom::scenarios {

struct BuildContext {
    const LocatedJson& document;
    const Catalogue& catalogue;
    Diagnostics& diagnostics;
    std::vector<std::string>& warnings;
    std::vector<std::string> services{};  ///< names, in the order of their indices
    bool has_node_pools = false;
    bool has_calendar = false;          ///< the scenario has a `start`
    std::optional<Time> sources_end{};  ///< from `duration`; nothing: sources end by themselves
    bool only_drains = false;           ///< nothing but the sources' ends bounds the run
    std::uint64_t seed = 1;
    double rate_scale = 1;

    void complain(const std::string& pointer, std::string message);
    /// "expected a <kind>, found "x" (did you mean "y"?)".
    void unknown_name(const std::string& pointer, std::string_view kind, const std::string& found,
                      const std::vector<std::string>& valid);
    /// Whether the file (not a default) gives this value.
    [[nodiscard]] bool written(std::string_view pointer) const;
    /// Whether nothing at or below `pointer` has been complained about.
    [[nodiscard]] bool clean(std::string_view pointer) const;
    [[nodiscard]] std::optional<std::uint32_t> find_service(const std::string& name) const;
    /// Says that there is no such service, unless the file has one that could not be read: that
    /// was complained about, and to name it is no second mistake.
    void unknown_service(const std::string& pointer, const std::string& name);
    /// Whether "services" is something else than an object.
    [[nodiscard]] bool services_are_unreadable() const;
    /// Names that the file has and `services` has not.
    [[nodiscard]] std::vector<std::string> unreadable_services() const;
    /// Whether the map at this pointer is no map, or `part` is an entry of it with mistakes or a
    /// part of one ("gpu-0" of "gpu").
    [[nodiscard]] bool is_of_bad_entry(const std::string& map, const std::string& part) const;
};

/// Warns of each of `keys` that the file gives at `pointer`, though the `value` of `choice` beside
/// them makes nothing of it: the choice was forgotten, or a patch changed it alone.
void warn_of_unused(BuildContext& context, const std::string& pointer, const char* choice,
                    const std::string& value, const std::vector<const char*>& keys);
/// The distribution of traces::duration_specs at `pointer`, with such warnings.
[[nodiscard]] Distribution build_duration(BuildContext& context, const std::string& pointer,
                                          const Parameters& parameters);
/// A whole number, or `other` where none is given.
[[nodiscard]] inline std::int64_t integer_or(const Parameters& parameters, std::string_view name,
                                             std::int64_t other) {
    return parameters.given(name) ? parameters.integer(name) : other;
}
/// The choice under a tagged parameter: the tag's value, and everything beside it.
[[nodiscard]] PolicyChoice choice_of(const Parameters& tagged, std::string_view tag);
/// The Parameters inside a list or map entry.
[[nodiscard]] const Parameters& object_of(const ParameterValue& value);

/// How much of each of its GPUs a pod asks for.
struct GpuPart {
    std::string name;   ///< "a share of 0.5", "the slice 1g.10gb"; empty: all of it
    double memory = 1;  ///< share of the GPU's
};
[[nodiscard]] GpuPart gpu_part(const Parameters& pod, const GpuEntry& gpu);

/// A service's data-plane part.
[[nodiscard]] serving::ServiceSpec build_service(BuildContext& context, const std::string& name,
                                                 const Parameters& service);
/// `pod`: of the service, which may have a part of a GPU only. `front_end`: what its API server
/// adds to a first token, where the profile knows.
[[nodiscard]] serving::LlmEngineSpec build_engine(BuildContext& context, const std::string& pointer,
                                                  const Parameters& parameters,
                                                  const Parameters& pod, serving::EngineRole role,
                                                  Duration& front_end);
[[nodiscard]] serving::DynamicEngineSpec build_dynamic_batching(BuildContext& context,
                                                                const std::string& pointer,
                                                                const Parameters& parameters);
/// What an engine means for its pod: devices, weights.
struct EngineNeeds {
    std::int64_t gpus = 0;
    std::string gpu;  ///< model of them; empty: none is named
    cluster::WeightsSpec weights;
};
[[nodiscard]] EngineNeeds llm_engine_needs(const BuildContext& context, const Parameters& engine);
[[nodiscard]] EngineNeeds dynamic_batching_needs(const BuildContext& context,
                                                 const Parameters& parameters);
[[nodiscard]] EngineNeeds engine_needs(const BuildContext& context, const Parameters& version);
/// The engine objects of a service: one by version, or the service itself as "v1".
struct VersionParameters {
    std::string name;
    std::string pointer;
    const Parameters* parameters = nullptr;
    bool alone = false;
};
[[nodiscard]] std::vector<VersionParameters> versions_of(const std::string& service_name,
                                                         const Parameters& service);
/// Refuses calls that lead back to where they came from.
void check_calls(BuildContext& context, const std::vector<serving::ServiceSpec>& services);

/// The scaling policy under `key` of the object `owner` at `owner_pointer`: "autoscaling" for the
/// number of replicas, "vertical_autoscaling" for what pods request.
[[nodiscard]] std::optional<control::AutoscalerSpec> build_autoscaler(
    BuildContext& context, const std::string& owner_pointer, const Parameters& owner,
    const std::string& key);
/// What only the workloads that are scaled can tell of `autoscaling`: a container that no pod has
/// is refused, an autoscaler that can never act is warned of.
void check_autoscaling(BuildContext& context, const std::string& name, const Parameters& service,
                       const std::vector<control::WorkloadSpec>& workloads);
/// The workloads (one by version) of a service.
[[nodiscard]] std::vector<control::WorkloadSpec> build_workloads(BuildContext& context,
                                                                 std::uint32_t index,
                                                                 const Parameters& service);
/// "NoSchedule", "PreferNoSchedule" or "NoExecute", as the format has checked.
[[nodiscard]] cluster::TaintEffect taint_effect(const std::string& name);
[[nodiscard]] control::NodePoolSpec build_node_pool(BuildContext& context, const std::string& name,
                                                    const Parameters& parameters);
/// Room for every workload at its largest, one pod a node, at no cost.
[[nodiscard]] control::NodePoolSpec implicit_pool(
    const std::vector<control::WorkloadSpec>& workloads);
[[nodiscard]] control::FaultSpec build_fault(BuildContext& context, const std::string& pointer,
                                             const Parameters& parameters,
                                             const control::ControlSpec& control);
[[nodiscard]] serving::SourceSpec build_source(BuildContext& context, const std::string& name,
                                               const Parameters& source,
                                               const std::vector<serving::ServiceSpec>& services,
                                               SourceLoad& load);

}  // namespace headroom::scenarios
