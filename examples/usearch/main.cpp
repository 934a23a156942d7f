// Debiased search in USearch through its C API: exported vectors in its own metrics, libnnn's metric in its graph, certified reranking.
// The C API comes from USearch's releases, or from its npm package:
//   cargo build --release -p nnn-capi
//   npm pack usearch@2.25.3 && tar xzf usearch-2.25.3.tgz
//   c++ -std=c++17 -O3 -ffast-math -DNDEBUG -DUSEARCH_USE_NUMKONG=0 -DUSEARCH_USE_OPENMP=0 -I package/include -c package/c/lib.cpp -o usearch.o
//   c++ -std=c++17 -O2 -I include -I package/c examples/usearch/main.cpp usearch.o target/release/libnnn.a -pthread -o nnn-usearch && ./nnn-usearch
#include "../engines/engines.hpp"
#include "../engines/nnn_usearch.h"

#include <memory>

constexpr std::size_t links = 16, ef_construction = 200;

void check(usearch_error_t error) {
    if (error) throw std::runtime_error(error);
}

// A graph by a metric of USearch's, or for rows of *own floats by libnnn's.
class graph {
public:
    static constexpr bool cosine_is_product = false;

    graph(nnn::form form, const std::vector<float> &vectors, std::size_t dim, const std::size_t *own = nullptr) : l2_(form == nnn::form::l2), own_(own) {
        usearch_init_options_t options{};
        options.metric_kind = form == nnn::form::inner_product ? usearch_metric_ip_k
                              : form == nnn::form::l2          ? usearch_metric_l2sq_k
                                                               : usearch_metric_cos_k;
        options.quantization = usearch_scalar_f32_k;
        options.dimensions = dim;
        options.connectivity = links;
        options.expansion_add = ef_construction;
        options.expansion_search = engines::first_ef;
        usearch_error_t error = nullptr;
        index_.reset(own ? nnn_usearch_init(own, options, &error) : usearch_init(&options, &error));
        check(error);
        const std::size_t rows = vectors.size() / dim;
        usearch_reserve(index_.get(), rows, &error);
        check(error);
        engines::for_rows(rows, [&](std::size_t i) {
            usearch_error_t wrong = nullptr;
            usearch_add(index_.get(), i, &vectors[i * dim], usearch_scalar_f32_k, &wrong);
            check(wrong);
        });
    }

    bool more() { return ef_ < 4096 && (ef_ += ef_ / 2); }
    std::string effort() const { return "ef " + std::to_string(ef_) + ", "; }

    std::vector<engines::answer> search(const float *query, std::size_t k) const {
        std::vector<usearch_key_t> keys(k);
        std::vector<float> distances(k);
        usearch_error_t error = nullptr;
        usearch_change_expansion_search(index_.get(), std::max(ef_, 2 * k), &error);
        const std::size_t found = usearch_search(index_.get(), query, usearch_scalar_f32_k, k, keys.data(), distances.data(), &error);
        check(error);
        std::vector<engines::answer> answers(found);
        for (std::size_t i = 0; i < found; i++)  // distances of products are 1 - x, libnnn's is -x
            answers[i] = {own_ ? -distances[i] : l2_ ? distances[i] : 1.0f - distances[i], static_cast<std::uint32_t>(keys[i])};
        return answers;
    }

private:
    struct release {
        void operator()(usearch_index_t index) const {
            usearch_error_t error = nullptr;
            usearch_free(index, &error);
        }
    };
    std::size_t ef_ = engines::first_ef;
    bool l2_;
    const std::size_t *own_;
    std::unique_ptr<void, release> index_;
};

static void example(int argc, char **argv) {
    const engines::problem p = engines::problem_of(argc, argv);
    const engines::comparison<graph> compare("USearch", p);
    compare.reranked("plain index, certified reranking", 1024);
    compare.exported_forms("", 16);
    const std::size_t stride = p.dim + 1;
    const std::vector<float> asked = p.asked_vectors(nnn::form::inner_product, stride);
    graph index(nnn::form::inner_product, p.vectors(nnn::form::inner_product, stride), stride, &p.dim);
    compare.enough_of("nnn_metric_f32 as the metric", index,
                      [&](std::size_t q) { return engines::ids_of(index.search(&asked[q * stride], engines::top)); });
}

int main(int argc, char **argv) { return engines::run(example, argc, argv); }
