/// Registry<Interface>: the policies (or readers, generators) of one family, by name. Each
/// registers itself from the last line of its own file, so that adding one touches no other file:
///
///     REGISTER_POLICY(RoutingPolicy, RoundRobin, "round-robin", "each instance in turn");
///
/// where RoundRobin has `static ParameterSpecs parameter_specs()` and a constructor
/// `RoundRobin(const Parameters&, const PolicyContext&)`. entries() is sorted by name: nothing
/// depends on the order in which objects were linked. find is O(log n).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "sim/core/check.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/random.hpp"

namespace headroom::inline core {

/// What a policy may use besides its parameters: a stream of its own.
struct PolicyContext {
    RandomStream random;
};

template <class Interface>
class Registry {
  public:
    struct Entry {
        std::string name;
        std::string help;
        ParameterSpecs specs;
        std::function<std::unique_ptr<Interface>(const Parameters&, const PolicyContext&)> make;
    };

    static Registry& instance() {
        static Registry registry;
        return registry;
    }
    bool add(Entry entry) {
        std::string name = entry.name;
        HEADROOM_CHECK(entries_.emplace(std::move(name), std::move(entry)).second,
                       "two policies of one family share a name");
        return true;
    }
    [[nodiscard]] const Entry* find(const std::string& name) const {
        const auto it = entries_.find(name);
        return it == entries_.end() ? nullptr : &it->second;
    }
    [[nodiscard]] const std::map<std::string, Entry>& entries() const { return entries_; }

  private:
    std::map<std::string, Entry> entries_;
};

/// A policy's name and its checked parameters, as a scenario chose them.
struct PolicyChoice {
    std::string name;
    Parameters parameters;
};

/// Builds the chosen policy. An unknown name is a programmer error here: the loader refuses it.
template <class Interface>
[[nodiscard]] std::unique_ptr<Interface> make_policy(const PolicyChoice& choice,
                                                     const PolicyContext& context) {
    const auto* entry = Registry<Interface>::instance().find(choice.name);
    HEADROOM_CHECK(entry != nullptr, choice.name.c_str());
    return entry->make(choice.parameters, context);
}

}  // namespace headroom::inline core

#define REGISTER_POLICY(Interface, Class, policy_name, help_text)                         \
    [[maybe_unused]] static const bool registered_##Class =                               \
        ::headroom::Registry<Interface>::instance().add(                                  \
            {policy_name, help_text, Class::parameter_specs(),                            \
             [](const ::headroom::Parameters& parameters,                                 \
                const ::headroom::PolicyContext& context) -> std::unique_ptr<Interface> { \
                 return std::make_unique<Class>(parameters, context);                     \
             }})
