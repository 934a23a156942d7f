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

    bool more() { return (ef_ += ef_ / 2) < 4096; }
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
        index_.setEf(ef_ += ef_ / 2);
        return ef_ < 4096;
    }
    std::string effort() const { return "ef " + std::to_string(ef_) + ", "; }

    std::vector<engines::answer> search(std::size_t q) const {
        auto queue = index_.searchKnn(space_.query(p_.query(q)).data(), engines::top);
        std::vector<engines::answer> answers(queue.size());
        for (std::size_t i = answers.size(); i-- > 0; queue.pop())
            answers[i] = {space_.score(queue.top().first), static_cast<std::uint32_t>(queue.top().second)};
        return answers;
    }

    void set_bias(std::size_t row, float bias) { nnn_hnswlib::set_bias(index_, space_, row, bias); }

private:
    const engines::problem &p_;
    nnn_hnswlib::DebiasedSpace space_;
    hnswlib::HierarchicalNSW<float> index_;
    std::size_t ef_ = engines::first_ef;
};

// Scores of another distance than nnn_search's, in bits; rows found although their bias says never.
int faults(debiased_graph &index, const engines::problem &p) {
    int faults = 0;
    for (std::size_t q = 0; q < p.asked; q++) {
        const engines::answer first = index.search(q).at(0);
        if (first.id == p.exact(q).id) faults += first.value != p.exact(q).score;
    }
    const std::uint32_t best = p.exact(0).id;
    index.set_bias(best, 1e6f);
    for (const engines::answer &a : index.search(0)) faults += a.id == best;
    index.set_bias(best, p.bias[best]);
    faults += index.search(0).at(0).id != best;
    return faults;
}

int main(int argc, char **argv) {
    const engines::problem p = engines::problem_of(argc, argv);
    const engines::comparison<graph> compare("hnswlib", p);
    compare.exported_forms("", 16);
    for (const float centre : {(p.limits.bias_min + p.limits.bias_max) / 2, 0.0f}) {
        debiased_graph index(p, centre);
        const auto search = [&](std::size_t q) { return engines::ids_of(index.search(q)); };
        const std::string effort = compare.enough_of(index, search);
        const std::string remark = centre == 0 ? "faults in bits and after set_bias: " + std::to_string(faults(index, p)) : "";
        compare.line(centre == 0 ? "nnn_metric_f32 as the space" : "nnn_metric_f32 as the space, biases centred", search, effort + remark);
    }
    compare.reranked("plain index, certified reranking", 1024);
}
