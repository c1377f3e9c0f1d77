#include "analysis/experiments/check_files.hpp"

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "scenarios/located_json.hpp"
#include "scenarios/rule_test.hpp"

namespace headroom::analysis {

namespace {

namespace fs = std::filesystem;
using scenarios::LocatedJson;

std::string identity_of(const fs::path& path) {
    std::error_code error;
    const fs::path canonical = fs::weakly_canonical(path, error);
    return (error ? path.lexically_normal() : canonical).string();
}

bool has_one_of(const nlohmann::json& document, std::initializer_list<const char*> keys) {
    return std::any_of(keys.begin(), keys.end(),
                       [&](const char* key) { return document.contains(key); });
}

class Finder {
  public:
    explicit Finder(const std::optional<std::string>& baseline) {
        if (baseline) baseline_ = identity_of(*baseline);
    }

    void take_argument(const std::string& argument) {
        std::error_code error;
        const fs::file_status status = fs::status(argument, error);
        if (fs::is_directory(status)) {
            found_any_ = false;
            list_folder(argument);
            if (!found_any_) {
                refuse(argument, "expected a folder with scenarios or rule tests, found none");
            }
        } else if (fs::is_regular_file(status)) {
            take_file(argument, true);
        } else if (error && status.type() != fs::file_type::not_found) {
            refuse(argument, "expected a file or a folder that may be read: " + error.message());
        } else {
            refuse(argument, std::string("expected a file or a folder, found ") +
                                 (fs::exists(status) ? "something else" : "none of that name"));
        }
    }

    CheckFiles finish() {
        leave_out_bases();
        return std::move(out_);
    }

  private:
    /// What a file says of itself, as far as other files matter for what it is.
    struct Base {
        std::string extended_by;
        bool may_be = false;  ///< found in a folder, extends and expects nothing itself
    };

    void refuse(const std::string& path, std::string message) {
        found_any_ = true;
        out_.files.push_back(
            {path, CheckFile::Kind::unreadable, {{{path, 0, 0}, "", std::move(message)}}});
    }
    void leave_out(const fs::path& path, std::string reason) {
        out_.left_out.push_back({path.string(), std::move(reason)});
    }

    void list_folder(const fs::path& folder) {
        std::error_code error;
        std::vector<fs::path> entries;
        fs::directory_iterator it(folder, error);
        for (; !error && it != fs::directory_iterator(); it.increment(error)) {
            entries.push_back(it->path());
        }
        if (error) {
            refuse(folder.string(), "expected a folder that may be read: " + error.message());
            return;
        }
        std::sort(entries.begin(), entries.end());
        for (const fs::path& entry : entries) take_entry(entry);
    }

    void take_entry(const fs::path& entry) {
        std::error_code error;
        const fs::file_status status = fs::status(entry, error);
        if (fs::is_directory(status)) {
            const std::string reason = why_not_entered(entry);
            if (reason.empty()) {
                list_folder(entry);
            } else if (entry.filename().string().front() != '.') {
                leave_out(entry, reason);
            }
        } else if (entry.extension() == ".json" && entry.filename().string().front() != '.') {
            if (fs::is_regular_file(status)) {
                take_file(entry, false);
            } else {
                refuse(entry.string(),
                       "expected a file that may be read" + (error ? ": " + error.message() : ""));
            }
        }
    }

    [[nodiscard]] std::string why_not_entered(const fs::path& folder) const {
        std::error_code error;
        const std::string name = folder.filename().string();
        if (name.front() == '.') return "a hidden folder";
        if (name == "what-if") return "a folder of patches";
        if (name == "baselines" || identity_of(folder) == baseline_) return "a folder of baselines";
        if (fs::is_symlink(folder, error)) return "a link to a folder";
        if (fs::exists(folder / "run.json", error)) return "the results of a run";
        return "";
    }

    void take_file(const fs::path& path, bool named) {
        const auto [taken, is_new] = taken_.emplace(identity_of(path), false);
        found_any_ = found_any_ || taken->second;
        if (!is_new) return;
        taken->second = true;
        CheckFile file{path.string(), CheckFile::Kind::scenario, {}};
        const std::optional<LocatedJson> document =
            scenarios::read_json_file(file.path, file.diagnostics);
        if (!document) {
            file.kind = CheckFile::Kind::unreadable;
            found_any_ = true;
            out_.files.push_back(std::move(file));
            return;
        }
        const nlohmann::json& value = document->value();
        if (scenarios::is_rule_test(*document)) {
            file.kind = CheckFile::Kind::rule_test;
        } else if (value.is_object() &&
                   has_one_of(value, {"services", "sources", "extends", "expect"})) {
            note_base(path, value, named);
        } else if (!named) {
            leave_out(path, "neither a scenario (\"services\") nor a rule test (\"tests\")");
            taken->second = false;
            return;
        }
        found_any_ = true;
        out_.files.push_back(std::move(file));
    }

    void note_base(const fs::path& path, const nlohmann::json& value, bool named) {
        const auto extends = value.find("extends");
        if (extends != value.end() && extends->is_string()) {
            bases_[identity_of(path.parent_path() / extends->get<std::string>())].extended_by =
                path.string();
        }
        bases_[identity_of(path)].may_be =
            !named && extends == value.end() && !value.contains("expect");
    }

    void leave_out_bases() {
        std::vector<CheckFile> kept;
        for (CheckFile& file : out_.files) {
            const auto base = bases_.find(identity_of(file.path));
            if (base != bases_.end() && base->second.may_be && !base->second.extended_by.empty()) {
                leave_out(file.path,
                          "expects nothing, and " + base->second.extended_by + " extends it");
            } else {
                kept.push_back(std::move(file));
            }
        }
        out_.files = std::move(kept);
    }

    std::string baseline_;
    std::map<std::string, bool> taken_;  ///< files seen, and whether they are checks
    bool found_any_ = false;             ///< a check, in the folder that is being listed
    std::map<std::string, Base> bases_;
    CheckFiles out_;
};

}  // namespace

CheckFiles find_check_files(const std::vector<std::string>& arguments,
                            const std::optional<std::string>& baseline) {
    Finder finder(baseline);
    for (const std::string& argument : arguments) finder.take_argument(argument);
    return finder.finish();
}

}  // namespace headroom::analysis
