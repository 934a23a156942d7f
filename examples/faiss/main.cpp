// Debiased search in FAISS: exported vectors in IndexHNSWFlat, certified reranking of the hits of an exact IndexFlat.
//   cargo build --release -p nnn-capi
//   c++ -std=c++17 -O2 -I include examples/faiss/main.cpp target/release/libnnn.a -lfaiss -fopenmp -llapack -lblas -pthread -o nnn-faiss && ./nnn-faiss
#include "../engines/engines.hpp"

#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>

// FAISS has no cosine: unit length, then inner product. `Faiss`: an index of (dim, metric).
template <class Faiss>
class faiss_index {
public:
    faiss_index(nnn::form form, std::vector<float> vectors, std::size_t dim)
        : form_(form), dim_(dim),
          index_(static_cast<int>(dim), form == nnn::form::l2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT) {
        if (form == nnn::form::cosine) nnn::check(nnn::normalize(vectors, dim));
        index_.add(static_cast<faiss::Index::idx_t>(vectors.size() / dim), vectors.data());
    }

    std::vector<engines::answer> search(const float *query, std::size_t k) const {
        std::vector<float> asked(query, query + dim_), values(k);
        if (form_ == nnn::form::cosine) nnn::check(nnn::normalize(asked, dim_));
        std::vector<faiss::Index::idx_t> ids(k);
        index_.search(1, asked.data(), static_cast<faiss::Index::idx_t>(k), values.data(), ids.data());
        std::vector<engines::answer> answers;
        for (std::size_t i = 0; i < k && ids[i] >= 0; i++) answers.push_back({values[i], static_cast<std::uint32_t>(ids[i])});
        return answers;
    }

private:
    nnn::form form_;
    std::size_t dim_;
    Faiss index_;
};

struct hnsw : faiss::IndexHNSWFlat {
    hnsw(int dim, faiss::MetricType metric) : IndexHNSWFlat(dim, 16, metric) {
        hnsw::IndexHNSWFlat::hnsw.efConstruction = 200;
        hnsw::IndexHNSWFlat::hnsw.efSearch = 128;
    }
};

int main(int argc, char **argv) {
    const engines::problem p(argc > 1 ? argv[1] : "examples/data/pydoc-minilm");
    engines::compare<faiss_index<hnsw>>("FAISS IndexHNSWFlat", p);
    engines::compare<faiss_index<faiss::IndexFlat>>("FAISS IndexFlat (exact)", p);
}
