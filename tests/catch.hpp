/// Catch2 under one name, whether the system has v2 or v3.
#pragma once
#ifdef HEADROOM_CATCH2_V2
#include <catch2/catch.hpp>
#else
#include <catch2/catch_all.hpp>
using Catch::Approx;
#endif
