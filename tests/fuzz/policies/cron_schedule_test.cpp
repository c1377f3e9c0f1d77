#include "policies/scaling/cron/cron_schedule.hpp"

#include "tests/catch.hpp"
#include "tests/fuzz/fuzz_case.hpp"
#include "tests/fuzz/mutation.hpp"
#include "tests/scale.hpp"

namespace headroom::policies {

namespace {

/// Both queries agree with each other around a few moments.
bool check_cron_expression(const std::string& text) {
    std::string error;
    const std::optional<CronSchedule> cron = CronSchedule::parse(text, error);
    if (!cron) {
        REQUIRE(tests::fault_of({{{"a.json", 1, 1}, "/at", error}}, true) == "");
        return false;
    }
    constexpr std::int64_t kYear = 31'556'952;
    constexpr std::int64_t kLatest = 1'000'000'000'000'000;  // behind it there is no calendar
    for (const std::int64_t now : {std::int64_t{0}, std::int64_t{1'767'571'199}, -50 * kYear,
                                   kLatest, INT64_MAX, INT64_MIN}) {
        const std::int64_t next = cron->next_after(now);
        if (next != -1) {
            REQUIRE(next > now);
            REQUIRE(next % 60 == 0);
            REQUIRE(next - now < 9 * kYear);
            if (next <= kLatest) REQUIRE(cron->last_at_or_before(next) == next);
        }
        const std::int64_t last = cron->last_at_or_before(now);
        if (last == -1) continue;
        REQUIRE(last <= now);
        REQUIRE(now - last < 9 * kYear);
        REQUIRE(cron->next_after(last - 1) == last);
    }
    return true;
}

}  // namespace

TEST_CASE("CronSchedule fuzz: an expression is refused with a reason, or names times both ways") {
    const tests::Corpus corpus = {
        "0 8 * * mon-fri",   "*/15 * * * *",   "10-40/10 5/6 1,15 jan-jun *",
        "0 0 29 2 *",        "@weekly",        "? ? ? ? fri-sun",
        "59 23 31 12 SUN,7", "0 0 31 */2 1-5", "@annually"};
    for (const std::string& text : corpus) {
        std::string error;
        CHECK(CronSchedule::parse(text, error).has_value());
        check_cron_expression(text);
    }
    CHECK(tests::fuzz(
              "cron", tests::scaled(10'000),
              [&](tests::Draws& draws) { return tests::mutate_bytes(corpus, draws); },
              check_cron_expression)
              .both());
}

}  // namespace headroom::policies
