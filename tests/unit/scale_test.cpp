#include "tests/scale.hpp"

#include <cstdlib>
#include <string>

#include "tests/catch.hpp"

namespace headroom::tests {
namespace {

/// Sets HEADROOM_TEST_SCALE, and puts back what it was.
class Scale {
  public:
    explicit Scale(const char* value) {
        const char* old = std::getenv(kName);
        had_ = old != nullptr;
        if (had_) old_ = old;
        value == nullptr ? ::unsetenv(kName) : ::setenv(kName, value, 1);
    }
    ~Scale() { had_ ? ::setenv(kName, old_.c_str(), 1) : ::unsetenv(kName); }
    Scale(const Scale&) = delete;
    Scale& operator=(const Scale&) = delete;

  private:
    static constexpr const char* kName = "HEADROOM_TEST_SCALE";
    bool had_ = false;
    std::string old_;
};

std::int64_t scaled_by(const char* value, std::int64_t n, std::int64_t at_least) {
    const Scale scale(value);
    return scaled(n, at_least);
}

}  // namespace

TEST_CASE("Test scale: multiplies the number of cases, down to the least that still tells") {
    CHECK(scaled_by("0.1", 2000, 50) == 200);
    CHECK(scaled_by("100", 2000, 50) == 200'000);
    CHECK(scaled_by("0.001", 2000, 50) == 50);
    CHECK(scaled_by("0.001", 2000, 1) == 2);
}

TEST_CASE("Test scale: is 1 when it is not set or no positive number") {
    for (const char* value : {static_cast<const char*>(nullptr), "", "many", "-1", "0", "inf"}) {
        CHECK(scaled_by(value, 2000, 50) == 2000);
    }
}

}  // namespace headroom::tests
