// The same in C++.
#include <nnn.hpp>

#include <cstdio>
#include <vector>

int main() {
    const std::vector<float> rows{1, 0, 0, 1, 0.6f, 0.8f}, captions{0.6f, 0.8f, 0.8f, 0.6f}, query{0.8f, 0.6f};
    const nnn::matrix_f32 gallery(rows, 2), bank(captions, 2), queries(query, 2);
    std::vector<std::uint8_t> scratch(nnn::neighbors_scratch(1, 2));
    std::vector<float> bias(3);
    std::vector<nnn::hit> hits(1);
    std::vector<std::uint32_t> found(1);
    nnn::check(nnn::bias(gallery, bank, 1, 0.75f, nnn::all, scratch, bias));
    nnn::check(nnn::search(queries, gallery, bias, std::nullopt, 1, nnn::all, {}, hits, found));
    std::printf("row %u\n", hits[0].id);
}
