// What the examples of engines share: real embeddings with biases, debiased search through exported vectors and by certified
// reranking, how right and how fast both are beside the engine's own plain search.
#ifndef ENGINES_HPP
#define ENGINES_HPP

#include "nnn.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>
#include <fstream>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace engines {

// What an index answers: inner product, squared distance or cosine, and a row.
struct answer {
    float value;
    std::uint32_t id;
};

constexpr std::size_t top = 10;

// Elements of a .npy file of float16 or float32 and its shape, of one dimension or two.
inline std::vector<float> elements(const std::string &path, std::size_t &rows, std::size_t &dim) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
    if (bytes.size() < 10 || bytes.compare(0, 7, "\x93NUMPY\x01") != 0) throw std::runtime_error("no .npy file: " + path);
    const std::size_t start = 10 + byte(8) + 256 * byte(9);
    const std::string head = bytes.substr(10, start - 10);
    const bool half = head.find("'<f2'") != std::string::npos;
    rows = 0, dim = 1;
    const std::size_t shape = head.find("'shape': (");
    if ((!half && head.find("'<f4'") == std::string::npos) || head.find("'fortran_order': True") != std::string::npos || shape == std::string::npos ||
        std::sscanf(head.c_str() + shape, "'shape': (%zu, %zu)", &rows, &dim) < 1 ||
        bytes.size() < start + rows * dim * (half ? 2 : 4))
        throw std::runtime_error("no little-endian float16 or float32, row by row: " + path);
    std::vector<float> out(rows * dim);
    for (std::size_t i = 0; i < out.size(); i++) {
        if (half) {  // widened by hand: the exponent moves, a power of two puts its bias right
            const std::size_t word = byte(start + 2 * i) + 256 * byte(start + 2 * i + 1);
            const auto bits = static_cast<std::uint32_t>((word & 0x8000) << 16 | (word & 0x7FFF) << 13);
            std::memcpy(&out[i], &bits, 4);
            out[i] *= 0x1p112f;
        } else {
            std::memcpy(&out[i], &bytes[start + 4 * i], 4);
        }
    }
    return out;
}

// Rows of a file, scaled to unit length.
inline std::vector<float> unit_rows(const std::string &path, std::size_t &dim) {
    std::size_t rows;
    std::vector<float> out = elements(path, rows, dim);
    nnn::check(nnn::normalize(out, dim));
    return out;
}

// Gallery, queries, biases, and the exact top 10 of every query. A folder of gallery.npy, queries.npy, and of bank.npy, whose 16 best
// per row give the biases (alpha 0.75), or bias.npy, which `nnn bias --k 16 --normalize` has written.
class problem {
public:
    problem(const std::string &folder, std::size_t most_queries, bool every_form) : all_forms(every_form) {
        gallery_ = unit_rows(folder + "/gallery.npy", dim);
        queries_ = unit_rows(folder + "/queries.npy", dim);
        rows = gallery_.size() / dim;
        asked = std::min(queries_.size() / dim, most_queries);
        if (asked == 0) throw std::runtime_error("no query is asked");
        queries_.resize(asked * dim);
        bias.resize(rows);
        exact_.resize(asked * top);
        exact_plain_.resize(asked * top);
        std::vector<char> scratch(nnn::neighbors_scratch(16, dim));
        std::vector<std::uint32_t> found(asked);
        if (std::ifstream(folder + "/bias.npy").good()) {
            std::size_t count, one;
            bias = elements(folder + "/bias.npy", count, one);
            if (bias.size() != rows) throw std::runtime_error("bias.npy is not of this gallery");
        } else {
            const std::vector<float> bank = unit_rows(folder + "/bank.npy", dim);
            nnn::check(nnn::bias(gallery(), nnn::matrix_f32(bank, dim), 16, 0.75f, nnn::all, scratch, bias));
        }
        nnn::check(nnn::search(queries(), gallery(), bias, std::nullopt, top, nnn::all, scratch, exact_, found));
        nnn::check(nnn::search(queries(), gallery(), std::nullopt, std::nullopt, top, nnn::all, scratch, exact_plain_, found));
        nnn::check(nnn::find_export_limits(gallery(), bias, nnn::all, limits));
    }

