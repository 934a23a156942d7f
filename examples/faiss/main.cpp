// Debiased search in FAISS: biases by id over a flat index and under a graph, exported vectors in IVF and HNSW, certified reranking.
//   cargo build --release -p nnn-capi
//   c++ -std=c++17 -O2 -I include examples/faiss/main.cpp target/release/libnnn.a -lfaiss -fopenmp -llapack -lblas -pthread -o nnn-faiss && ./nnn-faiss
#include "../engines/engines.hpp"
#include "../engines/nnn_faiss.hpp"

#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIDMap.h>
#include <faiss/IndexIVFFlat.h>

#include <memory>

using nnn_faiss::DebiasedFlat;
using nnn_faiss::idx_t;

std::vector<engines::answer> search_in(const faiss::Index &index, const float *query, std::size_t k) {
    std::vector<float> values(k);
    std::vector<idx_t> ids(k);
    index.search(1, query, static_cast<idx_t>(k), values.data(), ids.data());
    std::vector<engines::answer> answers;
    for (std::size_t i = 0; i < k && ids[i] >= 0; i++) answers.push_back({values[i], static_cast<std::uint32_t>(ids[i])});
    return answers;
}

struct flat {
    static constexpr const char *name = "FAISS IndexFlat (exact)", *what = nullptr;
    static std::unique_ptr<faiss::Index> make(std::size_t, int dim, faiss::MetricType metric) {
        return std::make_unique<faiss::IndexFlat>(dim, metric);
    }
    static std::size_t least(std::size_t) { return 0; }
    static void set(faiss::Index &, std::size_t, std::size_t) {}
    static std::size_t most(std::size_t) { return 0; }
};

struct hnsw {
    static constexpr const char *name = "FAISS IndexHNSWFlat", *what = "ef";
    static std::unique_ptr<faiss::Index> make(std::size_t, int dim, faiss::MetricType metric) {
        auto index = std::make_unique<faiss::IndexHNSWFlat>(dim, 16, metric);
        index->hnsw.efConstruction = 200;
        return index;
    }
    static std::size_t least(std::size_t) { return engines::first_ef; }
    static void set(faiss::Index &index, std::size_t ef, std::size_t k) {
        static_cast<faiss::IndexHNSW &>(index).hnsw.efSearch = static_cast<int>(std::max(ef, 2 * k));
    }
    static std::size_t most(std::size_t) { return 4096; }
};

struct ivf {
    static constexpr const char *name = "FAISS IndexIVFFlat", *what = "probes";
    static std::size_t lists(std::size_t rows) { return static_cast<std::size_t>(2 * std::sqrt(static_cast<double>(rows))); }
    static std::unique_ptr<faiss::Index> make(std::size_t rows, int dim, faiss::MetricType metric) {
        auto index = std::make_unique<faiss::IndexIVFFlat>(new faiss::IndexFlat(dim, metric), static_cast<std::size_t>(dim), lists(rows), metric);
        index->own_fields = true;
        index->cp.niter = 10;
        index->cp.min_points_per_centroid = 1;
        index->cp.max_points_per_centroid = 64;
        return index;
    }
    static std::size_t least(std::size_t rows) { return lists(rows) / 8; }
    static void set(faiss::Index &index, std::size_t probes, std::size_t) { static_cast<faiss::IndexIVF &>(index).nprobe = probes; }
    static std::size_t most(std::size_t rows) { return lists(rows); }
};

// FAISS has no cosine: unit length, then inner product.
template <class Kind>
class faiss_index {
public:
    static constexpr bool cosine_is_product = true;

    faiss_index(nnn::form form, std::vector<float> vectors, std::size_t dim) : form_(form), dim_(dim) {
        const std::size_t rows = vectors.size() / dim;
        index_ = Kind::make(rows, static_cast<int>(dim), form == nnn::form::l2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT);
        if (form == nnn::form::cosine) nnn::check(nnn::normalize(vectors, dim));
        index_->train(static_cast<idx_t>(rows), vectors.data());
        index_->add(static_cast<idx_t>(rows), vectors.data());
        effort_ = Kind::least(rows);
    }

    bool more() {
        const std::size_t most = Kind::most(static_cast<std::size_t>(index_->ntotal));
        if (effort_ >= most) return false;
        effort_ = std::min(effort_ + effort_ / 2, most);
        return true;
    }
    std::string effort() const { return Kind::what ? std::string(Kind::what) + " " + std::to_string(effort_) + ", " : ""; }

