// What the tokens of the turns of sessions are.

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "tests/unit/traces/sources_for_tests.hpp"
#include "traces/generators/session_source.hpp"

namespace headroom::traces {
namespace {

using Ids = std::vector<std::uint64_t>;

SessionConfig talk_with(std::int64_t system_prompt, std::uint64_t seed = 4,
                        const std::string& name = "talk") {
    return {.name = name,
            .seed = seed,
            .arrivals = process("constant", rate(1)),
            .geometric_turns = false,
            .mean_turns = 3,
            .think = Distribution::fixed(0.1),
            .new_tokens = LengthModel(Distribution::fixed(10)),
            .output = LengthModel(Distribution::fixed(25)),
            .system_prompt = system_prompt};
}

/// The turns of the first sessions, by session.
std::vector<std::vector<serving::Arrival>> sessions(SessionConfig c, std::size_t count) {
    c.limit = static_cast<std::int64_t>(count);
    SessionSource source(std::move(c));
    std::vector<std::vector<serving::Arrival>> turns(count);
    while (source.peek()) {
        const serving::Arrival a = source.take();
        turns[a.attributes.session - 1].push_back(a);
        source.completed({a.time, a.user});
    }
    return turns;
}

const Ids& ids(const serving::Arrival& arrival) {
    REQUIRE(arrival.contents != nullptr);
    return arrival.contents->ids;
}

/// Leading pieces in common.
std::size_t common(const serving::Arrival& a, const serving::Arrival& b) {
    std::size_t n = 0;
    while (n < ids(a).size() && n < ids(b).size() && ids(a)[n] == ids(b)[n]) ++n;
    return n;
}

TEST_CASE("SessionSource: a turn's prompt and output are a prefix of the next turn's prompt") {
    for (const auto& turns : sessions(talk_with(100), 5)) {
        REQUIRE(turns.size() == 3);
        for (std::size_t t = 0; t < turns.size(); ++t) {
            const std::int64_t length = 110 + 25 + 35 * static_cast<std::int64_t>(t);
            CHECK(turns[t].contents->tokens_per_id == 16);
            CHECK(turns[t].contents->covered_tokens() == length);
            CHECK(static_cast<std::int64_t>(ids(turns[t]).size()) == (length + 15) / 16);
            if (t > 0) CHECK(common(turns[t - 1], turns[t]) == ids(turns[t - 1]).size());
        }
    }
}

TEST_CASE("SessionSource: sessions share whole pieces of the system prompt, and nothing else") {
    // 100 tokens are six pieces and a quarter: the seventh holds words of the session.
    const auto all = sessions(talk_with(100), 50);
    std::set<std::uint64_t> own;
    std::size_t pieces = 0;
    for (const auto& turns : all) {
        CHECK(common(turns[0], all[0][0]) == (&turns == all.data() ? ids(turns[0]).size() : 6));
        own.insert(ids(turns[2]).begin() + 6, ids(turns[2]).end());
        pieces += ids(turns[2]).size() - 6;
    }
    CHECK(own.size() == pieces);
    CHECK(common(sessions(talk_with(96), 2)[0][0], sessions(talk_with(96), 2)[1][0]) == 6);
    CHECK(common(sessions(talk_with(15), 2)[0][0], sessions(talk_with(15), 2)[1][0]) == 0);
}

TEST_CASE("SessionSource: each session draws one of the system prompts") {
    SessionConfig c = talk_with(64);
    c.system_prompts = 4;
    std::map<std::uint64_t, int> drawn;
    for (const auto& turns : sessions(std::move(c), 400)) {
        ++drawn[ids(turns[0])[0]];
        CHECK(common(turns[0], turns[2]) == ids(turns[0]).size());
    }
    CHECK(drawn.size() == 4);
    // Expected 100 each, standard deviation 8.7.
    for (const auto& [id, times] : drawn) CHECK((times > 60 && times < 140));
}

TEST_CASE("SessionSource: contents are those of its name and seed, and shift no other draw") {
    const auto first = [](SessionConfig c) { return sessions(std::move(c), 1)[0][0]; };
    const serving::Arrival a = first(talk_with(64));
    CHECK(common(a, first(talk_with(64))) == ids(a).size());
    for (const serving::Arrival& other :
         {first(talk_with(64, 5)), first(talk_with(64, 4, "other"))}) {
        CHECK(common(a, other) == 0);
    }
    SessionConfig without = talk_with(64);
    without.prefix_contents = false;
    const serving::Arrival b = first(std::move(without));
    CHECK(b.contents == nullptr);
    CHECK(b.time == a.time);
    CHECK(b.prompt == a.prompt);
    // Golden: pieces of the system prompt, then the session's own.
    CHECK(ids(a)[0] == 0x93e83c44353568e5ULL);
    CHECK(ids(a)[4] == 0x500b25f6285e06f7ULL);
}

TEST_CASE("SessionSource: a first turn that is cut to the context has contents for what is left") {
    SessionConfig c = talk_with(1000);
    c.max_context = 50;
    const serving::Arrival a = sessions(std::move(c), 1)[0][0];
    CHECK(a.prompt == Tokens{49});
    CHECK(a.contents->covered_tokens() == 50);
    CHECK(ids(a).size() == 4);
    CHECK(common(a, sessions(talk_with(1000), 1)[0][0]) == 3);
}

}  // namespace
}  // namespace headroom::traces
