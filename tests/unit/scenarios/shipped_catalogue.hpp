/// The catalogue as it is shipped, loaded once, and requests for profiles from it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "scenarios/catalogue/catalogue.hpp"
#include "scenarios/catalogue/profile.hpp"
#include "tests/catch.hpp"

namespace headroom::scenarios {

inline std::filesystem::path shipped_folder() {
    return std::filesystem::path(HEADROOM_SOURCE_DIR) / "scenarios/catalogue";
}

inline const Catalogue& shipped() {
    static const Catalogue catalogue = [] {
        Diagnostics problems;
        std::optional<Catalogue> loaded = Catalogue::load(shipped_folder(), problems);
        for (const Diagnostic& problem : problems) UNSCOPED_INFO(problem.text());
        REQUIRE(loaded.has_value());
        return *loaded;
    }();
    return catalogue;
}

inline ProfileRequest request(const std::string& model, const std::string& gpu, std::int64_t tp = 1,
                              serving::DType dtype = serving::DType::bf16) {
    ProfileRequest out;
    out.model = model;
    out.gpu = gpu;
    out.tp = tp;
    out.dtype = dtype;
    return out;
}

}  // namespace headroom::scenarios