    nnn::matrix_f32 gallery() const { return nnn::matrix_f32(gallery_, dim); }
    nnn::matrix_f32 queries() const { return nnn::matrix_f32(queries_, dim); }

    // The vectors of an index, and of what it is asked.
    std::vector<float> vectors(nnn::form form, std::size_t stride) const {
        std::vector<float> out(rows * stride);
        nnn::check(nnn::export_rows(gallery(), bias, limits, form, nnn::all, out, stride));
        return out;
    }
    std::vector<float> asked_vectors(nnn::form form, std::size_t stride) const {
        std::vector<float> out(asked * stride);
        nnn::check(nnn::export_queries(queries(), form, 1.0f, out, stride));
        return out;
    }

    // The share of the exact top 10 that was found.
    template <class Found>
    double recall(Found found) const {
        return share(exact_, found);
    }
    template <class Found>
    double recall_plain(Found found) const {
        return share(exact_plain_, found);
    }

    const nnn::hit &exact(std::size_t query) const { return exact_[query * top]; }
    const float *query(std::size_t i) const { return queries_.data() + i * dim; }

    bool all_forms;
    std::size_t dim = 0, rows = 0, asked = 0;
    std::vector<float> bias;
    nnn::export_limits limits{};

private:
    template <class Found>
    double share(const std::vector<nnn::hit> &right_hits, Found found) const {
        std::size_t right = 0;
        for (std::size_t q = 0; q < asked; q++) {
            const std::vector<std::uint32_t> ids = found(q);
            for (std::size_t i = 0; i < top; i++)
                right += static_cast<std::size_t>(std::count(ids.begin(), ids.end(), right_hits[q * top + i].id));
        }
        return static_cast<double>(right) / static_cast<double>(asked * top);
    }

    std::vector<float> gallery_, queries_;
    std::vector<nnn::hit> exact_, exact_plain_;
};

inline std::vector<std::uint32_t> ids_of(const std::vector<answer> &answers) {
    std::vector<std::uint32_t> ids;
    for (const answer &a : answers) ids.push_back(a.id);
    return ids;
}

// How much longer queries take one index than another, in time of the processor: the median over blocks of queries, which both are asked
// in turn.
template <class A, class B>
double times_as_long(std::size_t asked, A search, B plain) {
    constexpr std::size_t block = 20;
    const auto time = [](auto &run, std::size_t first, std::size_t end) {
        const std::clock_t start = std::clock();
        for (std::size_t q = first; q < end; q++) run(q);
        return static_cast<double>(std::clock() - start);
    };
    std::vector<double> ratios;
    for (std::size_t first = 0; first < std::min<std::size_t>(asked, 1000); first += block) {
        const std::size_t end = std::min(asked, first + block);
        const bool swap = ratios.size() % 2;
        const double before = swap ? time(search, first, end) : 0;
        const double base = time(plain, first, end);
        ratios.push_back((swap ? before : time(search, first, end)) / base);
    }
    std::sort(ratios.begin(), ratios.end());
    return ratios[ratios.size() / 2];
}

// Runs f(i) for the rows 0..rows, on all processors: how the indexes are filled.
template <class F>
void for_rows(std::size_t rows, F f) {
    const std::size_t workers = std::max(1u, std::thread::hardware_concurrency());
    std::vector<std::thread> threads;
    std::vector<std::exception_ptr> thrown(workers);
    for (std::size_t t = 0; t < workers; t++)
        threads.emplace_back([=, &f, &thrown] {
            try {
                for (std::size_t i = t; i < rows; i += workers) f(i);
            } catch (...) {
                thrown[t] = std::current_exception();
            }
        });
    for (std::thread &thread : threads) thread.join();
    for (const std::exception_ptr &exception : thrown)
        if (exception) std::rethrow_exception(exception);
}

