// The golden file of the bindings (golden/bindings.bin, format in golden_bindings.rs) through nnn.hpp: golden FILE
#include "nnn.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

static std::vector<unsigned char> file;
static std::size_t at = 0;

template <class T>
static std::vector<T> take(std::size_t count) {
    std::vector<T> out(count);
    if (file.size() - at < count * sizeof(T)) {
        std::fprintf(stderr, "the file ends early\n");
        std::exit(1);
    }
    if (count != 0) std::memcpy(out.data(), file.data() + at, count * sizeof(T));
    at += count * sizeof(T);
    return out;
}

template <class T>
static void same(const char *what, const std::vector<T> &got) {
    const std::vector<T> expected = take<T>(got.size());
    if (!got.empty() && std::memcmp(got.data(), expected.data(), got.size() * sizeof(T)) != 0) {
        std::fprintf(stderr, "%s: not the bits of the file\n", what);
        std::exit(1);
    }
}

using floats = std::vector<float>;
using numbers = std::vector<std::uint32_t>;

struct lists {
    std::vector<nnn::hit> hits;
    numbers found;
    lists(std::size_t queries, std::size_t top) : hits(queries * top, nnn::hit{0.0f, 0}), found(queries) {}
    void same(const char *what) const {
        ::same(what, hits);
        ::same(what, found);
    }
};

struct codes {
    std::vector<std::int8_t> codes;
    floats scale;
};

struct coarse_lists {
    floats centroids, listed;
    numbers offsets, ids;

    coarse_lists(const floats &rows, std::size_t dim, std::size_t count, std::size_t rounds, std::uint64_t seed, nnn::scratch work)
        : centroids(count * dim), listed(rows.size()), offsets(count + 1), ids(rows.size() / dim) {
        const nnn::matrix_f32 m(rows, dim);
        numbers assigned(m.rows);
        nnn::check(nnn::coarse_train(m, count, rounds, seed, work, centroids));
        nnn::check(nnn::coarse_assign(m, nnn::matrix_f32(centroids, dim), nnn::all, work, assigned));
        nnn::check(nnn::coarse_lists(assigned, offsets, ids));
        nnn::check(nnn::coarse_check(offsets, ids, work));
        nnn::check(nnn::coarse_gather(m, ids, listed, dim));
    }
    nnn::coarse view(std::size_t dim) const { return {nnn::matrix_f32(centroids, dim), offsets, ids}; }
};

