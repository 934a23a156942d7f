// The C library as WebAssembly, on the authors' data (ffi-tests/golden): the same checks as tests/core_golden.rs, through the C ABI.
//   node ffi-tests/wasm/golden.mjs nnn.wasm
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";

const DIM = 128, GALLERY = 500, BANK = 2000, QUERIES = 400, TOP = 10, K = 16, ALPHA = 0.75;
const TOLERANCE = 2e-6;
const OK = 0, ERR_K = -3, ISA_PORTABLE = 2;

const module = new WebAssembly.Module(readFileSync(process.argv[2]));
assert.deepEqual(WebAssembly.Module.imports(module), [], "the library needs nothing from its host");
const features = Buffer.concat(WebAssembly.Module.customSections(module, "target_features").map((part) => Buffer.from(part)));
assert(features.includes("+\x07simd128"), "built with 128-bit lanes");
const nnn = new WebAssembly.Instance(module).exports;

// The caller owns all memory: what lies past the library's own, handed out once.
let next = nnn.__heap_base.value;
function allocate(bytes) {
    const start = (next + 15) & ~15;
    next = start + bytes;
    const missing = next - nnn.memory.buffer.byteLength;
    if (missing > 0) nnn.memory.grow(Math.ceil(missing / 65536));
    return start;
}
const floats = (at, count) => new Float32Array(nnn.memory.buffer, at, count);
const words = (at, count) => new Uint32Array(nnn.memory.buffer, at, count);

function npy(name, type) {
    const bytes = readFileSync(new URL(`../golden/${name}.npy`, import.meta.url));
    const start = 10 + bytes.readUInt16LE(8);
    return new type(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length));
}

// nnn_mat_f32 and nnn_mat_i8 of rows in the memory.
function matF32(data, rows) {
    const mat = allocate(16);
    words(mat, 4).set([data, rows, DIM, DIM]);
    return mat;
}
function load(name, rows) {
    const values = npy(name, Float32Array);
    assert.equal(values.length, rows * DIM, name);
    const data = allocate(values.byteLength);
    floats(data, values.length).set(values);
    return matF32(data, rows);
}
function quantised(mat, rows) {
    const [codes, scale, coded] = [allocate(rows * DIM), allocate(rows * 4), allocate(20)];
    assert.equal(nnn.nnn_quantize_i8(mat, codes, DIM, scale), OK);
    words(coded, 5).set([codes, scale, rows, DIM, DIM]);
    return coded;
}

let checks = 0;
function close(got, expected, what) {
    assert.equal(got.length, expected.length, what);
    const scale = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
    got.forEach((x, i) => assert(Math.abs(x - expected[i]) <= TOLERANCE * scale, `${what}[${i}]: ${x} for ${expected[i]}`));
    checks++;
}

assert.equal(nnn.nnn_isa_active(), ISA_PORTABLE);
const [gallery, bank, queries] = [load("candidates", GALLERY), load("reference_queries", BANK), load("test_queries", QUERIES)];
const scratchLength = nnn.nnn_neighbors_scratch(K, DIM);
const scratch = allocate(scratchLength);
const bias = allocate(GALLERY * 4);

for (const [k, name] of [[1, "nnn_alignment_means_k1"], [16, "nnn_alignment_means"], [128, "nnn_alignment_means_k128"], [2000, "nnn_alignment_means_k2000"]]) {
    assert.equal(nnn.nnn_bias_f32(gallery, bank, k, 1, 0, GALLERY, scratch, scratchLength, bias), OK);
    close(floats(bias, GALLERY), npy(name, Float32Array), name);
}

// Search; per query the scores and rows of its hits.
const [hits, found] = [allocate(QUERIES * TOP * 8), allocate(QUERIES * 4)];
function search(call, q, g, b) {
    assert.equal(call(q, g, b, 0, TOP, 0, GALLERY, scratch, scratchLength, hits, found), OK);
    assert(words(found, QUERIES).every((n) => n === TOP));
    const ids = words(hits, QUERIES * TOP * 2).filter((_, i) => i % 2 === 1);
    return { ids, scores: floats(hits, QUERIES * TOP * 2).filter((_, i) => i % 2 === 0) };
}
const answers = npy("gt", BigInt64Array);
const recall = (result) => (100 * answers.reduce((n, row, q) => n + (result.ids[q * TOP] === Number(row)), 0)) / QUERIES;

const plain = search(nnn.nnn_search_f32, queries, gallery, 0);
close(plain.scores, npy("base_search_scores", Float32Array), "base_search_scores");
assert.equal(nnn.nnn_bias_f32(gallery, bank, K, ALPHA, 0, GALLERY, scratch, scratchLength, bias), OK);
const debiased = search(nnn.nnn_search_f32, queries, gallery, bias);
close(debiased.scores, npy("nnn_search_scores", Float32Array), "nnn_search_scores");
assert.deepEqual([recall(plain), recall(debiased)], [60.5, 79.75]);
checks++;

const [g8, b8, q8] = [quantised(gallery, GALLERY), quantised(bank, BANK), quantised(queries, QUERIES)];
assert.equal(nnn.nnn_bias_i8(g8, b8, K, ALPHA, 0, GALLERY, scratch, scratchLength, bias), OK);
const coded = recall(search(nnn.nnn_search_i8, q8, g8, bias));
assert(Math.abs(coded - 79.75) <= 1, `int8 recall ${coded}`);
checks++;

// int8 dots are exact, for every length about the vectors and for codes of -128.
const [a, b, out] = [allocate(300), allocate(300), allocate(4)];
for (let dim = 1; dim <= 300; dim++) {
    const codes = [a, b].map((at, side) => new Int8Array(nnn.memory.buffer, at, dim).map((_, i) => (i * 37 + dim * (side + 1)) % 5 ? i * 91 + side * 13 : -128));
    [a, b].forEach((at, side) => new Int8Array(nnn.memory.buffer, at, dim).set(codes[side]));
    assert.equal(nnn.nnn_dot_i8(a, b, dim, out), OK);
    assert.equal(new Int32Array(nnn.memory.buffer, out, 1)[0], codes[0].reduce((sum, x, i) => sum + x * codes[1][i], 0), `dim ${dim}`);
}
checks++;

// Refused: nothing is written.
const before = words(hits, 2).slice();
assert.equal(nnn.nnn_search_f32(queries, gallery, 0, 0, 0, 0, GALLERY, 0, 0, hits, found), ERR_K);
assert.deepEqual(words(hits, 2).slice(), before);
checks++;

console.log(`${checks} checks passed, R@1 ${recall(plain)} plain, ${recall(debiased)} debiased, ${coded} in int8`);