// Runs an example; what it throws goes to stderr.
inline int run(void (*example)(int, char **), int argc, char **argv) {
    try {
        example(argc, argv);
        return 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}

// The problem that the command line names: a folder, how many of its queries, and `ip` to export the inner-product form only.
inline problem problem_of(int argc, char **argv) {
    return problem(argc > 1 ? argv[1] : "examples/data/pydoc-minilm", argc > 2 ? std::stoul(argv[2]) : SIZE_MAX,
                   argc < 4 || std::strcmp(argv[3], "ip") != 0);
}

// What every index of an example is tried with: as little of it as finds 99 % of what an exact search does.
constexpr double enough = 0.99;
constexpr std::size_t first_ef = 128;

// Searches by reranking the best of a plain index, and counts how.
template <class Index>
struct reranking {
    const problem &p;
    const Index &index;
    std::size_t most;
    float bias_min = *std::min_element(p.bias.begin(), p.bias.end());
    std::size_t proved = 0, candidates = 0, searches = 0;

    std::vector<std::uint32_t> operator()(std::size_t q) {
        std::vector<nnn::hit> hits(top);
        std::uint32_t found = 0;
        for (std::size_t len = std::min<std::size_t>(64, p.rows), next = 0;; len = next) {
            std::vector<nnn::hit> list;
            for (const answer &a : index.search(p.query(q), len)) list.push_back({a.value, a.id});
            nnn::check(nnn::rerank_certified(list, p.bias, bias_min, top, hits, found, next));
            if (next == 0 || next > most || list.size() < len) {
                proved += next == 0;
                candidates += len;
                searches++;
                break;
            }
        }
        std::vector<std::uint32_t> ids;
        for (std::uint32_t i = 0; i < found; i++) ids.push_back(hits[i].id);
        return ids;
    }
};

// An Index is made of (what it compares by, vectors, their dim) and has search(vector, k), best first; more(), which makes it look at
// half as many candidates again, or says that it cannot; and effort(), the number that this changes.
// Prints a line for the engine's own plain search, and beside it one for each way to debias it.
template <class Index>
class comparison {
public:
    comparison(const char *engine, const problem &of) : p(of), plain(make_plain(of)) {
        std::printf("%s, %zu rows, %zu queries, dim %zu              recall@10 of exact debiased search, time / plain\n", engine, p.rows,
                    p.asked, p.dim);
        double found = p.recall_plain(plain_search());
        for (; found < enough && plain.more(); steps_++) found = p.recall_plain(plain_search());
        std::printf("  %-48s  %.4f  1.00  %srecall@10 of exact plain search: %.4f\n", "plain index", p.recall(plain_search()),
                    plain.effort().c_str(), found);
        std::fflush(stdout);
    }

    // A search of the same queries by other means: ids by the number of the query.
    template <class Search>
    void line(const std::string &name, Search search, const std::string &remark = "") const {
        line(name, search, remark, plain);
    }

    // The same by an index of the kind with more(): with the effort of the plain index, then with as much as finds enough.
    template <class Some, class Search>
    void enough_of(const std::string &name, Some &index, Search search) const {
        for (std::size_t i = 0; i < steps_; i++) index.more();
        enough_of(name, index, search, "", plain);
    }

    // Vectors of one form in an index that compares by one (the same, or it is wrong), of so many elements more than they need.
    void exported(const std::string &name, nnn::form form, nnn::form index_form, std::size_t multiple) const {
        const std::size_t stride = nnn::export_dim(p.dim, form, multiple);
        Index index(index_form, p.vectors(form, stride), stride);
        const std::vector<float> asked = p.asked_vectors(form, stride);
        const auto search = [&](std::size_t q) { return ids_of(index.search(asked.data() + q * stride, top)); };
        for (std::size_t i = 0; i < steps_; i++) index.more();
        if (form != index_form) {
            line(name, search, index.effort() + "WRONG, and no error says so", baseline(index_form));
            return;
        }
        double worst = 0;  // the scores, taken back from what the engine answers
        for (std::size_t q = 0; q < std::min<std::size_t>(p.asked, 200); q++) {
            const answer first = index.search(asked.data() + q * stride, 1).at(0);
            float score = first.value;
            nnn::check(nnn::export_scores(p.limits, form, {p.query(q), p.dim}, 1.0f, {&score, 1}));
            if (first.id == p.exact(q).id) worst = std::max(worst, std::abs(static_cast<double>(score) - static_cast<double>(p.exact(q).score)));
        }
        char remark[64];
        std::snprintf(remark, sizeof remark, "scores within %.0e", worst);
        enough_of(name, index, search, remark, baseline(form));
    }

    // All three forms in their own indexes, and the wrong combination. Padded to what the engine's kernels like.
    void exported_forms(const std::string &index, std::size_t multiple) const {
        exported(index + "exported, inner product", nnn::form::inner_product, nnn::form::inner_product, multiple);
        if (p.all_forms) {
            exported(index + "exported, L2", nnn::form::l2, nnn::form::l2, multiple);
            exported(index + "exported, cosine", nnn::form::cosine, nnn::form::cosine, multiple);
        }
        exported(index + "inner-product form in a cosine index", nnn::form::inner_product, nnn::form::cosine, multiple);
    }

    // The plain index' best, reranked; asked for more until the certificate holds, or `most` were asked for. Where rows are missing
    // because the index missed them, once more with an index that looks at as many as finds enough.
    void reranked(const std::string &name, std::size_t most) const {
        if (reranked(name, most, plain, "") >= enough) return;
        Index index = make_plain(p);
        for (std::size_t i = 0; i < steps_; i++) index.more();
        reranking<Index> list{p, index, most};
        while (index.more() && p.recall(std::ref(list)) < enough) {
        }
        reranked(name + ", more effort", most, index, index.effort());
    }

    const problem &p;
    Index plain;

private:
    std::size_t steps_ = 0;  // of more() that the plain index needed

    mutable std::unique_ptr<Index> plain_l2_, plain_cosine_;

    static Index make_plain(const problem &of, nnn::form form = nnn::form::inner_product) {
        const auto rows = of.gallery();
        return Index(form, std::vector<float>(rows.data, rows.data + of.rows * of.dim), of.dim);
    }
    double reranked(const std::string &name, std::size_t most, const Index &index, const std::string &effort) const {
        reranking<Index> list{p, index, most};
        const double found = p.recall(std::ref(list));
        const double time = times_as_long(p.asked, std::ref(list), plain_search());
        std::printf("  %-48s  %.4f  %.2f  %sproved: %.0f %%, with %.0f candidates on average, at most %zu\n", name.c_str(), found, time,
                    effort.c_str(), 100.0 * static_cast<double>(list.proved) / static_cast<double>(list.searches),
                    static_cast<double>(list.candidates) / static_cast<double>(list.searches), most);
        std::fflush(stdout);
        return found;
    }
    auto plain_search() const {
        return [this](std::size_t q) { return ids_of(plain.search(p.query(q), top)); };
    }

    // The plain index that compares by the same: its cost is what debiasing adds to.
    const Index &baseline(nnn::form form) const {
        if (form == nnn::form::inner_product || (form == nnn::form::cosine && Index::cosine_is_product)) return plain;
        std::unique_ptr<Index> &index = form == nnn::form::l2 ? plain_l2_ : plain_cosine_;
        if (!index) {
            index = std::make_unique<Index>(make_plain(p, form));
            for (std::size_t i = 0; i < steps_; i++) index->more();
        }
        return *index;
    }

    template <class Search>
    double line(const std::string &name, Search search, const std::string &remark, const Index &against) const {
        const auto other = [&](std::size_t q) { return ids_of(against.search(p.query(q), top)); };
        const double found = p.recall(search);
        std::printf("  %-48s  %.4f  %.2f  %s\n", name.c_str(), found, times_as_long(p.asked, search, other), remark.c_str());
        std::fflush(stdout);
        return found;
    }

    template <class Some, class Search>
    void enough_of(const std::string &name, Some &index, Search search, const std::string &remark, const Index &against) const {
        if (line(name, search, index.effort() + remark, against) >= enough || !index.more()) return;
        while (p.recall(search) < enough && index.more()) {
        }
        line(name + ", more effort", search, index.effort(), against);
    }
};

}  // namespace engines

#endif