    std::vector<engines::answer> search(const float *query, std::size_t k) const {
        Kind::set(*index_, effort_, k);
        if (form_ != nnn::form::cosine) return search_in(*index_, query, k);
        std::vector<float> asked(query, query + dim_);
        nnn::check(nnn::normalize(asked, dim_));
        return search_in(*index_, asked.data(), k);
    }

private:
    nnn::form form_;
    std::size_t dim_, effort_;
    std::unique_ptr<faiss::Index> index_;
};

// Answers of the index that are not those of nnn_search, bit for bit: of half of the rows, after other biases, after rows were removed.
std::size_t faults(const engines::problem &p) {
    std::size_t faults = 0;
    const std::size_t rows = p.rows, dim = p.dim, asked = std::min<std::size_t>(p.asked, 300), k = engines::top;
    const float *x = p.gallery().data;
    std::vector<float> bias = p.bias, vectors(x, x + rows * dim);
    std::vector<idx_t> ids(rows);
    for (std::size_t i = 0; i < rows; i++) ids[i] = static_cast<idx_t>(1000 + 3 * i);

    DebiasedFlat index(static_cast<idx_t>(dim));
    index.add(static_cast<idx_t>(rows), x, bias.data());
    DebiasedFlat inside(static_cast<idx_t>(dim));
    const float *next = bias.data();
    inside.estimate = [&](idx_t n, const float *, float *out) { next = (std::copy(next, next + n, out), next + n); };
    faiss::IndexIDMap map(&inside);
    map.add_with_ids(static_cast<idx_t>(rows), x, ids.data());

    const auto compare = [&](const faiss::Index &some, bool mapped, const std::vector<std::uint64_t> *allow, const faiss::SearchParameters *params) {
        std::vector<float> scores(asked * k);
        std::vector<idx_t> labels(asked * k);
        some.search(static_cast<idx_t>(asked), p.queries().data, static_cast<idx_t>(k), scores.data(), labels.data(), params);
        std::vector<nnn::hit> hits(asked * k);
        std::vector<std::uint32_t> found(asked);
        std::optional<nnn::span<const std::uint64_t>> filter;
        if (allow) filter = nnn::span<const std::uint64_t>(*allow);
        nnn::check(nnn::search(nnn::matrix_f32(p.queries().data, asked, dim), nnn::matrix_f32(vectors, dim), bias, filter, k, nnn::all,
                               nnn::scratch(), hits, found));
        for (std::size_t i = 0; i < asked * k; i++) {
            const bool is = i % k < found[i / k];
            const idx_t label = !is ? -1 : mapped ? ids[hits[i].id] : static_cast<idx_t>(hits[i].id);
            faults += labels[i] != label || (is && scores[i] != hits[i].score);
        }
    };
    const auto compare_both = [&] {
        compare(index, false, nullptr, nullptr);
        compare(map, true, nullptr, nullptr);
    };
    compare_both();

    // Every third row may be found, then none but four: fewer than asked for.
    for (const idx_t some : {idx_t(rows), idx_t(12)}) {
        std::vector<std::uint64_t> allow((rows + 63) / 64);
        std::vector<idx_t> allowed;
        for (idx_t i = 0; i < std::min(some, static_cast<idx_t>(rows)); i += 3) {
            allow[static_cast<std::size_t>(i) / 64] |= std::uint64_t(1) << i % 64;
            allowed.push_back(i);
        }
        faiss::IDSelectorBatch selector(allowed.size(), allowed.data());
        faiss::SearchParameters params;
        params.sel = &selector;
        compare(index, false, &allow, &params);
    }

    // Other biases, nothing rebuilt.
    for (std::size_t i = 0; i < rows; i++) bias[i] = p.bias[rows - 1 - i];
    index.set_bias(0, static_cast<idx_t>(rows), bias.data());
    inside.set_bias(0, static_cast<idx_t>(rows / 2), bias.data());
    inside.set_bias(static_cast<idx_t>(rows / 2), static_cast<idx_t>(rows - rows / 2), bias.data() + rows / 2);
    compare_both();

    // Every fifth row removed: biases stay with their rows.
    std::vector<idx_t> gone, gone_ids;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < rows; i++) {
        if (i % 5 == 0) {
            gone.push_back(static_cast<idx_t>(i));
            gone_ids.push_back(ids[i]);
        } else {
            std::copy_n(x + i * dim, dim, vectors.begin() + static_cast<std::ptrdiff_t>(kept * dim));
            bias[kept] = bias[i];
            ids[kept++] = ids[i];
        }
    }
    vectors.resize(kept * dim), bias.resize(kept), ids.resize(kept);
    faults += index.remove_ids(faiss::IDSelectorBatch(gone.size(), gone.data())) != gone.size();
    faults += map.remove_ids(faiss::IDSelectorBatch(gone_ids.size(), gone_ids.data())) != gone.size();
    compare_both();

    // Put together again from FAISS' rows, halves merged.
    DebiasedFlat both(static_cast<idx_t>(dim)), rest(static_cast<idx_t>(dim));
    const std::size_t half = kept / 2;
    both.add(static_cast<idx_t>(half), vectors.data(), bias.data());
    rest.add(static_cast<idx_t>(kept - half), vectors.data() + half * dim, bias.data() + half);
    both.merge_from(rest, 0);
    compare(both, false, nullptr, nullptr);
    compare(DebiasedFlat(index, index.bias), false, nullptr, nullptr);

    // Range search: as many as score above the tenth.
    const std::vector<engines::answer> ten = search_in(index, p.queries().data, k);
    faiss::RangeSearchResult near(1);
    index.range_search(1, p.queries().data, ten.back().value, &near);
    faults += near.lims[1] > k - 1;
    for (std::size_t i = 0; i < near.lims[1]; i++)
        faults += std::none_of(ten.begin(), ten.end(), [&](auto a) { return a.id == near.labels[i] && a.value == near.distances[i]; });

    // What must throw: rows without biases, biases of rows that are not there, a bias that is none.
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const auto throws = [&](auto f) {
        try {
            f();
        } catch (const faiss::FaissException &) {
            return;
        }
        faults++;
    };
    throws([&] { index.add(1, x); });
    throws([&] { index.set_bias(index.ntotal, 1, bias.data()); });
    throws([&] { index.set_bias(0, 1, &nan); });
    throws([&] { index.add(1, x, &nan); });
    compare_both();
    return faults;
}

