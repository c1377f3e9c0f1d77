#include "traces/generators/generated_source.hpp"

#include "tests/unit/traces/sources_for_tests.hpp"

namespace headroom::traces {
namespace {

std::unique_ptr<serving::RequestSource> open_loop(const Settings& settings, const std::string& name,
                                                  std::optional<Time> end = std::nullopt) {
    const SourceKind& kind = *find_source_kind("open-loop");
    const PolicyChoice poisson = arrivals("poisson", rate(10));
    std::string error;
    auto source = make_source(kind, with(kind.specs, settings), &poisson, {name, 42, end}, error);
    CAPTURE(error);
    REQUIRE(source != nullptr);
    return source;
}

TEST_CASE("GeneratedSource: the first requests are as recorded") {
    const auto source = open_loop({}, "chat");
    std::vector<std::vector<std::int64_t>> got;
    for (int i = 0; i < 4; ++i) {
        const serving::Arrival a = source->take();
        got.push_back({a.time.ps(), a.prompt.count(), a.output.count()});
    }
    CHECK(got == std::vector<std::vector<std::int64_t>>{{77909119761, 2486, 438},
                                                        {176703114560, 590, 88},
                                                        {187330293373, 377, 398},
                                                        {236142851694, 1282, 56}});
}

TEST_CASE("GeneratedSource: ends before its end and after its limit") {
    const auto timed = open_loop({}, "chat", Time::from_seconds(10));
    int count = 0;
    Time last;
    while (timed->peek()) {
        last = timed->take().time;
        ++count;
    }
    CHECK(last < Time::from_seconds(10));
    CHECK(count > 70);
    CHECK(count < 130);
    // An end exactly at an arrival leaves it out.
    const auto cut = open_loop({}, "chat", last);
    for (int i = 0; i + 1 < count; ++i) (void)cut->take();
    CHECK_FALSE(cut->peek().has_value());

    const auto limited = open_loop({{"limit", {std::int64_t{3}}}}, "chat");
    for (int i = 0; i < 3; ++i) (void)limited->take();
    CHECK_FALSE(limited->peek().has_value());
}

TEST_CASE("GeneratedSource: lengths do not move arrivals, names change all draws") {
    Parameters fixed = Parameters::defaults(LengthModel::specs());
    fixed.set("mean", {7.0});
    const auto a = open_loop({}, "a");
    const auto b = open_loop({{"prompt", nested(fixed)}}, "a");
    const auto c = open_loop({}, "c");
    for (int i = 0; i < 100; ++i) {
        const serving::Arrival x = a->take(), y = b->take(), z = c->take();
        CHECK(x.time == y.time);
        CHECK(x.output == y.output);
        CHECK(y.prompt == Tokens{7});
        CHECK(x.time != z.time);
    }
}

TEST_CASE("GeneratedSource: every request carries the attributes of its source") {
    const auto source = open_loop({{"priority", {std::int64_t{-2}}},
                                   {"tenant", {std::int64_t{9}}},
                                   {"adapter", {std::int64_t{3}}}},
                                  "chat");
    CHECK(source->take().attributes == serving::RequestAttributes{-2, 9, 0, 3});
}

TEST_CASE("GeneratedSource: every registered process drives a source") {
    const SourceKind& kind = *find_source_kind("open-loop");
    CHECK(Registry<ArrivalProcess>::instance().entries().size() >= 7);
    for (const auto& [name, entry] : Registry<ArrivalProcess>::instance().entries()) {
        CAPTURE(name);
        const PolicyChoice choice =
            arrivals(name, name == "steps" ? Settings{{"steps", rate_list({{0, 5}})}} : rate(5));
        std::string error;
        const auto source = make_source(kind, Parameters::defaults(kind.specs), &choice,
                                        {.name = "s", .seed = 3}, error);
        REQUIRE(source != nullptr);
        Time last;
        for (int i = 0; i < 1000; ++i) {
            REQUIRE(source->peek().has_value());
            const Time next = *source->peek();
            const serving::Arrival arrival = source->take();
            REQUIRE(arrival.time == next);
            REQUIRE(arrival.time >= last);
            REQUIRE(arrival.prompt >= Tokens{1});
            REQUIRE(arrival.output >= Tokens{1});
            last = arrival.time;
        }
    }
}

TEST_CASE("SourceFactory: kinds are sorted and every default passes") {
    std::string before;
    for (const SourceKind& kind : source_kinds()) {
        CHECK(before < kind.name);
        before = kind.name;
        CHECK_FALSE(kind.help.empty());
        CHECK(find_source_kind(kind.name) == &kind);
    }
    CHECK(find_source_kind("open_loop") == nullptr);
    std::string error;
    const SourceKind& trace = *find_source_kind("trace");
    CHECK(make_source(trace, with(trace.specs, {{"path", {std::string("no-such.csv")}}}), nullptr,
                      {.name = "t"}, error) == nullptr);
    CHECK(error == "no-such.csv: cannot open: No such file or directory");
    const SourceKind& sessions = *find_source_kind("sessions");
    const PolicyChoice poisson = arrivals("poisson", rate(1));
    CHECK(make_source(sessions,
                      with(sessions.specs,
                           {{"turns", {std::string("fixed")}},
                            {"mean_turns", {2.5}},
                            {"new_tokens", nested(Parameters::defaults(LengthModel::specs()))}}),
                      &poisson, {.name = "t"}, error) == nullptr);
    CHECK(error.find("mean_turns is not whole") == 0);
}

}  // namespace
}  // namespace headroom::traces
