/// ResultFolder: a folder that appears whole or not at all. Files are written into a sibling,
/// "<folder>.partial-<pid>"; commit() puts it into its place in one step, where the file system can
/// swap two names (renameat2), and else by moving the old one away first. An object that goes away
/// without commit() takes the sibling along.
///
///     if (auto problem = ResultFolder::problem("out/a")) ...       // exit 2, before the run
///     ResultFolder folder("out/a");
///     write(folder.path() / "summary.json");
///     folder.commit();
///
/// Only a folder that holds an earlier result (a run.json) or nothing is replaced; files in it that
/// are not results move over to the new one. A symbolic link to a folder stays one. Errors throw
/// WriteError.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace headroom::analysis {

class ResultFolder {
  public:
    /// Why results cannot be put there, found by trying.
    [[nodiscard]] static std::optional<std::string> problem(const std::filesystem::path& folder);

    explicit ResultFolder(const std::filesystem::path& folder);
    ~ResultFolder();
    ResultFolder(const ResultFolder&) = delete;
    ResultFolder& operator=(const ResultFolder&) = delete;

    /// Where files are written until commit().
    [[nodiscard]] const std::filesystem::path& path() const { return partial_; }
    void commit();

  private:
    void discard() noexcept;

    std::filesystem::path target_;
    std::filesystem::path partial_;
    std::vector<std::filesystem::path> made_;  ///< parents that were not there, outermost first
};

/// The names of the files that a result may consist of.
inline constexpr const char* kSummaryFile = "summary.json";
inline constexpr const char* kRunFile = "run.json";
inline constexpr const char* kResultsFile = "results.h5";
inline constexpr const char* kRequestsFile = "requests.csv";
inline constexpr const char* kDecisionsFile = "decisions.jsonl";
inline constexpr const char* kReplicationsFile = "replications.json";

}  // namespace headroom::analysis
