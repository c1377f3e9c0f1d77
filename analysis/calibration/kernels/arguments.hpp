/// The benchmark's command line.
///
///     const Arguments given = parse_arguments({"--quick", "--out", "h100.json"});
///
/// Options are written "--out FILE" or "--out=FILE". UsageError: says every mistake, one a line,
/// and what was expected: exit 2. Names of ops are checked by the caller, who knows them.
/// A word of --only is the name of an op, or name:kernel, name:dtype or name:dtype:kernel where an
/// op has several:
///
///     selects("gemm:fp8", "gemm", "fp8", "cublaslt")          // so does "gemm"
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace headroom::kernels {

class UsageError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct Arguments {
    bool help = false;
    bool list = false;
    bool quick = false;
    bool check_only = false;
    int device = 0;
    std::vector<std::string> only;  ///< words for selects(); empty: all
    std::string out;
};

[[nodiscard]] Arguments parse_arguments(const std::vector<std::string>& words);
[[nodiscard]] std::string help_text();

/// Whether a word of --only means the op of this name, dtype and kernel.
[[nodiscard]] bool selects(const std::string& word, const std::string& name,
                           const std::string& dtype, const std::string& kernel);

}  // namespace headroom::kernels
