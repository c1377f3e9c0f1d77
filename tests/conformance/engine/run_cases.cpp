// engine_conformance FOLDER: holds the engine against the reference cases in FOLDER, which is one
// case or holds cases, and prints a line for each. Exit codes: 0 all are equal; 1 one differs or
// needs what the engine does not have; 2 bad usage or bad files.
#include <iostream>

#include "tests/conformance/engine/reference_case.hpp"

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: engine_conformance FOLDER (a case, or a folder of cases)\n";
        return 2;
    }
    return headroom::tests::run_cases(argv[1], std::cout, std::cerr);
}
