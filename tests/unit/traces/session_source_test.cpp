#include "traces/generators/session_source.hpp"

#include <map>

#include "tests/unit/core/time_at.hpp"
#include "tests/unit/traces/sources_for_tests.hpp"

namespace headroom::traces {
namespace {

using tests::at;

SessionConfig talks_at(double sessions_per_second) {
    return {.name = "talk",
            .seed = 4,
            .arrivals = process("constant", rate(sessions_per_second)),
            .geometric_turns = false,
            .mean_turns = 3,
            .think = Distribution::fixed(5),
            .new_tokens = LengthModel(Distribution::fixed(10)),
            .output = LengthModel(Distribution::fixed(100)),
            .system_prompt = 1000};
}

TEST_CASE("SessionSource: a prompt is all that was said before and what the user adds") {
    SessionConfig c = talks_at(0.01);
    c.limit = 1;
    SessionSource source(std::move(c));
    for (int turn = 0; turn < 3; ++turn) {
        const serving::Arrival a = source.take();
        CHECK(a.time == at(turn * 7));
        CHECK(a.prompt == Tokens{1010 + 110 * turn});
        CHECK(a.output == Tokens{100});
        CHECK(a.attributes.session == 1);
        CHECK_FALSE(source.peek().has_value());
        source.completed({a.time + Duration::seconds(2), a.user});
    }
    CHECK_FALSE(source.peek().has_value());
    CHECK(source.active_sessions() == 0);
}

TEST_CASE("SessionSource: a turn of an older session comes before a new session of the same time") {
    SessionSource source(talks_at(0.1));  // at 0, 10, 20, ...
    const serving::Arrival first = source.take();
    source.completed({at(5), first.user});
    CHECK(source.peek() == at(10));
    CHECK(source.take().attributes.session == 1);
    CHECK(source.take().attributes.session == 2);
}

TEST_CASE("SessionSource: a session ends with a failure and before it outgrows the context") {
    SessionSource failing(talks_at(0.001));
    const serving::Arrival a = failing.take();
    failing.completed({at(1), a.user, serving::Outcome::timed_out});
    CHECK(failing.peek() == at(1000));
    CHECK(failing.active_sessions() == 0);

    SessionConfig c = talks_at(0.001);
    c.max_context = 1219;  // the second turn needs 1120 + 100
    SessionSource full(std::move(c));
    full.completed({at(1), full.take().user});
    CHECK(full.peek() == at(1000));

    SessionConfig tight = talks_at(0.001);
    tight.max_context = 50;  // even the first turn does not fit: it is cut
    SessionSource cut(std::move(tight));
    const serving::Arrival b = cut.take();
    CHECK(b.prompt == Tokens{49});
    CHECK(b.output == Tokens{1});
}

TEST_CASE("SessionSource: geometric turns have their mean, and slots are used again") {
    SessionConfig c = talks_at(100);
    c.geometric_turns = true;
    c.mean_turns = 4;
    c.think = Distribution::exponential(0.001);
    c.limit = 20'000;
    SessionSource source(std::move(c));
    std::map<std::uint32_t, std::int64_t> last_prompt;
    std::int64_t turns = 0;
    Time now;
    std::uint32_t most = 0;
    while (source.peek()) {
        const serving::Arrival a = source.take();
        CHECK_FALSE(a.time < now);
        now = a.time;
        ++turns;
        std::int64_t& last = last_prompt[a.attributes.session];
        CHECK_FALSE(a.prompt.count() != (last == 0 ? 1010 : last + 110));
        last = a.prompt.count();
        most = std::max(most, a.user);
        source.completed({a.time, a.user});
    }
    CHECK(last_prompt.size() == 20'000);
    // Standard deviation of the mean: sqrt(12 / 20000) = 0.024.
    CHECK(static_cast<double>(turns) / 20'000 == Approx(4).margin(0.1));
    CHECK(most < 20);
}

}  // namespace
}  // namespace headroom::traces