// The graph over biases by id, which follows set_bias.
class graph_by_id {
public:
    explicit graph_by_id(const engines::problem &p) : p_(p), storage_(static_cast<idx_t>(p.dim)), index_(&storage_, 16) {
        storage_.estimate = [&](idx_t n, const float *, float *bias) { std::copy_n(p.bias.data(), n, bias); };
        index_.hnsw.efConstruction = 200;
        index_.hnsw.efSearch = engines::first_ef;
        index_.add(static_cast<idx_t>(p.rows), p.gallery().data);
    }
    bool more() { return (index_.hnsw.efSearch += index_.hnsw.efSearch / 2) < 4096; }
    std::string effort() const { return "ef " + std::to_string(index_.hnsw.efSearch) + ", "; }
    std::vector<std::uint32_t> search(std::size_t q) const { return engines::ids_of(search_in(index_, p_.query(q), engines::top)); }

    // Hits that do not follow a change of their biases.
    std::size_t faults() {
        const std::uint32_t best = search(0).at(0);
        const float never = 100.0f, before = storage_.bias[best];
        storage_.set_bias(best, 1, &never);
        const std::vector<std::uint32_t> without = search(0);
        storage_.set_bias(best, 1, &before);
        return static_cast<std::size_t>(std::count(without.begin(), without.end(), best)) + (search(0).at(0) != best);
    }

private:
    const engines::problem &p_;
    DebiasedFlat storage_;
    faiss::IndexHNSW index_;
};

int main(int argc, char **argv) {
    const engines::problem p = engines::problem_of(argc, argv);
    {
        DebiasedFlat index(static_cast<idx_t>(p.dim));
        index.add(static_cast<idx_t>(p.rows), p.gallery().data, p.bias.data());
        const engines::comparison<faiss_index<flat>> compare(flat::name, p);
        compare.line("DebiasedFlat, biases by id", [&](std::size_t q) { return engines::ids_of(search_in(index, p.query(q), engines::top)); },
                     "faults in bits, selectors, removal, IndexIDMap: " + std::to_string(faults(p)));
        compare.exported("flat, exported, inner product", nnn::form::inner_product, nnn::form::inner_product, 16);
        compare.reranked("flat, certified reranking", 1024);
    }
    {
        const engines::comparison<faiss_index<hnsw>> compare(hnsw::name, p);
        compare.exported_forms("HNSW, ", 16);
        compare.reranked("HNSW, certified reranking", 1024);
        graph_by_id index(p);
        const auto search = [&](std::size_t q) { return index.search(q); };
        const std::string effort = compare.enough_of(index, search);
        compare.line("IndexHNSW over DebiasedFlat, biases by id", search, effort + "faults after set_bias: " + std::to_string(index.faults()));
    }
    const engines::comparison<faiss_index<ivf>> compare(ivf::name, p);
    compare.exported_forms("IVF, ", 16);
    compare.reranked("IVF, certified reranking", 1024);
}
