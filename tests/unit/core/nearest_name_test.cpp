#include "sim/core/nearest_name.hpp"

#include "tests/catch.hpp"

namespace headroom {

TEST_CASE("nearest_name: the distance counts edits and swapped neighbours") {
    CHECK(edit_distance("", "") == 0);
    CHECK(edit_distance("abc", "") == 3);
    CHECK(edit_distance("kitten", "sitting") == 3);
    CHECK(edit_distance("replicas", "relpicas") == 1);
    CHECK(edit_distance("H100-SXM", "h100-sxm") == 0);
    CHECK(edit_distance("ca", "abc") == 3);  // optimal string alignment edits no place twice
}

TEST_CASE("nearest_name: offers the name that was probably meant") {
    const std::vector<std::string> names = {"llama-3.1-8b", "llama-3.1-70b", "qwen3-8b"};
    CHECK(nearest_name("llama-31-8b", names) == "llama-3.1-8b");
    CHECK(nearest_name("llama-3.1-07b", names) == "llama-3.1-70b");
    CHECK(nearest_name("Qwen3-8B", names) == "qwen3-8b");
}

TEST_CASE("nearest_name: offers nothing when no name is near") {
    const std::vector<std::string> names = {"replicas", "routing"};
    CHECK(nearest_name("temperature", names).empty());
    CHECK(nearest_name("x", {"y"}).empty());
    CHECK(nearest_name("", names).empty());
    CHECK(nearest_name("replicas", {}).empty());
}

TEST_CASE("nearest_name: else a name that the given one is the beginning of") {
    const std::vector<std::string> names = {"m5.xlarge", "p5.48xlarge", "p5.4xlarge"};
    CHECK(nearest_name("p5.4xl", names) == "p5.4xlarge");  // near before beginning
    CHECK(nearest_name("P5", names) == "p5.48xlarge");
    CHECK(nearest_name("p", names).empty());
    CHECK(nearest_name("large", names).empty());
}

TEST_CASE("nearest_name: a tie goes to the first of the list") {
    CHECK(nearest_name("cat", {"car", "bat"}) == "car");
    CHECK(nearest_name("cat", {"bat", "car"}) == "bat");
}

}  // namespace headroom
