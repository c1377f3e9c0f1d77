#include "sim/cluster/device.hpp"

#include "tests/catch.hpp"

namespace headroom::cluster {
namespace {

Device make(SharingMode sharing, std::string model = "H100-SXM5-80GB",
            Bytes memory = gibibytes(80)) {
    return Device{std::make_shared<const DeviceSpec>(
        DeviceSpec{.model = std::move(model), .memory = memory, .sharing = sharing})};
}

DeviceRequest slice(std::string profile) {
    return {.count = 1, .slice_profile = std::move(profile)};
}

TEST_CASE("Device: an exclusive device goes to one pod, whole") {
    Device gpu = make(SharingMode::exclusive);
    const DeviceRequest whole{.count = 1};
    CHECK_FALSE(gpu.can_fit({.count = 1, .milli_each = MilliGpu{500}}));
    const DeviceGrant grant = gpu.allocate(whole);
    CHECK(grant.milli == kWholeDevice);
    CHECK(grant.memory == gibibytes(80));
    CHECK(gpu.free_milli() == MilliGpu{0});
    CHECK_FALSE(gpu.can_fit(whole));
    gpu.release(grant);
    CHECK(gpu.idle());
    CHECK(gpu.can_fit(whole));
}

TEST_CASE("Device: shares add up to a thousand and take their part of the memory") {
    const Device fresh = make(SharingMode::shared);
    Device gpu = fresh;
    const DeviceGrant a = gpu.allocate({.count = 1, .milli_each = MilliGpu{600}});
    CHECK(a.memory == gibibytes(48));
    CHECK(gpu.free_milli() == MilliGpu{400});
    CHECK_FALSE(gpu.can_fit({.count = 1, .milli_each = MilliGpu{401}}));
    const DeviceGrant b = gpu.allocate({.count = 1, .milli_each = MilliGpu{400}});
    CHECK(gpu.used_memory() == gibibytes(80));
    gpu.release(a);
    gpu.release(b);
    CHECK(gpu == fresh);
}

TEST_CASE("Device: slices go to the first placement that fits, in table order") {
    const Device fresh = make(SharingMode::sliced);
    Device gpu = fresh;
    const DeviceGrant three = gpu.allocate(slice("3g.40gb"));
    CHECK(three.start == 0);
    CHECK(gpu.used_slices() == 0x0fU);
    CHECK_FALSE(gpu.can_fit(slice("4g.40gb")));  // 4g starts at 0 only: the early 3g strands it
    const DeviceGrant two = gpu.allocate(slice("2g"));
    CHECK(two.start == 4);
    const DeviceGrant one = gpu.allocate(slice("1g.10gb"));
    CHECK(one.start == 6);
    CHECK_FALSE(gpu.can_fit(slice("1g")));  // slice 7 is no start of 1g
    CHECK(gpu.free_compute_slices() == 1);
    CHECK(gpu.free_milli() == MilliGpu{142});
    gpu.release(three);
    CHECK(gpu.can_fit(slice("4g")));
    gpu.release(two);
    gpu.release(one);
    CHECK(gpu == fresh);
}

TEST_CASE("Device: a named start leaves room that the first placement would strand") {
    Device gpu = make(SharingMode::sliced);
    CHECK_FALSE(gpu.can_fit(slice("3g"), 1));
    const DeviceGrant three = gpu.allocate(slice("3g"), 4);
    CHECK(three.start == 4);
    CHECK(three.memory == mebibytes(40192));
    CHECK(gpu.can_fit(slice("4g")));
}

TEST_CASE("Device: compute slices and the count of a profile are limits of their own") {
    Device gpu = make(SharingMode::sliced);
    gpu.allocate(slice("1g+me"));
    CHECK_FALSE(gpu.can_fit(slice("1g+me")));
    gpu = make(SharingMode::sliced);
    gpu.allocate(slice("4g"));
    gpu.allocate(slice("3g"));
    CHECK(gpu.free_compute_slices() == 0);
    CHECK_FALSE(gpu.can_fit(slice("1g")));
    gpu = make(SharingMode::sliced);
    for (int i = 0; i < 7; ++i) gpu.allocate(slice("1g"));
    CHECK(gpu.free_milli() == MilliGpu{0});
    CHECK(gpu.used_slices() == 0x7fU);
}

TEST_CASE("Device: what a mode does not know never fits") {
    CHECK_FALSE(make(SharingMode::sliced).can_fit({.count = 1}));
    CHECK_FALSE(make(SharingMode::sliced).can_fit(slice("9g")));
    CHECK_FALSE(make(SharingMode::shared).can_fit(slice("1g")));
    CHECK_FALSE(make(SharingMode::exclusive).can_fit(slice("7g")));
}

TEST_CASE("Device: the units of an empty device are what it then takes") {
    for (const char* kind : {"1g", "1g+me", "1g2m", "2g", "3g", "4g", "7g", "9g"}) {
        INFO(kind);
        Device gpu = make(SharingMode::sliced);
        const std::int32_t units = gpu.units_when_empty(slice(kind));
        std::int32_t taken = 0;
        for (; gpu.can_fit(slice(kind)); ++taken) gpu.allocate(slice(kind));
        CHECK(taken == units);
    }
    CHECK(make(SharingMode::exclusive).units_when_empty({.count = 2}) == 1);
    CHECK(make(SharingMode::exclusive).units_when_empty({.milli_each = MilliGpu{1}}) == 0);
    CHECK(make(SharingMode::shared).units_when_empty({.milli_each = MilliGpu{1}}) == 1);
}

TEST_CASE("SliceTable: profiles of one kind have the model's own names") {
    const auto name_of = [](const char* model, Bytes memory, const char* kind) {
        const auto table = builtin_slice_table(model, memory);
        return table->profiles[static_cast<std::size_t>(table->find(kind))].name;
    };
    CHECK(name_of("A100-SXM4-40GB", gibibytes(40), "3g") == "3g.20gb");
    CHECK(name_of("NVIDIA-A100-SXM4-80GB", gibibytes(80), "1g2m") == "1g.20gb");
    CHECK(name_of("h100", gibibytes(80), "7g") == "7g.80gb");
    CHECK(name_of("H200", gibibytes(141), "1g") == "1g.18gb");
    CHECK(name_of("b200", gibibytes(180), "4g") == "4g.90gb");
    CHECK(builtin_slice_table("L4", gibibytes(24)) == nullptr);
    CHECK(builtin_slice_table("GB200", gibibytes(186)) == nullptr);
    CHECK(builtin_slice_table("H100-NVL", gibibytes(94)) == nullptr);
    const auto pcie = builtin_slice_table("H100 PCIe", gibibytes(80));
    CHECK(pcie->profiles[0].multiprocessors == 14);
    CHECK(builtin_slice_table("H100 SXM", gibibytes(80))->profiles[0].multiprocessors == 16);
}

TEST_CASE("SliceTable: a memory that is not published is the share of the device's") {
    Device gpu = make(SharingMode::sliced, "B200", gibibytes(180));
    CHECK(gpu.allocate(slice("3g")).memory == gibibytes(90));
}

}  // namespace
}  // namespace headroom::cluster
