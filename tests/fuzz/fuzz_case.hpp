/// What all fuzzers share: the loop over numbered cases, what is in hand when one goes wrong, and
/// what a message to the user may look like.
///
///     fuzz("traces/plain", scaled(3000), [&](Draws& draws) {
///         return mutate_bytes(corpus, draws);
///     }, [&](const std::string& input) { return check_trace(file.write(input)); });
///
/// A case is named by family, seed and number, whatever HEADROOM_TEST_SCALE is; that and the input
/// are printed with a failed check, an abort, a crash, a report of a sanitizer and a case that
/// takes more than kMostSeconds of processor time. HEADROOM_FUZZ_SEED chooses other cases (1),
/// HEADROOM_FUZZ_CASE one of them alone. After each case the program's peak of memory must be below
/// kMostResidentBytes: inputs are small, so a reader that needs more believes what a file says of
/// sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/diagnostic.hpp"
#include "tests/draws.hpp"

namespace headroom::tests {

inline constexpr unsigned kMostSeconds = 60;
inline constexpr std::int64_t kMostResidentBytes = std::int64_t{2} << 30;

using MakeInput = std::function<std::string(Draws&)>;
/// Whether the reader accepted the input.
using CheckInput = std::function<bool(const std::string&)>;

struct FuzzCounts {
    std::int64_t accepted = 0;
    std::int64_t refused = 0;
    /// Whether there were some of either: otherwise half of the checks look at nothing. Says yes to
    /// few cases.
    [[nodiscard]] bool both() const;
};

FuzzCounts fuzz(const std::string& family, std::int64_t cases, const MakeInput& make,
                const CheckInput& check);

/// "abc\x1b..." in quotes: printable, and the middle of a long one left out.
[[nodiscard]] std::string shown(std::string_view input);

/// What is wrong with a message to the user, or nothing: it is empty, holds control characters or
/// is no UTF-8 (a terminal, JSON or XML would suffer), or goes on for longer than anyone reads.
[[nodiscard]] std::string fault_of_message(std::string_view text);
/// The same for all messages; also that there are some, that each names a file, and where
/// `with_line`, a line.
[[nodiscard]] std::string fault_of(const scenarios::Diagnostics& diagnostics, bool with_line);

/// One file in a folder of its own, written anew for each case.
class InputFile {
  public:
    explicit InputFile(const std::string& name);
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;
    ~InputFile();
    /// The path, with the input in the file.
    const std::string& write(std::string_view input) const;
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] const std::string& folder() const { return folder_; }

  private:
    std::string folder_;
    std::string path_;
};

/// What is in a file of the repository, by its path from the root.
[[nodiscard]] std::string repository_text(const std::string& path);
/// The same of all JSON files right in a folder, by name.
[[nodiscard]] std::vector<std::string> repository_jsons(const std::string& folder);

}  // namespace headroom::tests
