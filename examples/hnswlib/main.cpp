// Debiased search in hnswlib: exported vectors in its own spaces, libnnn's metric as a space, certified reranking of plain hits.
//   cargo build --release -p nnn-capi
//   c++ -std=c++17 -O2 -march=native -I include examples/hnswlib/main.cpp target/release/libnnn.a -pthread -o hnsw && ./hnsw
#include "../engines/engines.hpp"
#include "../engines/nnn_hnswlib.hpp"

#include <memory>

constexpr std::size_t links = 16, ef_construction = 200;

// hnswlib's graph; cosine is what its bindings do: unit length, then inner product.
class graph {
public:
    static constexpr bool cosine_is_product = true;

    graph(nnn::form form, std::vector<float> vectors, std::size_t dim) : form_(form), dim_(dim) {
        if (form == nnn::form::l2) space_ = std::make_unique<hnswlib::L2Space>(dim);
        else space_ = std::make_unique<hnswlib::InnerProductSpace>(dim);
        if (form == nnn::form::cosine) nnn::check(nnn::normalize(vectors, dim));
        const std::size_t rows = vectors.size() / dim;
        index_ = std::make_unique<hnswlib::HierarchicalNSW<float>>(space_.get(), rows, links, ef_construction);
        engines::for_rows(rows, [&](std::size_t i) { index_->addPoint(&vectors[i * dim], i); });
    }

    bool more() { return ef_ < 4096 && (ef_ += ef_ / 2); }
    std::string effort() const { return "ef " + std::to_string(ef_) + ", "; }

    std::vector<engines::answer> search(const float *query, std::size_t k) const {
        std::vector<float> asked(query, query + dim_);
        if (form_ == nnn::form::cosine) nnn::check(nnn::normalize(asked, dim_));
        index_->setEf(std::max(ef_, 2 * k));
        auto queue = index_->searchKnn(asked.data(), k);
        std::vector<engines::answer> answers(queue.size());
        for (std::size_t i = answers.size(); i-- > 0; queue.pop()) {  // farthest first; distances of products are 1 - x
            const float d = queue.top().first;
            answers[i] = {form_ == nnn::form::l2 ? d : 1.0f - d, static_cast<std::uint32_t>(queue.top().second)};
        }
        return answers;
    }

private:
    nnn::form form_;
    std::size_t dim_, ef_ = engines::first_ef;
    std::unique_ptr<hnswlib::SpaceInterface<float>> space_;
    std::unique_ptr<hnswlib::HierarchicalNSW<float>> index_;
};

// The graph over libnnn's metric, in which biases may change.
class debiased_graph {
public:
    debiased_graph(const engines::problem &p, float centre) : p_(p), space_(p.dim, centre), index_(&space_, p.rows, links, ef_construction) {
        engines::for_rows(p.rows, [&](std::size_t i) { index_.addPoint(space_.row(p.gallery().data + i * p.dim, p.bias[i]).data(), i); });
        index_.setEf(ef_);
    }

    bool more() {
        if (ef_ >= 4096) return false;
        index_.setEf(ef_ += ef_ / 2);
        return true;
    }
    std::string effort() const { return "ef " + std::to_string(ef_) + ", "; }

    std::vector<engines::answer> search(std::size_t q) const {
        auto queue = index_.searchKnn(space_.query(p_.query(q)).data(), engines::top);
        std::vector<engines::answer> answers(queue.size());
        for (std::size_t i = answers.size(); i-- > 0; queue.pop())
            answers[i] = {space_.score(queue.top().first), static_cast<std::uint32_t>(queue.top().second)};
        return answers;
    }

private:
    const engines::problem &p_;
    nnn_hnswlib::DebiasedSpace space_;
    hnswlib::HierarchicalNSW<float> index_;
    std::size_t ef_ = engines::first_ef;
};

static void example(int argc, char **argv) {
    const engines::problem p = engines::problem_of(argc, argv);
    const engines::comparison<graph> compare("hnswlib", p);
    compare.reranked("plain index, certified reranking", 1024);
    compare.exported_forms("", 16);
    for (const float centre : {(p.limits.bias_min + p.limits.bias_max) / 2, 0.0f}) {
        debiased_graph index(p, centre);
        compare.enough_of(centre == 0 ? "DebiasedSpace" : "DebiasedSpace, centred", index,
                          [&](std::size_t q) { return engines::ids_of(index.search(q)); });
    }
}

int main(int argc, char **argv) { return engines::run(example, argc, argv); }
