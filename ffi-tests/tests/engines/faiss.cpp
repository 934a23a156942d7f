// DebiasedFlat answers what nnn_search answers, bit for bit, in every state that FAISS can bring it into; its padding is IndexFlat's.
#include "../../../examples/engines/nnn_faiss.hpp"
#include "faults.hpp"

#include <faiss/IndexHNSW.h>
#include <faiss/IndexIDMap.h>

using nnn_faiss::DebiasedFlat;
using nnn_faiss::idx_t;

namespace {

constexpr idx_t k = 10;
data d;
std::vector<idx_t> labels_of;  // by row, of the index inside of an IndexIDMap

idx_t signed_of(std::size_t n) { return static_cast<idx_t>(n); }

void compare(const char *what, const faiss::Index &index, bool mapped, const std::vector<std::uint64_t> *allow = nullptr,
             const faiss::SearchParameters *params = nullptr, idx_t most = k) {
    const answers right = search(d.queries, d.gallery, d.bias, allow, static_cast<std::size_t>(most));
    std::vector<float> scores(d.asked * static_cast<std::size_t>(most));
    std::vector<idx_t> labels(scores.size());
    index.search(signed_of(d.asked), d.queries.data(), most, scores.data(), labels.data(), params);
    bool same = true;
    for (std::size_t i = 0; i < scores.size(); i++) {
        const bool is = i % static_cast<std::size_t>(most) < right.found[i / static_cast<std::size_t>(most)];
        const idx_t label = !is ? -1 : mapped ? labels_of[right.hits[i].id] : signed_of(right.hits[i].id);
        same &= labels[i] == label && same_bits(scores[i], is ? right.hits[i].score : std::numeric_limits<float>::lowest());
    }
    expect(same, what);
}

void selectors(const DebiasedFlat &index) {
    for (const std::size_t some : {d.rows, std::size_t(12)}) {  // every third row; four of them: fewer than asked for
        std::vector<std::uint64_t> allow((d.rows + 63) / 64);
        std::vector<idx_t> allowed;
        for (std::size_t i = 0; i < some; i += 3) {
            allow[i / 64] |= std::uint64_t(1) << i % 64;
            allowed.push_back(signed_of(i));
        }
        faiss::IDSelectorBatch selector(allowed.size(), allowed.data());
        faiss::SearchParameters params;
        params.sel = &selector;
        compare("only selected rows", index, false, &allow, &params);
    }
}

void ranges(const DebiasedFlat &index) {
    const answers right = search(d.queries, d.gallery, d.bias, nullptr, d.rows);
    const float radius = right.hits[20].score;
    faiss::IDSelectorRange selector(0, signed_of(d.rows / 2));
    faiss::SearchParameters params;
    for (faiss::IDSelector *chosen : {static_cast<faiss::IDSelector *>(nullptr), static_cast<faiss::IDSelector *>(&selector)}) {
        params.sel = chosen;
        faiss::RangeSearchResult result(signed_of(d.asked));
        index.range_search(signed_of(d.asked), d.queries.data(), radius, &result, &params);
        bool same = true;
        for (std::size_t q = 0; q < d.asked; q++) {
            std::vector<nnn::hit> within;
            for (std::size_t i = q * d.rows; i < (q + 1) * d.rows; i++)
                if (right.hits[i].score > radius && (!chosen || chosen->is_member(right.hits[i].id))) within.push_back(right.hits[i]);
            std::sort(within.begin(), within.end(), [](auto a, auto b) { return a.id < b.id; });
            same &= result.lims[q + 1] - result.lims[q] == within.size();
            for (std::size_t i = 0; same && i < within.size(); i++)
                same &= result.labels[result.lims[q] + i] == within[i].id && same_bits(result.distances[result.lims[q] + i], within[i].score);
        }
        expect(same, chosen ? "range search of selected rows" : "range search");
    }
}

// A graph over the index: its hits at all effort are the exact ones, also after the biases have changed.
void graph() {
    DebiasedFlat storage(dim);
    storage.estimate = [](idx_t n, const float *, float *bias) { std::copy_n(d.bias.data(), n, bias); };
    faiss::IndexHNSW index(&storage, 16);
    index.hnsw.efConstruction = 100;
    index.hnsw.efSearch = 200;
    index.add(signed_of(d.rows), d.gallery.data());
    const auto recall = [&] {
        const answers right = search(d.queries, d.gallery, d.bias, nullptr, k);
        std::vector<float> scores(d.asked * k);
        std::vector<idx_t> labels(scores.size());
        index.search(signed_of(d.asked), d.queries.data(), k, scores.data(), labels.data());
        double found = 0;
        for (std::size_t i = 0; i < scores.size(); i++)
            for (std::size_t j = i / k * k; j < (i / k + 1) * k; j++)
                if (labels[i] == signed_of(right.hits[j].id)) {
                    found++;
                    expect(std::abs(scores[i] - right.hits[j].score) < 1e-5f, "a graph's scores are debiased");
                }
        return found / static_cast<double>(scores.size());
    };
    expect(recall() >= 0.98, "a graph over biases by id finds the exact hits");
    const std::vector<float> before = d.bias;
    std::reverse(d.bias.begin(), d.bias.end());
    storage.set_bias(0, signed_of(d.rows), d.bias.data());
    expect(recall() >= 0.98, "a graph follows set_bias");
    d.bias = before;
}

}  // namespace