int main(int argc, char **argv) {
    const std::string isa = nnn::isa_name(nnn::isa_active());
    if (argc != 2) return 2;
    if (isa == "scalar" || isa == "portable") {
        std::puts("skipped: the bits are those of processors with fused multiply-add");
        return 0;
    }
    std::FILE *stream = std::fopen(argv[1], "rb");
    if (stream == nullptr) return 2;
    for (int byte; (byte = std::fgetc(stream)) != EOF;) file.push_back(static_cast<unsigned char>(byte));
    std::fclose(stream);

    const numbers sizes = take<std::uint32_t>(6);
    const std::size_t rows = sizes[0], banks = sizes[1], asked = sizes[2], dim = sizes[3], k = sizes[4], top = sizes[5];
    const floats parameters = take<float>(2);
    const float alpha = parameters[0], beta = parameters[1];
    const floats gallery = take<float>(rows * dim), bank = take<float>(banks * dim), queries = take<float>(asked * dim);
    const std::vector<std::uint64_t> allow = take<std::uint64_t>((rows + 63) / 64);
    const nnn::matrix_f32 g(gallery, dim), b(bank, dim), q(queries, dim);
    std::vector<std::byte> memory(2 << 20);
    const nnn::scratch work(memory);

    // In two ranges of the gallery and two shards of the bank.
    const nnn::matrix_f32 shards[] = {{bank.data() + 30 * dim, banks - 30, dim}, {bank.data(), 30, dim}};
    floats table_floats(rows * k), shard_floats(rows * k), bias(rows), softmax(rows), scores(asked * rows);
    nnn::neighbors table(table_floats, k), shard(shard_floats, k);
    nnn::check(table.init());
    for (const nnn::matrix_f32 &part : shards) {
        nnn::check(shard.init());
        nnn::check(shard.update(g, part, nnn::all, work));
        nnn::check(table.merge(shard));
    }
    same("table", table_floats);
    for (const nnn::range range : {nnn::range{20}, nnn::range{0, 20}})
        nnn::check(nnn::bias(g, b, k, alpha, range, work, nnn::span<float>(bias.data() + range.first, rows - range.first)));
    same("bias", bias);
    std::vector<nnn_log_sum> sums(rows);
    nnn::log_sums log_sums(sums, beta);
    nnn::check(log_sums.init());
    for (const nnn::matrix_f32 &part : shards) nnn::check(log_sums.update(g, part, nnn::all, work));
    nnn::check(log_sums.bias(softmax));
    same("softmax", softmax);
    nnn::check(nnn::scores(q, g, nnn::all, scores, rows));
    same("scores", scores);
    lists plain(asked, top), debiased(asked, top);
    nnn::check(nnn::search(q, g, std::nullopt, std::nullopt, top, nnn::all, work, plain.hits, plain.found));
    plain.same("plain hits");
    nnn::check(nnn::search(q, g, bias, allow, top, nnn::all, work, debiased.hits, debiased.found));
    debiased.same("debiased hits");

    std::vector<codes> quantized;
    for (const floats *matrix : {&gallery, &bank, &queries}) {
        codes made{std::vector<std::int8_t>(matrix->size()), floats(matrix->size() / dim)};
        nnn::check(nnn::quantize(nnn::matrix_f32(*matrix, dim), made.codes, dim, made.scale));
        same("codes", made.codes);
        same("scales", made.scale);
        quantized.push_back(made);
    }
    const auto of = [&](std::size_t i) { return nnn::matrix_i8(quantized[i].codes, quantized[i].scale, dim); };
    floats int8_bias(rows);
    nnn::check(nnn::bias(of(0), of(1), k, alpha, nnn::all, work, int8_bias));
    same("int8 bias", int8_bias);
    lists int8_hits(asked, top);
    nnn::check(nnn::search(of(2), of(0), int8_bias, std::nullopt, top, nnn::all, work, int8_hits.hits, int8_hits.found));
    int8_hits.same("int8 hits");

    const numbers shape = take<std::uint32_t>(5);
    const std::size_t few = shape[0], count = shape[1], probes = shape[2], rounds = shape[3];
    const float least = *std::min_element(bias.begin(), bias.end());
    lists proved(asked, few);
    numbers more(asked);
    for (std::size_t i = 0; i < asked; ++i) {
        std::size_t next = 0;
        nnn::check(nnn::rerank_certified({plain.hits.data() + i * top, top}, bias, least, few, {proved.hits.data() + i * few, few},
                                         proved.found[i], next));
        more[i] = static_cast<std::uint32_t>(next);
    }
    proved.same("certified rerank");
    same("ask for next", more);

    const coarse_lists over_gallery(gallery, dim, count, rounds, shape[4], work), over_bank(bank, dim, count, rounds, shape[4], work);
    same("centroids", over_gallery.centroids);
    same("offsets", over_gallery.offsets);
    same("ids", over_gallery.ids);
    std::uint64_t pairs = 0;
    std::size_t short_rows = 0;
    lists probed(asked, top);
    const nnn::matrix_f32 listed(over_gallery.listed, dim), listed_bank(over_bank.listed, dim);
    nnn::check(nnn::coarse_search(q, listed, over_gallery.view(dim), bias, allow, probes, top, work, probed.hits, probed.found, pairs));
    probed.same("coarse hits");
    same("pairs", numbers{static_cast<std::uint32_t>(pairs)});
    floats coarse(rows);
    nnn::check(table.init());
    nnn::check(nnn::coarse_neighbors(g, listed_bank, over_bank.view(dim), probes, k, nnn::all, work, table_floats, pairs));
    nnn::check(nnn::coarse_bias(table_floats, k, k, alpha, coarse, short_rows));
    same("coarse bias", coarse);
    same("short rows, pairs", numbers{static_cast<std::uint32_t>(short_rows), static_cast<std::uint32_t>(pairs)});

    const std::vector<std::uint64_t> live = take<std::uint64_t>((banks + 63) / 64);
    std::vector<nnn::hit> ids_hits(rows * k);
    nnn::neighbor_ids ids(ids_hits, k);
    nnn::check(ids.init());
    nnn::check(ids.update(g, shards[0], std::nullopt, 30, nnn::all, work));
    nnn::check(ids.update(g, shards[1], std::nullopt, 0, nnn::all, work));
    same("table with ids", ids_hits);
    numbers short_list(rows);
    nnn::check(ids.expire(few, live, banks, short_list, short_rows));
    short_list.resize(short_rows);
    same("short rows", numbers{static_cast<std::uint32_t>(short_rows)});
    same("short rows", short_list);
    for (const std::uint32_t row : short_list) {
        nnn::neighbor_ids one({ids_hits.data() + row * k, k}, k);
        nnn::check(one.init());
        nnn::check(one.update(g, b, live, 0, {row, 1}, work));
    }
    same("renewed table", ids_hits);
    nnn::check(ids.bias(few, alpha, bias));
    same("bias of the table with ids", bias);
    if (at != file.size()) {
        std::fprintf(stderr, "%zu bytes are left\n", file.size() - at);
        return 1;
    }
    return 0;
}
