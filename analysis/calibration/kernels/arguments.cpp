#include "analysis/calibration/kernels/arguments.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>

namespace headroom::kernels {

namespace {

constexpr int kMostDevices = 64;

/// The words one after the other, and the mistakes found so far.
class Reader {
  public:
    explicit Reader(const std::vector<std::string>& words) : words_(words) {}

    /// Goes to the next word; false at the end.
    bool next() {
        if (at_ == words_.size()) return false;
        const std::string& word = words_[at_++];
        const auto equals = word.find('=');
        has_value_ = word.starts_with("--") && equals != std::string::npos;
        name_ = has_value_ ? word.substr(0, equals) : word;
        value_ = has_value_ ? word.substr(equals + 1) : "";
        return true;
    }
    [[nodiscard]] const std::string& name() const { return name_; }

    bool flag() {
        if (has_value_) complain(name_ + " takes no value");
        return true;
    }
    /// What stands after "=", or the next word unless that is an option.
    std::string value(const std::string& what) {
        if (!has_value_ && at_ < words_.size() && !words_[at_].starts_with("--")) {
            value_ = words_[at_++];
        }
        if (value_.empty()) complain(name_ + " needs " + what);
        return value_;
    }

    void complain(const std::string& mistake) {
        mistakes_ += (mistakes_.empty() ? "" : "\n") + mistake;
    }
    [[nodiscard]] const std::string& mistakes() const { return mistakes_; }

  private:
    const std::vector<std::string>& words_;
    std::size_t at_ = 0;
    std::string name_;
    std::string value_;
    bool has_value_ = false;
    std::string mistakes_;
};

std::vector<std::string> split_at_commas(const std::string& text) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    while (begin <= text.size()) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        if (end > begin) parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

int device_number(const std::string& text, Reader& reader) {
    int number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end || number < 0 || number >= kMostDevices) {
        if (!text.empty()) {
            reader.complain("--device: expected the number of a GPU, 0 to " +
                            std::to_string(kMostDevices - 1) + ", not \"" + text + "\"");
        }
        return 0;
    }
    return number;
}

}  // namespace

Arguments parse_arguments(const std::vector<std::string>& words) {
    Arguments given;
    Reader reader(words);
    while (reader.next()) {
        const std::string& name = reader.name();
        if (name == "--help" || name == "-h") {
            given.help = reader.flag();
        } else if (name == "--list") {
            given.list = reader.flag();
        } else if (name == "--quick") {
            given.quick = reader.flag();
        } else if (name == "--check-only") {
            given.check_only = reader.flag();
        } else if (name == "--only") {
            for (std::string& op : split_at_commas(reader.value("names of ops"))) {
                given.only.push_back(std::move(op));
            }
        } else if (name == "--device") {
            given.device = device_number(reader.value("the number of a GPU"), reader);
        } else if (name == "--out") {
            given.out = reader.value("the name of a file");
        } else {
            reader.complain("unknown argument \"" + name +
                            "\"; expected --quick, --only, --check-only, --list, --device, --out "
                            "or --help");
        }
    }
    const bool writes = !given.help && !given.list && !given.check_only;
    if (writes && given.out.empty() && reader.mistakes().empty()) {
        reader.complain("--out FILE is missing: where the measurement goes");
    }
    if (!reader.mistakes().empty()) throw UsageError(reader.mistakes());
    return given;
}

std::string help_text() {
    return R"(usage: headroom_kernels [OPTION]... --out FILE

Checks every operator of an inference iteration against a float64 reference, times it on this
machine's GPU and writes a measurement (JSON), from which a profile is fitted.

  --out FILE        the measurement; replaced as it grows, so that a kill keeps what is there
  --quick           a thin sweep of about two minutes instead of about six
  --only OP,...     these ops alone (--list names them); OP:DTYPE or OP:KERNEL where an op has
                    several: gemm:bf16, prefill_attention:own
  --check-only      the checks alone; nothing is written
  --list            print every op and shape that would be timed; without a GPU those of cuDNN
                    are left out
  --device N        the GPU, counted from 0 [0]
  --help, -h        this text

exit: 0 good, 1 a check failed (nothing is written), 2 bad usage or the file cannot be written,
      3 the device failed, 77 there is no GPU that it can run on, 130 or 143 interrupted
)";
}

bool selects(const std::string& word, const std::string& name, const std::string& dtype,
             const std::string& kernel) {
    return word == name || word == name + ":" + dtype || word == name + ":" + kernel ||
           word == name + ":" + dtype + ":" + kernel;
}

}  // namespace headroom::kernels
