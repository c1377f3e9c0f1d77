#include "analysis/results/read_results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "analysis/results/decisions_jsonl.hpp"
#include "analysis/results/hdf5_file.hpp"
#include "analysis/results/result_folder.hpp"
#include "analysis/results/version.hpp"
#include "scenarios/diagnostic.hpp"
#include "sim/core/nearest_name.hpp"
#include "sim/core/printable_text.hpp"

namespace headroom::analysis {

namespace fs = std::filesystem;

namespace {

constexpr const char* kRunAgain = "run the scenario again (headroom run)";

/// A group of the file and the words for what is wrong below it.
class Reader {
  public:
    Reader(Hdf5Group group, std::string file, std::string path)
        : group_(std::move(group)), file_(std::move(file)), path_(std::move(path)) {}

    [[noreturn]] void fail(const std::string& name, const std::string& what) const {
        throw ReadError(fmt::format("{}: {}{}: {}", file_, path_, name, what));
    }

    [[nodiscard]] Reader open(const std::string& name) const {
        return read(name, "group",
                    [&] { return Reader(group_.open_group(name), file_, path_ + name + "/"); });
    }
    [[nodiscard]] bool has(const std::string& name) const { return group_.has(name); }
    [[nodiscard]] std::vector<std::string> names() const {
        return clean("", read("", "group", [&] { return group_.names(); }));
    }
    [[nodiscard]] std::vector<std::int64_t> integers(const std::string& name) const {
        return read(name, "data set", [&] { return group_.integers(name); });
    }
    [[nodiscard]] std::vector<double> numbers(const std::string& name) const {
        return read(name, "data set", [&] { return group_.numbers(name); });
    }
    [[nodiscard]] std::vector<std::string> texts(const std::string& name) const {
        return clean(name, read(name, "data set", [&] { return group_.texts(name); }));
    }
    /// Attributes cannot be missed as children can: the library's own words have to do.
    template <class Get>
    auto attribute(const std::string& name, Get get) const {
        try {
            return get(group_, name);
        } catch (const Hdf5Error& error) {
            fail("", fmt::format("{}; expected what headroom {} writes: {}", error.what(),
                                 program_version(), kRunAgain));
        }
    }

    [[nodiscard]] std::string text_attribute(const std::string& name) const {
        std::string text = attribute(
            name, [](const Hdf5Group& g, const std::string& n) { return g.text_attribute(n); });
        return clean(name, {std::move(text)}).front();
    }

    /// `count` values, as the column before it has.
    template <class Values>
    Values same_length(const std::string& name, std::size_t count, Values values) const {
        if (values.size() == count) return values;
        fail(name,
             fmt::format("expected {} values like its neighbours, found {}", count, values.size()));
    }

    /// Times in seconds from the start of the run on, as the file has them.
    [[nodiscard]] Time moment(const std::string& name, double seconds) const {
        const double limit = Time::horizon_limit().to_seconds();
        if (seconds >= 0 && seconds <= limit) return Time::from_seconds(seconds);
        fail(name, fmt::format("expected a time from 0 to {} s, found {}", limit, seconds));
    }
    [[nodiscard]] std::vector<Time> ascending_times(const std::string& name) const {
        std::vector<Time> times;
        for (const double seconds : numbers(name)) {
            times.push_back(moment(name, seconds));
            if (times.size() > 1 && times.back() < times[times.size() - 2]) {
                fail(name, fmt::format("expected times in their order, found {} s after {} s",
                                       seconds, times[times.size() - 2].to_seconds()));
            }
        }
        return times;
    }

  private:
    /// Texts end up on terminals and in reports.
    [[nodiscard]] std::vector<std::string> clean(const std::string& name,
                                                 std::vector<std::string> texts) const {
        for (const std::string& text : texts) {
            if (find_unprintable(text, "\t\n\r") == std::string::npos) continue;
            fail(name, "expected texts in UTF-8 without control characters, found \"" +
                           shortened(text, 80) + "\"");
        }
        return texts;
    }
    template <class Get>
    auto read(const std::string& name, const char* kind, Get get) const -> decltype(get()) {
        try {
            return get();
        } catch (const Hdf5Error& error) {
            if (name.empty() || group_.has(name)) fail(name, error.what());
            fail(name, fmt::format("there is no such {}; expected what headroom {} writes: {}",
                                   kind, program_version(), kRunAgain));
        }
    }

