#include "tests/fuzz/fuzz_case.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

#include "tests/catch.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEADROOM_FUZZ_WITH_ASAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define HEADROOM_FUZZ_WITH_ASAN
#endif
#if defined(HEADROOM_FUZZ_WITH_ASAN)
extern "C" void __sanitizer_set_death_callback(void (*callback)(void));
#endif

namespace headroom::tests {

namespace {

/// The case in hand, for a report when the program is about to end.
std::array<char, 4096> case_in_hand{};

/// Only what a signal handler may do.
void print_case_in_hand() {
    const std::size_t size = std::string_view(case_in_hand.data()).size();
    const ssize_t ignored = ::write(STDERR_FILENO, case_in_hand.data(), size);
    (void)ignored;
}

/// A case that does not end: said and given up, by way of the test framework's own handler.
void on_alarm(int) {
    constexpr std::string_view kSays = "a case takes too long\n";
    const ssize_t ignored = ::write(STDERR_FILENO, kSays.data(), kSays.size());
    (void)ignored;
    print_case_in_hand();
    std::abort();
}

/// Of processor time: how busy the machine is proves nothing of a reader. 0: never.
void give_up_after(unsigned seconds) {
    itimerval limit{};
    limit.it_value.tv_sec = static_cast<time_t>(seconds);
    ::setitimer(ITIMER_PROF, &limit, nullptr);
}

/// Once a program: the alarm's handler, and a limit that keeps a reader which believes a size from
/// taking the machine's memory.
void guard_the_program() {
    static const bool guarded = [] {
        std::signal(SIGPROF, on_alarm);
#if defined(HEADROOM_FUZZ_WITH_ASAN)
        __sanitizer_set_death_callback(print_case_in_hand);
#else
        constexpr rlim_t kMostAddresses = rlim_t{8} << 30;
        rlimit limit{};
        ::getrlimit(RLIMIT_AS, &limit);
        limit.rlim_cur = std::min(limit.rlim_max, kMostAddresses);
        ::setrlimit(RLIMIT_AS, &limit);
#endif
        return true;
    }();
    (void)guarded;
}

std::int64_t peak_resident_bytes() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

std::int64_t number_of(const char* name, std::int64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoll(text, nullptr, 10);
}

/// Bytes of the character of UTF-8 at the front; 0: there is none.
std::size_t character_size(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0U) != 0x80U) return 0;
    }
    const unsigned second = byte(1);
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool surrogate = first == 0xed && second >= 0xa0;
    return overlong || surrogate || (first == 0xf4 && second >= 0x90) ? 0 : size;
}

bool is_control(std::string_view character) {
    const auto first = static_cast<unsigned char>(character[0]);
    if (character.size() == 1) return first < 0x20 || first == 0x7f;
    return first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
}

}  // namespace

bool FuzzCounts::both() const {
    const std::int64_t all = accepted + refused;
    return all < 200 || (accepted >= all / 100 && refused >= all / 100);
}

FuzzCounts fuzz(const std::string& family, std::int64_t cases, const MakeInput& make,
                const CheckInput& check) {
    FuzzCounts counts;
    guard_the_program();
    const auto seed = static_cast<std::uint64_t>(number_of("HEADROOM_FUZZ_SEED", 1));
    const std::int64_t only = number_of("HEADROOM_FUZZ_CASE", -1);
    const std::int64_t first = only < 0 ? 0 : only;
    const std::int64_t end = only < 0 ? cases : only + 1;
    for (std::int64_t number = first; number < end; ++number) {
        Draws draws{RandomStream(seed, fmt::format("fuzz/{}/{}", family, number)), 0};
        const std::string input = make(draws);
        const std::string in_hand = fmt::format("{}, seed {}, case {}, input of {} bytes: {}\n",
                                                family, seed, number, input.size(), shown(input));
        const std::size_t size = std::min(in_hand.size(), case_in_hand.size() - 1);
        *std::copy_n(in_hand.begin(), size, case_in_hand.begin()) = '\0';
        INFO(in_hand);
        give_up_after(kMostSeconds);
        ++(check(input) ? counts.accepted : counts.refused);
        give_up_after(0);
        REQUIRE(peak_resident_bytes() < kMostResidentBytes);
    }
    return counts;
}

std::string shown(std::string_view input) {
    constexpr std::size_t kEachEnd = 500;
    const auto escaped = [](std::string_view part) {
        std::string out;
        for (const char c : part) {
            const auto byte = static_cast<unsigned char>(c);
            if (c == '\n') {
                out += "\\n";
            } else if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') {
                out += fmt::format("\\x{:02x}", byte);
            } else {
                out += c;
            }
        }
        return out;
    };
    if (input.size() <= 2 * kEachEnd) return "\"" + escaped(input) + "\"";
    return "\"" + escaped(input.substr(0, kEachEnd)) + "\" ... \"" +
           escaped(input.substr(input.size() - kEachEnd)) + "\"";
}

std::string fault_of_message(std::string_view text) {
    constexpr std::size_t kMostBytes = 5000;
    if (text.empty()) return "an empty message";
    if (text.size() > kMostBytes) return fmt::format("a message of {} bytes", text.size());
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = character_size(text.substr(at));
        const std::string_view character = text.substr(at, size);
        if (size > 0 && !is_control(character)) {
            at += size;
            continue;
        }
        return fmt::format("{} at byte {} of the message {}",
                           size == 0 ? "no UTF-8" : "a control character", at, shown(text));
    }
    return {};
}

std::string fault_of(const scenarios::Diagnostics& diagnostics, bool with_line) {
    if (diagnostics.empty()) return "refused without a message";
    for (const scenarios::Diagnostic& diagnostic : diagnostics) {
        const std::string text = diagnostic.text();
        const std::string fault = fault_of_message(text);
        if (!fault.empty()) return fault;
        if (diagnostic.message.empty()) return "a message that says nothing: " + shown(text);
        if (diagnostic.where.file.empty()) return "a message of no file: " + shown(text);
        if (with_line && diagnostic.where.line < 1) return "a message of no line: " + shown(text);
    }
    return {};
}

InputFile::InputFile(const std::string& name) {
    static std::atomic<int> count{0};
    const std::filesystem::path folder = std::filesystem::temp_directory_path() /
                                         fmt::format("headroom-fuzz-{}-{}", ::getpid(), ++count);
    std::filesystem::create_directories(folder);
    folder_ = folder.string();
    path_ = (folder / name).string();
}

InputFile::~InputFile() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

const std::string& InputFile::write(std::string_view input) const {
    std::FILE* file = std::fopen(path_.c_str(), "wb");
    if (file == nullptr) throw std::runtime_error("cannot write " + path_);
    const bool whole = std::fwrite(input.data(), 1, input.size(), file) == input.size();
    if (std::fclose(file) != 0 || !whole) throw std::runtime_error("cannot write " + path_);
    return path_;
}

std::string repository_text(const std::string& path) {
    std::ifstream in(std::string(HEADROOM_SOURCE_DIR "/") + path, std::ios::binary);
    if (!in) throw std::runtime_error("cannot read " + path);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> repository_jsons(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry :
         std::filesystem::directory_iterator(std::string(HEADROOM_SOURCE_DIR "/") + folder)) {
        if (entry.path().extension() == ".json") names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    std::vector<std::string> texts;
    for (const std::string& name : names) texts.push_back(repository_text(folder + "/" + name));
    return texts;
}

}  // namespace headroom::tests
