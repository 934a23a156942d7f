// Debiased search in hnswlib: exported vectors in its own spaces, libnnn's metric as a space, certified reranking of plain hits.
//   cargo build --release -p nnn-capi
//   c++ -std=c++17 -O2 -march=native -I include examples/hnswlib/main.cpp target/release/libnnn.a -pthread -o hnsw && ./hnsw
#include "../engines/engines.hpp"

#include <hnswlib/hnswlib.h>

#include <cmath>
#include <memory>

// hnswlib's graph; cosine is what its bindings do: unit length, then inner product.
class graph {
public:
    graph(nnn::form form, std::vector<float> vectors, std::size_t dim)
        : graph(form == nnn::form::l2 ? std::unique_ptr<hnswlib::SpaceInterface<float>>(new hnswlib::L2Space(dim))
                                      : std::unique_ptr<hnswlib::SpaceInterface<float>>(new hnswlib::InnerProductSpace(dim)),
                form, std::move(vectors), dim) {}

    graph(std::unique_ptr<hnswlib::SpaceInterface<float>> space, nnn::form form, std::vector<float> vectors, std::size_t dim)
        : form_(form), dim_(dim), space_(std::move(space)), index_(space_.get(), vectors.size() / dim, 16, 200) {
        if (form == nnn::form::cosine) nnn::check(nnn::normalize(vectors, dim));
        for (std::size_t i = 0; i < vectors.size() / dim; i++) index_.addPoint(&vectors[i * dim], i);
    }

    std::vector<engines::answer> search(const float *query, std::size_t k) const {
        std::vector<float> asked(query, query + dim_);
        if (form_ == nnn::form::cosine) nnn::check(nnn::normalize(asked, dim_));
        index_.setEf(std::max<std::size_t>(128, 2 * k));
        auto queue = index_.searchKnn(asked.data(), k);
        std::vector<engines::answer> answers(queue.size());
        for (std::size_t i = answers.size(); i-- > 0; queue.pop()) {  // farthest first; distances of products are 1 - x
            const float d = queue.top().first;
            answers[i] = {form_ == nnn::form::l2 ? d : 1.0f - d, static_cast<std::uint32_t>(queue.top().second)};
        }
        return answers;
    }

private:
    nnn::form form_;
    std::size_t dim_;
    std::unique_ptr<hnswlib::SpaceInterface<float>> space_;
    mutable hnswlib::HierarchicalNSW<float> index_;
};

// libnnn's kernels in hnswlib: vectors of dim floats and the bias.
class debiased_space : public hnswlib::SpaceInterface<float> {
public:
    explicit debiased_space(std::size_t dim) : dim_(dim) {}
    size_t get_data_size() override { return (dim_ + 1) * sizeof(float); }
    hnswlib::DISTFUNC<float> get_dist_func() override { return nnn_metric_f32; }
    void *get_dist_func_param() override { return &dim_; }

private:
    std::size_t dim_;
};

int main(int argc, char **argv) {
    const engines::problem p(argc > 1 ? argv[1] : "examples/data/pydoc-minilm");
    engines::compare<graph>("hnswlib", p);
    const std::vector<float> vectors = p.vectors(nnn::form::inner_product, p.dim + 1);
    const std::vector<float> asked = p.asked_vectors(nnn::form::inner_product, p.dim + 1);
    const graph index(std::make_unique<debiased_space>(p.dim), nnn::form::inner_product, vectors, p.dim + 1);
    const auto plain_rows = p.gallery();
    const graph plain(nnn::form::inner_product, {plain_rows.data, plain_rows.data + p.rows * p.dim}, p.dim);
    const auto search = [&](std::size_t q) { return engines::ids_of(index.search(&asked[q * (p.dim + 1)], engines::top)); };
    const auto search_plain = [&](std::size_t q) { return engines::ids_of(plain.search(p.queries().data + q * p.dim, engines::top)); };
    std::printf("  %-48s  %.4f  %.2f\n", "nnn_metric_f32 as the space", p.recall(search),
                engines::times_as_long(p.asked, search, search_plain));
}
