#include "analysis/calibration/measurement.hpp"

#include <cmath>
#include <map>

#include "tests/catch.hpp"
#include "tests/fuzz/fuzz_case.hpp"
#include "tests/fuzz/mutation.hpp"
#include "tests/scale.hpp"
#include "tests/unit/analysis/calibration/synthetic_measurement.hpp"

namespace headroom::analysis {

namespace {

using tests::Draws;
using tests::InputFile;

/// A few points of each operator.
std::string short_measurement(std::size_t of_each) {
    nlohmann::json file = synthetic_measurement();
    std::map<std::string, std::size_t> taken;
    nlohmann::json points = nlohmann::json::array();
    for (const nlohmann::json& point : file["points"]) {
        const std::string kind = point["op"].get<std::string>() + point["dtype"].get<std::string>();
        if (taken[kind]++ < of_each) points.push_back(point);
    }
    file["points"] = points;
    return file.dump(1);
}

bool check_measurement(const std::string& path, const ReadMeasurementOptions& options) {
    scenarios::Diagnostics diagnostics;
    const auto read = read_measurement(path, options, diagnostics);
    if (!read) {
        REQUIRE(tests::fault_of(diagnostics, true) == "");
        return false;
    }
    REQUIRE(diagnostics.empty());
    REQUIRE_FALSE(read->points.empty());
    for (const std::string& warning : read->warnings) {
        REQUIRE(tests::fault_of_message(warning) == "");
    }
    for (const MeasuredPoint& point : read->points) {
        REQUIRE(point.p10_s > 0);
        REQUIRE(point.p10_s <= point.t_s);
        REQUIRE(point.t_s <= point.p90_s);
        REQUIRE(std::isfinite(point.p90_s));
    }
    // Columns of times that never fall come of it.
    const Smoothed smoothed = smooth(fastest_kernels(read->points), *read);
    for (const MeasuredPoint& point : smoothed.points) REQUIRE(point.t_s > 0);
    return true;
}

}  // namespace

TEST_CASE("Measurement fuzz: a file of the kernel benchmark is refused with its lines, or whole") {
    const tests::Corpus corpus = {short_measurement(1), short_measurement(3)};
    const InputFile file("m.json");
    for (const std::string& text : corpus) {
        scenarios::Diagnostics diagnostics;
        CHECK(read_measurement(file.write(text), {}, diagnostics).has_value());
    }
    ReadMeasurementOptions options;
    const auto check = [&](const std::string& text) {
        return check_measurement(file.write(text), options);
    };
    CHECK(tests::fuzz(
              "measurement/structure", tests::scaled(600),
              [&](Draws& draws) {
                  options = {draws.one_in(2), draws.one_in(2)};
                  return tests::mutate_json(corpus, draws);
              },
              check)
              .both());
    CHECK(tests::fuzz(
              "measurement/bytes", tests::scaled(400),
              [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); }, check)
              .both());
}

}  // namespace headroom::analysis