int main() {
    for (std::size_t i = 0; i < d.rows; i++) labels_of.push_back(signed_of(1000 + 3 * i));
    DebiasedFlat index(dim), inside(dim);
    graph();

    // Rows come in two lots; those behind an IndexIDMap get their biases by `estimate`.
    const idx_t first = 600, rest = signed_of(d.rows) - first;
    index.add(first, d.gallery.data(), d.bias.data());
    index.add(rest, d.gallery.data() + first * signed_of(dim), d.bias.data() + first);
    inside.estimate = [&](idx_t n, const float *, float *bias) { std::copy_n(d.bias.data() + inside.ntotal, n, bias); };
    faiss::IndexIDMap map(&inside);
    map.add_with_ids(first, d.gallery.data(), labels_of.data());
    map.add_with_ids(rest, d.gallery.data() + first * signed_of(dim), labels_of.data() + first);
    compare("rows that were added", index, false);
    compare("an IndexIDMap", map, true);
    compare("more hits than rows", index, false, nullptr, nullptr, signed_of(d.rows) + 5);
    selectors(index);
    ranges(index);

    // Other biases: nothing is rebuilt.
    std::reverse(d.bias.begin(), d.bias.end());
    index.set_bias(0, signed_of(d.rows), d.bias.data());
    inside.set_bias(0, first, d.bias.data());
    inside.set_bias(first, rest, d.bias.data() + first);
    compare("other biases", index, false);
    compare("other biases in an IndexIDMap", map, true);

    // Every fifth row is removed: biases stay with their rows.
    std::vector<idx_t> gone, gone_labels;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < d.rows; i++) {
        if (i % 5 == 0) {
            gone.push_back(signed_of(i));
            gone_labels.push_back(labels_of[i]);
            continue;
        }
        std::copy_n(d.gallery.data() + i * dim, dim, d.gallery.data() + kept * dim);
        d.bias[kept] = d.bias[i];
        labels_of[kept++] = labels_of[i];
    }
    d.rows = kept;
    d.gallery.resize(kept * dim), d.bias.resize(kept), labels_of.resize(kept);
    expect(index.remove_ids(faiss::IDSelectorBatch(gone.size(), gone.data())) == gone.size(), "as many were removed as were to be");
    expect(map.remove_ids(faiss::IDSelectorBatch(gone.size(), gone_labels.data())) == gone.size(), "the same in an IndexIDMap");
    compare("rows were removed", index, false);
    compare("rows were removed from an IndexIDMap", map, true);

    // Two halves merged; FAISS' copy of the rows and the biases put together again.
    DebiasedFlat both(dim), second(dim);
    const idx_t half = signed_of(kept / 2);
    both.add(half, d.gallery.data(), d.bias.data());
    second.add(signed_of(kept) - half, d.gallery.data() + half * signed_of(dim), d.bias.data() + half);
    both.merge_from(second, 0);
    compare("merged halves", both, false);
    expect(second.ntotal == 0 && second.bias.empty(), "the other half is empty");
    compare("rows and biases put together", DebiasedFlat(index, index.bias), false);
    faiss::IndexFlatIP plain(dim);
    plain.add(1, d.gallery.data());
    expect(throws([&] { both.merge_from(plain, 0); }), "plain rows are not merged");

    // What must throw changes nothing: rows without biases, biases of rows that are not there, biases and queries that are no numbers.
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> query(dim, nan), scores(1);
    std::vector<idx_t> labels(1);
    expect(throws([&] { index.add(1, d.gallery.data()); }), "rows without biases");
    expect(throws([&] { index.add(1, d.gallery.data(), &nan); }), "a bias that is NaN");
    expect(throws([&] { index.set_bias(index.ntotal, 1, d.bias.data()); }), "biases past the end");
    expect(throws([&] { index.set_bias(-1, 1, d.bias.data()); }), "biases before the start");
    expect(throws([&] { index.set_bias(0, 1, &nan); }), "another bias that is NaN");
    expect(throws([&] { index.search(1, query.data(), 1, scores.data(), labels.data()); }), "a query that is NaN");
    expect(throws([&] { DebiasedFlat(index, {1.0f}); }), "fewer biases than rows");
    compare("after all that", index, false);

    index.reset();
    expect(index.ntotal == 0 && index.bias.empty(), "reset");
    index.search(1, d.queries.data(), 1, scores.data(), labels.data());
    float plain_score;
    idx_t plain_label;
    plain.reset();
    plain.search(1, d.queries.data(), 1, &plain_score, &plain_label);
    expect(labels[0] == plain_label && same_bits(scores[0], plain_score), "nothing found looks as in IndexFlat");
    return faults != 0;
}