    Hdf5Group group_;
    std::string file_;
    std::string path_;
};

/// Names of folders beside a missing one, to tell which was meant.
std::string nearest_sibling(const fs::path& folder) {
    fs::path path = folder;
    if (!path.has_filename()) path = path.parent_path();
    const fs::path parent = path.parent_path();
    std::vector<std::string> names;
    std::error_code error;
    for (const fs::directory_entry& entry :
         fs::directory_iterator(parent.empty() ? "." : parent, error)) {
        std::error_code ignored;
        if (fs::exists(entry.path() / kResultsFile, ignored)) {
            names.push_back(entry.path().filename().string());
        }
    }
    std::sort(names.begin(), names.end());
    const std::string nearest = nearest_name(path.filename().string(), names);
    return scenarios::did_you_mean(nearest.empty() ? nearest : (parent / nearest).string());
}

Hdf5File open_results(const fs::path& folder) {
    std::error_code error;
    const std::string expected = "expected a folder that headroom run wrote (its --out)";
    if (!fs::exists(folder, error)) {
        throw ReadError(fmt::format("{}: there is no such folder{}; {}", folder.string(),
                                    nearest_sibling(folder), expected));
    }
    if (!fs::is_directory(folder, error)) {
        throw ReadError(fmt::format("{} is not a folder; {}", folder.string(), expected));
    }
    if (!fs::exists(folder / kResultsFile, error)) {
        throw ReadError(fmt::format("{} holds no {}; {}", folder.string(), kResultsFile, expected));
    }
    try {
        return Hdf5File::open(folder / kResultsFile);
    } catch (const Hdf5Error& failed) {
        throw ReadError(fmt::format("{}; {}", failed.what(), expected));
    }
}

/// Before anything else: another version may have put other things under the same names.
void check_version(const Reader& root, const std::string& file) {
    const std::string version = root.text_attribute("version");
    if (version == program_version()) return;
    throw ReadError(fmt::format("{} was written by headroom {}, and this is headroom {}: {}", file,
                                shortened(version, 40), program_version(), kRunAgain));
}

metrics::TimeSeries read_series(const Reader& series) {
    const std::vector<Time> times = series.ascending_times("time_s");
    const std::vector<std::int64_t> values =
        series.same_length("value", times.size(), series.integers("value"));
    metrics::TimeSeries out;
    for (std::size_t i = 0; i < times.size(); ++i) out.append(times[i], values[i]);
    return out;
}

void read_services(const Reader& root, StoredRun& run) {
    const Reader services = root.open("services");
    run.services = services.names();
    for (const std::string& service : run.services) {
        const Reader workloads = services.open(service).open("workloads");
        for (const std::string& name : workloads.names()) {
            const Reader series = workloads.open(name).open("series");
            run.workloads.push_back({name, service, read_series(series.open("replicas")),
                                     read_series(series.open("desired_replicas"))});
        }
    }
}

control::Decision::About about_of(const Reader& decisions, const std::string& text) {
    using About = control::Decision::About;
    for (const About about : {About::workload, About::pod, About::node}) {
        if (text == to_string(about)) return about;
    }
    decisions.fail("about",
                   "expected workload, pod or node, found \"" + shortened(text, 80) + "\"");
}

control::Decision::Outcome outcome_of(const Reader& decisions, const std::string& text) {
    using Outcome = control::Decision::Outcome;
    for (const Outcome outcome : {Outcome::changed, Outcome::blocked, Outcome::unchanged}) {
        if (text == to_string(outcome)) return outcome;
    }
    decisions.fail("outcome",
                   "expected changed, blocked or unchanged, found \"" + shortened(text, 80) + "\"");
}

void read_decisions(const Reader& root, StoredRun& run) {
    if (!root.has("decisions")) {
        root.fail("decisions", std::string("there is no such group; headroom run keeps changes and "
                                           "blocked changes in it, and every tick with "
                                           "--decisions all: ") +
                                   kRunAgain);
    }
    const Reader group = root.open("decisions");
    const std::vector<Time> times = group.ascending_times("time_s");
    const std::size_t count = times.size();
    const auto texts = [&](const char* name) {
        return group.same_length(name, count, group.texts(name));
    };
    const auto integers = [&](const char* name) {
        return group.same_length(name, count, group.integers(name));
    };
    std::vector<std::string> actors = texts("actor");
    std::vector<std::string> subjects = texts("subject");
    const std::vector<std::string> abouts = texts("about");
    const std::vector<std::string> outcomes = texts("outcome");
    const std::vector<std::int64_t> before = integers("before");
    const std::vector<std::int64_t> wanted = integers("wanted");
    const std::vector<std::int64_t> after = integers("after");
    std::vector<std::string> reasons = texts("reason");
    std::vector<std::string> inputs = texts("inputs");
    run.decisions.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        run.decisions.push_back({times[i], std::move(actors[i]), std::move(subjects[i]),
                                 outcome_of(group, outcomes[i]), before[i], wanted[i], after[i],
                                 std::move(reasons[i]), std::move(inputs[i]),
                                 about_of(group, abouts[i])});
    }
}

/// The rows' numbers of services as indices into the run's sorted names.
std::vector<std::uint32_t> service_places(const Reader& group, const StoredRun& run) {
    std::vector<std::uint32_t> places;
    for (const std::string& name : group.texts("service_names")) {
        const auto found = std::lower_bound(run.services.begin(), run.services.end(), name);
        if (found == run.services.end() || *found != name) {
            group.fail("service_names",
                       "expected a name of /services, found \"" + shortened(name, 80) + "\"");
        }
        places.push_back(static_cast<std::uint32_t>(found - run.services.begin()));
    }
    return places;
}

void read_requests(const Reader& root, StoredRun& run) {
    if (!root.has("requests")) return;
    const Reader group = root.open("requests");
    const std::vector<std::uint32_t> places = service_places(group, run);
    const std::vector<std::int64_t> services = group.integers("service");
    const std::size_t count = services.size();
    const auto numbers = [&](const char* name) {
        return group.same_length(name, count, group.numbers(name));
    };
    const std::vector<double> arrivals = numbers("arrival_s");
    const std::vector<double> scheduled = numbers("first_scheduled_s");
    const std::vector<double> ends = numbers("finish_s");
    const auto moment = [&](const char* name, double seconds) {
        return std::isnan(seconds) ? Time::max() : group.moment(name, seconds);
    };
    run.requests.emplace();
    run.requests->reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        if (services[i] < 0 || static_cast<std::uint64_t>(services[i]) >= places.size()) {
            group.fail("service",
                       fmt::format("expected a place in service_names, found {}", services[i]));
        }
        run.requests->push_back(
            {places[static_cast<std::size_t>(services[i])], group.moment("arrival_s", arrivals[i]),
             moment("first_scheduled_s", scheduled[i]), moment("finish_s", ends[i])});
    }
}

}  // namespace

StoredRun read_results(const fs::path& folder) {
    const Hdf5File file = open_results(folder);
    const std::string name = (folder / kResultsFile).string();
    const Reader root(file.root(), name, "/");
    check_version(root, name);
    const auto integer = [](const Hdf5Group& g, const std::string& n) {
        return g.integer_attribute(n);
    };
    const auto number = [](const Hdf5Group& g, const std::string& n) {
        return g.number_attribute(n);
    };
    StoredRun run;
    run.scenario = root.text_attribute("scenario");
    run.digest = root.text_attribute("digest");
    run.seed = root.attribute("seed", integer);
    run.end = root.moment("simulated_s", root.attribute("simulated_s", number));
    read_services(root, run);
    read_decisions(root, run);
    read_requests(root, run);
    return run;
}

}  // namespace headroom::analysis
