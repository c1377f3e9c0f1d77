#include "sim/serving/kv_fabric.hpp"

#include "tests/catch.hpp"
#include "tests/unit/core/time_at.hpp"

namespace headroom::serving {
namespace {

using tests::at;

KvTransferSpec kv_links(std::int64_t nic, std::int64_t fabric) {
    KvTransferSpec spec;
    spec.nic_bytes_per_s = nic;
    spec.fabric_bytes_per_s = fabric;
    return spec;
}

HandoverId handover_of(std::uint32_t index) {
    return {index, 0};
}

TEST_CASE("KvFabric: a transfer takes its size over a NIC, and says whose it was") {
    KvFabric fabric(kv_links(1'000, 0));
    CHECK(fabric.next_finish() == Time::max());
    const network::FlowId transfer = fabric.start(at(1), handover_of(7), 0, 1, Bytes{5'000});
    REQUIRE(fabric.next_finish() == at(6));
    CHECK(fabric.unsent(transfer, at(4)) == Bytes{2'000});
    CHECK(fabric.finish_due(at(6)) == std::vector{handover_of(7)});
    CHECK(fabric.next_finish() == Time::max());
    CHECK(fabric.finish_due(at(6)).empty());
}

TEST_CASE("KvFabric: transfers share a NIC in one direction, and none with others") {
    KvFabric fabric(kv_links(1'000, 0));
    (void)fabric.start(at(0), handover_of(0), 0, 1, Bytes{2'000});
    (void)fabric.start(at(0), handover_of(1), 0, 2, Bytes{2'000});  // out of the same
    (void)fabric.start(at(0), handover_of(2), 1, 0, Bytes{3'000});  // the other way
    REQUIRE(fabric.next_finish() == at(3));
    CHECK(fabric.finish_due(at(3)) == std::vector{handover_of(2)});
    REQUIRE(fabric.next_finish() == at(4));
    CHECK(fabric.finish_due(at(4)) == std::vector{handover_of(0), handover_of(1)});
    (void)fabric.start(at(4), handover_of(3), 0, 2, Bytes{1'000});
    (void)fabric.start(at(4), handover_of(4), 1, 2, Bytes{1'000});  // into the same
    CHECK(fabric.next_finish() == at(6));
}

TEST_CASE("KvFabric: all share the fabric where it has a limit, and what is cancelled makes room") {
    KvFabric fabric(kv_links(1'000, 1'000));
    const network::FlowId cut = fabric.start(at(0), handover_of(0), 0, 1, Bytes{2'000});
    (void)fabric.start(at(0), handover_of(1), 2, 3, Bytes{2'000});
    REQUIRE(fabric.next_finish() == at(4));
    CHECK(fabric.cancel(at(2), cut) == Bytes{1'000});
    REQUIRE(fabric.next_finish() == at(3));
    CHECK(fabric.finish_due(at(3)) == std::vector{handover_of(1)});
}

}  // namespace
}  // namespace headroom::serving
