// DebiasedSpace gives hnswlib the scores of nnn_search, bit for bit, and follows set_bias.
#include "../../../examples/engines/nnn_hnswlib.hpp"
#include "faults.hpp"

#include <cmath>

namespace {

constexpr std::size_t k = 10;
data d;

// Share of the exact hits that a graph (or hnswlib's own exhaustive index) finds; how far its scores are off.
template <class Index>
double recall(const Index &index, const nnn_hnswlib::DebiasedSpace &space, float alpha, float tolerance) {
    std::vector<float> bias;
    for (const float b : d.bias) bias.push_back(alpha * b);
    const answers right = search(d.queries, d.gallery, bias, nullptr, k);
    std::size_t found = 0;
    for (std::size_t q = 0; q < d.asked; q++) {
        auto queue = index.searchKnn(space.query(&d.queries[q * dim], alpha).data(), k);
        for (; !queue.empty(); queue.pop())
            for (std::size_t i = q * k; i < (q + 1) * k; i++)
                if (right.hits[i].id == queue.top().second) {
                    found++;
                    const float score = space.score(queue.top().first, alpha);
                    expect(tolerance == 0 ? same_bits(score, right.hits[i].score) : std::abs(score - right.hits[i].score) <= tolerance, "a score");
                }
    }
    return static_cast<double>(found) / static_cast<double>(d.asked * k);
}

}  // namespace

int main() {
    for (const float centre : {0.0f, 0.4f}) {
        nnn_hnswlib::DebiasedSpace space(dim, centre);
        const float tolerance = centre == 0 ? 0 : 3e-7f;
        hnswlib::HierarchicalNSW<float> index(&space, d.rows, 16, 200);
        hnswlib::BruteforceSearch<float> all(&space, d.rows);
        for (std::size_t i = 0; i < d.rows; i++) {
            index.addPoint(space.row(&d.gallery[i * dim], d.bias[i]).data(), 5 * i);
            all.addPoint(space.row(&d.gallery[i * dim], d.bias[i]).data(), i);
        }
        expect(recall(all, space, 1, tolerance) >= 0.995, "all rows by libnnn's metric");  // equal scores: hnswlib may keep the other
        expect(recall(all, space, 0.5f, 3e-7f) >= 0.995, "another alpha for the same rows");

        index.setEf(300);
        const auto top = [&] {
            return index.searchKnnCloserFirst(space.query(d.queries.data()).data(), 1).at(0);
        };
        const auto before = top();
        nnn_hnswlib::set_bias(index, space, before.second, 100.0f);
        expect(top().second != before.second, "a bias that says never");
        nnn_hnswlib::set_bias(index, space, before.second, d.bias[before.second / 5]);
        expect(top() == before, "the bias as it was");
        const hnswlib::labeltype far = index.searchKnn(space.query(d.queries.data()).data(), 200).top().second;
        nnn_hnswlib::set_bias(index, space, far, -100.0f);
        expect(top().second == far, "a bias that says always");

        const float nan = std::nanf("");
        expect(throws([&] { nnn_hnswlib::set_bias(index, space, 1, 0); }), "a label that is not there");
        expect(throws([&] { nnn_hnswlib::set_bias(index, space, before.second, nan); }), "a bias that is NaN");
        expect(throws([&] { space.row(d.gallery.data(), nan); }), "a row whose bias is NaN");
    }
    expect(throws([] { nnn_hnswlib::DebiasedSpace none(0); }), "rows without elements");
    expect(throws([] { nnn_hnswlib::DebiasedSpace none(NNN_MAX_DIM + std::size_t(1)); }), "rows that are too long");
    return faults != 0;
}
