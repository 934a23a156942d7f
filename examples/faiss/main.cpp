// Debiased search in FAISS: biases by id over a flat index and under a graph, exported vectors in IVF and HNSW, certified reranking.
//   cargo build --release -p nnn-capi
//   c++ -std=c++17 -O2 -I include examples/faiss/main.cpp target/release/libnnn.a -lfaiss -fopenmp -llapack -lblas -pthread -o nnn-faiss && ./nnn-faiss
#include "../engines/engines.hpp"
#include "../engines/nnn_faiss.hpp"

#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
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
    static std::size_t least(std::size_t rows) { return std::max<std::size_t>(lists(rows) / 8, 2); }
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

// The graph over biases by id, which follows set_bias.
class graph_by_id {
public:
    explicit graph_by_id(const engines::problem &p) : p_(p), storage_(static_cast<idx_t>(p.dim)), index_(&storage_, 16) {
        storage_.estimate = [&](idx_t n, const float *, float *bias) { std::copy_n(p.bias.data(), n, bias); };
        index_.hnsw.efConstruction = 200;
        index_.hnsw.efSearch = engines::first_ef;
        index_.add(static_cast<idx_t>(p.rows), p.gallery().data);
    }
    bool more() { return index_.hnsw.efSearch < 4096 && (index_.hnsw.efSearch += index_.hnsw.efSearch / 2); }
    std::string effort() const { return "ef " + std::to_string(index_.hnsw.efSearch) + ", "; }
    std::vector<std::uint32_t> search(std::size_t q) const { return engines::ids_of(search_in(index_, p_.query(q), engines::top)); }

private:
    const engines::problem &p_;
    DebiasedFlat storage_;
    faiss::IndexHNSW index_;
};

void with_flat(const engines::problem &p) {
    DebiasedFlat index(static_cast<idx_t>(p.dim));
    index.add(static_cast<idx_t>(p.rows), p.gallery().data, p.bias.data());
    const engines::comparison<faiss_index<flat>> compare(flat::name, p);
    compare.line("DebiasedFlat, biases by id", [&](std::size_t q) { return engines::ids_of(search_in(index, p.query(q), engines::top)); });
    compare.reranked("flat, certified reranking", 1024);
    compare.exported("flat, exported, inner product", nnn::form::inner_product, nnn::form::inner_product, 16);
}

void with_hnsw(const engines::problem &p) {
    const engines::comparison<faiss_index<hnsw>> compare(hnsw::name, p);
    compare.reranked("HNSW, certified reranking", 1024);
    graph_by_id index(p);
    compare.enough_of("IndexHNSW over DebiasedFlat, biases by id", index, [&](std::size_t q) { return index.search(q); });
    compare.exported_forms("HNSW, ", 16);
}

void with_ivf(const engines::problem &p) {
    const engines::comparison<faiss_index<ivf>> compare(ivf::name, p);
    compare.reranked("IVF, certified reranking", 1024);
    compare.exported_forms("IVF, ", 16);
}

// The further argument: `flat`, `hnsw` or `ivf`; all without.
static void example(int argc, char **argv) {
    const engines::problem p = engines::problem_of(argc, argv);
    const std::string only = argc > 4 ? argv[4] : "";
    if (only.empty() || only == "flat") with_flat(p);
    if (only.empty() || only == "hnsw") with_hnsw(p);
    if (only.empty() || only == "ivf") with_ivf(p);
}

int main(int argc, char **argv) { return engines::run(example, argc, argv); }
