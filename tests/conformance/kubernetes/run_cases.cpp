// kubernetes_conformance FOLDER: holds the policies and controllers against the conformance cases
// in the files FOLDER/*.json, a line for each file. Exit codes: 0 all covered cases pass; 1 one
// fails; 2 bad usage or bad files.
#include <iostream>

#include "tests/conformance/kubernetes/vector_runner.hpp"

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: kubernetes_conformance FOLDER (of files *.json)\n";
        return 2;
    }
    return headroom::conformance::run_vectors(argv[1], std::cout, std::cerr);
}
