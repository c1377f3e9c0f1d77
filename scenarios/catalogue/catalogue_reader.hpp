/// Reads the four files of the catalogue, entry by entry, and reports everything that is wrong
/// with file, line, pointer and expectation. Entries with mistakes are returned too, for their ids:
/// so one wrong GPU is one message, not one more for each instance type that has it. Use the
/// entries only when there was no mistake. O(size of the file).
#pragma once

#include <string>
#include <vector>

#include "scenarios/catalogue/catalogue.hpp"

namespace headroom::scenarios {

[[nodiscard]] std::vector<GpuEntry> read_gpus(const std::string& path, Diagnostics& diagnostics);
[[nodiscard]] std::vector<ModelEntry> read_models(const std::string& path,
                                                  Diagnostics& diagnostics);
[[nodiscard]] std::vector<NetworkEntry> read_networks(const std::string& path,
                                                      Diagnostics& diagnostics);
[[nodiscard]] std::vector<InstanceTypeEntry> read_instance_types(
    const std::string& path, const std::vector<std::string>& gpu_names, Diagnostics& diagnostics);

}  // namespace headroom::scenarios
