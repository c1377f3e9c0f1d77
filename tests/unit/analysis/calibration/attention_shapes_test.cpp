#include "analysis/calibration/kernels/attention_shapes.hpp"

#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/catch.hpp"

namespace headroom::kernels::attention {
namespace {

std::set<std::string> names_of(const std::vector<DecodeProblem>& problems) {
    std::set<std::string> names;
    for (const DecodeProblem& problem : problems) {
        std::string name;
        for (const auto& [key, value] : to_shape(problem)) {
            name += key + '=' + std::to_string(value) + ' ';
        }
        names.insert(name);
    }
    return names;
}

bool has(const std::vector<DecodeProblem>& problems, int group, int kv_heads, int batch,
         int context) {
    for (const DecodeProblem& problem : problems) {
        if (problem.group() == group && problem.kv_heads == kv_heads && problem.batch == batch &&
            problem.context == context) {
            return true;
        }
    }
    return false;
}

}  // namespace

TEST_CASE(
    "AttentionShapes: the full decode sweep has about 500 points, each once, none too large") {
    const std::vector<DecodeProblem> problems = decode_sweep(Mode::full);
    CHECK(problems.size() > 440);
    CHECK(problems.size() < 540);
    CHECK(names_of(problems).size() == problems.size());
    for (const DecodeProblem& problem : problems) {
        CHECK(512.0 * problem.kv_heads * problem.batch * problem.context <= 8e9);
        CHECK(problem.query_heads % problem.kv_heads == 0);
    }
}

TEST_CASE("AttentionShapes: common head counts are swept whole, the others keep their corners") {
    const std::vector<DecodeProblem> problems = decode_sweep(Mode::full);
    for (const int context : {128, 512, 1024, 2048, 4096, 8192, 16384, 32768}) {
        for (const int batch : {1, 2, 4, 8, 16, 32}) {
            CHECK(has(problems, 4, 8, batch, context));
            CHECK(has(problems, 8, 1, batch, context));
        }
    }
    CHECK(has(problems, 1, 8, 1, 128));
    CHECK(has(problems, 1, 8, 1, 32768));
    CHECK(has(problems, 1, 8, 512, 128));
    CHECK(has(problems, 1, 8, 512, 2048));  // the longest that fits takes the place of 32768
    CHECK_FALSE(has(problems, 1, 8, 512, 4096));
    CHECK_FALSE(has(problems, 1, 8, 2, 128));
}

TEST_CASE("AttentionShapes: quick sweeps are parts of the full ones") {
    const std::set<std::string> full = names_of(decode_sweep(Mode::full));
    const std::vector<DecodeProblem> quick = decode_sweep(Mode::quick);
    CHECK(quick.size() >= 30);
    CHECK(quick.size() <= 45);
    for (const std::string& name : names_of(quick)) CHECK(full.count(name) == 1);

    std::set<std::tuple<int, int, int>> all;
    for (const PrefillProblem& problem : prefill_sweep(Mode::full)) {
        all.insert({problem.tokens, problem.query_heads, problem.kv_heads});
        CHECK((problem.tokens < 32768 || problem.query_heads <= 16));
    }
    CHECK(all.size() == prefill_sweep(Mode::full).size());
    CHECK(all.size() >= 45);
    CHECK(all.size() <= 60);
    CHECK(prefill_sweep(Mode::quick).size() == 10);
    for (const PrefillProblem& problem : prefill_sweep(Mode::quick)) {
        CHECK(all.count({problem.tokens, problem.query_heads, problem.kv_heads}) == 1);
    }
}

TEST_CASE(
    "AttentionShapes: a shape names its sizes in the order of the file format and comes back") {
    const DecodeProblem decode{.batch = 3, .context = 17, .query_heads = 8, .kv_heads = 2};
    const Shape shape = to_shape(decode);
    const std::vector<std::string> names = {"batch", "context", "query_heads", "kv_heads",
                                            "head_size"};
    REQUIRE(shape.size() == names.size());
    for (std::size_t at = 0; at < names.size(); ++at) CHECK(shape[at].first == names[at]);
    CHECK(to_shape(decode_problem(shape)) == shape);
    const Shape prefill = to_shape(PrefillProblem{.tokens = 9, .query_heads = 4, .kv_heads = 1});
    CHECK(prefill.front().first == "tokens");
    CHECK(to_shape(prefill_problem(prefill)) == prefill);
}

TEST_CASE("AttentionShapes: what is checked has odd sizes, every group and many heads") {
    bool partial_page = false;
    std::set<int> groups;
    for (const DecodeProblem& problem : decode_check_problems()) {
        partial_page = partial_page || problem.context % problem.page_tokens != 0;
        groups.insert(problem.group());
    }
    CHECK(partial_page);
    for (const int group : {1, 4, 8, 16}) CHECK(groups.count(group) == 1);
    bool fills = false;  // the larger tile of 128 queries on 132 or more multiprocessors
    for (const PrefillProblem& problem : prefill_check_problems()) {
        fills = fills || problem.query_heads * ((problem.tokens + 127) / 128) >= 148;
    }
    CHECK(fills);
}

}  // namespace headroom::kernels::attention
