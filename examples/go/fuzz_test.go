package nnn

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand"
	"os"
	"reflect"
	"sort"
	"strconv"
	"testing"
	"time"
)

// FuzzArguments: whatever the shapes, an answer or an *Error that says something; never a crash.
func FuzzArguments(f *testing.F) {
	f.Add(byte(0), 5, 8, 8, 4, 8, 3, float32(0.75), 2, []byte("abcdefgh"))
	f.Add(byte(3), 5, 8, 9, -4, 8, 0, float32(math.Inf(1)), -2, []byte{255, 255, 255, 255, 127, 0, 0, 0})
	pool := unit(64, 64, 1).Data
	f.Fuzz(func(t *testing.T, op byte, rows, dim, stride, bankRows, bankDim, k int, alpha float32, n int, raw []byte) {
		part := func(n int) []float32 {
			if n < 0 || n > len(pool) {
				n = len(pool)
			}
			return pool[:n:n]
		}
		gallery := Matrix{part(n), rows, dim, stride}
		if op&64 != 0 && len(raw) >= 4 {
			data := make([]float32, len(raw)/4)
			_ = binary.Read(bytes.NewReader(raw), binary.LittleEndian, data)
			gallery.Data = data
		}
		bank := Matrix{pool, bankRows, bankDim, 0}
		codes := make([]int8, len(raw))
		for i, b := range raw {
			codes[i] = int8(b)
		}
		galleryCodes := Codes{codes, part(rows), rows, dim, stride}
		bankCodes := Codes{codes, nil, bankRows, bankDim, 0}
		hits := make([]Hit, len(raw)/8)
		_ = binary.Read(bytes.NewReader(raw), binary.LittleEndian, hits)
		var err error
		switch op % 17 {
		case 0:
			_, err = Bias(gallery, bank, k, alpha)
		case 1:
			_, err = Bias(galleryCodes, bankCodes, k, alpha)
		case 2:
			_, err = Search(bank, gallery, part(rows), nil, k)
		case 3:
			_, err = Search(bankCodes, galleryCodes, nil, []uint64{uint64(n)}, k)
		case 4:
			_, err = Scores(gallery, bank)
		case 5:
			_, err = Normalize(gallery)
		case 6:
			_, err = Quantize(gallery)
		case 7:
			var table *Neighbors
			if uint64(rows) < 1<<10 && uint64(k) < 1<<10 || rows > 1<<40 || k > 1<<50 {
				table, err = NewNeighbors(rows, k)
			}
			if err == nil {
				if err = Update(table, gallery, bank); err == nil {
					_, err = table.Bias(k, alpha)
				}
			}
		case 8:
			_, err = SoftmaxBias(gallery, bank, alpha)
		case 9:
			_, err = Rerank(hits, part(n), k)
		case 10:
			_, err = MergeHits(hits[:len(hits)/2], hits[len(hits)/2:], k)
		case 12:
			var g, b Encoded
			if g, err = Encode(gallery, Side(op>>4&1), nil, 1); err == nil {
				if b, err = Encode(bank, Side(op>>5&1), nil, uint64(op>>6&1)); err == nil {
					if _, err = Bias(g, b, k, alpha); err == nil {
						_, err = Search(b, g, nil, nil, k)
					}
				}
			}
		case 13:
			var x *Coarse[Matrix]
			if x, err = NewCoarse(bank, CoarseOptions{n & 15, int(op >> 5), uint64(n)}); err == nil {
				if _, _, err = x.Bias(gallery, k, alpha, n); err == nil {
					x.IDs, x.Offsets = counted(raw, x.IDs), counted(raw, x.Offsets)
					if _, _, err = x.Search(gallery, nil, []uint64{uint64(n), 7}, k, n); err == nil {
						err = x.Check()
					}
				}
			}
		case 14:
			table := &NeighborIDs{hits, rows, k}
			if err = UpdateIDs(table, galleryCodes, bankCodes, n, []uint64{uint64(n)}); err == nil {
				if _, err = table.Expire(k, []uint64{uint64(n), 3}, n); err == nil {
					_, err = table.Bias(k, alpha)
				}
			}
		case 15:
			_, _, err = RerankCertified(hits, part(n), alpha, k)
		case 16:
			e := &Export{Form(op >> 6), dim, stride, float64(alpha), -1, 1}
			if op&32 != 0 {
				e, err = NewExport(gallery, part(rows), Form(op>>6), n)
			}
			if err == nil {
				if _, err = e.Rows(gallery, part(rows)); err == nil {
					if _, err = e.Queries(gallery, alpha); err == nil {
						_, err = e.Scores(part(dim), alpha, part(n))
					}
				}
			}
		case 11:
			table := &Neighbors{part(n), rows, k}
			if err = table.Merge(&Neighbors{append([]float32(nil), part(n)...), rows, k}); err == nil {
				t.Log("merged")
			}
		}
		if e, is := err.(*Error); err != nil && (!is || len(e.Reason) < 5) {
			t.Fatalf("%#v", err)
		}
	})
}

// counted puts numbers from raw bytes over some of those of an index.
func counted(raw []byte, numbers []uint32) []uint32 {
	out := append([]uint32(nil), numbers...)
	for i := 0; i+2 < len(raw) && len(out) > 0; i += 3 {
		out[int(raw[i])%len(out)] = uint32(raw[i+1])<<(raw[i+2]&31) | uint32(raw[i+2])
	}
	return out
}

// problem is a small retrieval whose similarities are exact in any order of addition: elements are multiples of 1/8.
type problem struct {
	gallery, bank, queries Matrix
	codes                  [3]Codes
	k, top                 int
	alpha                  float32
	allow                  []uint64
}

func newProblem(r *rand.Rand) problem {
	dim := 1 + r.Intn(70)
	rows := func(least int) (Matrix, Codes) {
		n := least + r.Intn(40)
		stride := dim + r.Intn(2)*r.Intn(5)
		m := Matrix{Data: make([]float32, n*stride), Rows: n, Dim: dim, Stride: stride}
		c := Codes{Data: make([]int8, n*stride), Scale: make([]float32, n), Rows: n, Dim: dim, Stride: stride}
		for i := range m.Data {
			c.Data[i] = int8(r.Intn(17) - 8)
			m.Data[i] = float32(c.Data[i]) / 8
		}
		for i := range c.Scale {
			c.Scale[i] = 1.0 / 8
		}
		return m, c
	}
	var p problem
	p.gallery, p.codes[0] = rows(0)
	p.bank, p.codes[1] = rows(1)
	p.queries, p.codes[2] = rows(0)
	p.k, p.top, p.alpha = 1+r.Intn(p.bank.Rows), 1+r.Intn(50), float32(r.Intn(9)-2)/4
	if r.Intn(2) == 0 {
		p.allow = []uint64{r.Uint64()}
	}
	return p
}

func similarity(a Matrix, i int, b Matrix, j int) float64 {
	var sum float64
	for d := 0; d < a.Dim; d++ {
		sum += float64(a.Data[i*a.Stride+d]) * float64(b.Data[j*b.Stride+d])
	}
	return sum
}

// bias is the definition, of the bank rows for which live is true.
func (p problem) bias(k int, live func(j int) bool) []float32 {
	out := make([]float32, p.gallery.Rows)
	for i := range out {
		var all []float64
		for j := 0; j < p.bank.Rows; j++ {
			if live(j) {
				all = append(all, similarity(p.gallery, i, p.bank, j))
			}
		}
		sort.Sort(sort.Reverse(sort.Float64Slice(all)))
		var sum float64
		for _, x := range all[:k] {
			sum += x
		}
		out[i] = float32(float64(p.alpha)*(sum/float64(k))) + 0 // -0 is stored as +0
	}
	return out
}

// hits are all allowed rows in order, cut at top.
func (p problem) hits(bias []float32, top int) [][]Hit {
	lists := make([][]Hit, p.queries.Rows)
	for q := range lists {
		for i := 0; i < p.gallery.Rows; i++ {
			if p.allow == nil || p.allow[0]>>i&1 == 1 {
				score := float32(similarity(p.queries, q, p.gallery, i))
				if bias != nil {
					score -= bias[i]
				}
				lists[q] = append(lists[q], Hit{score + 0, uint32(i)})
			}
		}
		list := lists[q]
		sort.SliceStable(list, func(a, b int) bool { return list[a].Score > list[b].Score })
		if len(list) > top {
			lists[q] = list[:top]
		}
	}
	return lists
}

func sameHits(a, b [][]Hit) bool {
	for q := range a {
		if len(a[q]) != len(b[q]) || len(a[q]) > 0 && !reflect.DeepEqual(a[q], b[q]) {
			return false
		}
	}
	return len(a) == len(b)
}

// check compares every function with the definition, bit for bit.
func (p problem) check(t *testing.T, seed int64) {
	t.Helper()
	same := func(what string, good bool) {
		t.Helper()
		if !good {
			t.Fatalf("seed %d: %s differs from the definition", seed, what)
		}
	}
	all := func(int) bool { return true }
	expected := p.bias(p.k, all)
	bias, err := Bias(p.gallery, p.bank, p.k, p.alpha)
	ok(t, err)
	same("Bias", reflect.DeepEqual(bias, expected))
	codesBias, err := Bias(p.codes[0], p.codes[1], p.k, p.alpha)
	ok(t, err)
	same("Bias of codes", reflect.DeepEqual(codesBias, expected))
	g, err := Encode(p.gallery, GallerySide, nil, 1)
	ok(t, err)
	b, err := Encode(p.bank, QuerySide, nil, 1)
	ok(t, err)
	q, err := Encode(p.queries, QuerySide, nil, 1)
	ok(t, err)
	certified, err := Bias(g, b, p.k, p.alpha)
	ok(t, err)
	same("certified Bias", reflect.DeepEqual(certified, expected))

	cut := int(seed&1) * p.bank.Rows / 2
	shards := [2]Matrix{p.bank, p.bank}
	shards[0].Rows = cut
	shards[1].Data, shards[1].Rows = p.bank.Data[cut*p.bank.Stride:], p.bank.Rows-cut
	table, err := NewNeighbors(p.gallery.Rows, p.k)
	ok(t, err)
	ids, err := NewNeighborIDs(p.gallery.Rows, p.k)
	ok(t, err)
	for i, shard := range shards {
		part, err := NewNeighbors(p.gallery.Rows, p.k)
		ok(t, err)
		ok(t, Update(part, p.gallery, shard))
		ok(t, table.Merge(part))
		ok(t, UpdateIDs(ids, p.gallery, shard, i*cut, nil))
	}
	bias, err = table.Bias(p.k, p.alpha)
	ok(t, err)
	same("Neighbors", reflect.DeepEqual(bias, expected))
	bias, err = ids.Bias(p.k, p.alpha)
	ok(t, err)
	same("NeighborIDs", reflect.DeepEqual(bias, expected))
	live, kept := []uint64{uint64(seed)*0x9e3779b97f4a7c15 | 1}, 0
	for j := 0; j < p.bank.Rows; j++ {
		kept += int(live[0] >> j & 1)
	}
	few := p.k
	if few > kept {
		few = kept
	}
	short, err := ids.Expire(few, live, p.bank.Rows)
	ok(t, err)
	for _, row := range short {
		ok(t, Renew(ids, int(row), p.gallery, p.bank, live))
	}
	bias, err = ids.Bias(few, p.alpha)
	ok(t, err)
	same("NeighborIDs of a bank that shrank", reflect.DeepEqual(bias, p.bias(few, func(j int) bool { return live[0]>>j&1 == 1 })))

	lists, err := NewCoarse(p.bank, CoarseOptions{Seed: uint64(seed)})
	ok(t, err)
	bias, did, err := lists.Bias(p.gallery, p.k, p.alpha, lists.Lists())
	ok(t, err)
	same("Coarse.Bias", reflect.DeepEqual(bias, expected) && did == Probed{uint64(p.gallery.Rows * p.bank.Rows), 0})

	for _, bias := range [][]float32{nil, expected} {
		expectedHits := p.hits(bias, p.top)
		hits, err := Search(p.queries, p.gallery, bias, p.allow, p.top)
		ok(t, err)
		same("Search", sameHits(hits, expectedHits))
		hits, err = Search(p.codes[2], p.codes[0], bias, p.allow, p.top)
		ok(t, err)
		same("Search of codes", sameHits(hits, expectedHits))
		hits, err = Search(q, g, bias, p.allow, p.top)
		ok(t, err)
		same("certified Search", sameHits(hits, expectedHits))
		if p.gallery.Rows > 0 {
			index, err := NewCoarse(p.gallery, CoarseOptions{Seed: uint64(seed)})
			ok(t, err)
			ok(t, index.Check())
			hits, _, err = index.Search(p.queries, bias, p.allow, p.top, index.Lists())
			ok(t, err)
			same("Coarse.Search", sameHits(hits, expectedHits))
			codes, err := NewCoarse(p.codes[0], CoarseOptions{Seed: uint64(seed)})
			ok(t, err)
			hits, _, err = codes.Search(p.codes[2], bias, p.allow, p.top, codes.Lists())
			ok(t, err)
			same("Coarse.Search of codes", sameHits(hits, expectedHits))
		}
	}
	expectedHits := p.hits(expected, p.top)
	least := float32(math.Inf(1))
	for _, x := range expected {
		least = float32(math.Min(float64(least), float64(x)))
	}
	for query, candidates := range p.hits(nil, p.gallery.Rows) {
		reranked, err := Rerank(candidates, expected, p.top)
		ok(t, err)
		same("Rerank", sameHits([][]Hit{reranked}, expectedHits[query:query+1]))
		half := len(expectedHits[query]) / 2
		merged, err := MergeHits(expectedHits[query][half:], expectedHits[query][:half], p.top)
		ok(t, err)
		same("MergeHits", sameHits([][]Hit{merged}, expectedHits[query:query+1]))
		if p.allow == nil && len(candidates) > 0 {
			proved, next, err := RerankCertified(candidates[:(len(candidates)+1)/2], expected, least, p.top)
			ok(t, err)
			same("RerankCertified", next > 0 || sameHits([][]Hit{proved}, expectedHits[query:query+1]))
		}
	}
	p.checkExport(t, expected, same)
}

// checkExport: vectors give the debiased scores back, to rounding.
func (p problem) checkExport(t *testing.T, bias []float32, same func(string, bool)) {
	t.Helper()
	if p.gallery.Rows == 0 {
		return
	}
	for _, form := range []Form{InnerProduct, L2, Cosine} {
		export, err := NewExport(p.gallery, bias, form, 4)
		ok(t, err)
		rows, err := export.Rows(p.gallery, bias)
		ok(t, err)
		queries, err := export.Queries(p.queries, 1)
		ok(t, err)
		rows.Stride, queries.Stride = rows.Dim, queries.Dim
		for q := 0; q < queries.Rows; q++ {
			values := make([]float32, rows.Rows)
			for i := range values {
				inner, row, query := similarity(queries, q, rows, i), similarity(rows, i, rows, i), similarity(queries, q, queries, q)
				switch form {
				case L2:
					inner = row + query - 2*inner
				case Cosine:
					inner /= math.Max(math.Sqrt(row*query), 1e-30)
				}
				values[i] = float32(inner)
			}
			scores, err := export.Scores(p.queries.Data[q*p.queries.Stride:q*p.queries.Stride+p.queries.Dim], 1, values)
			ok(t, err)
			for i, score := range scores {
				same("Export", math.Abs(similarity(p.queries, q, p.gallery, i)-float64(bias[i])-float64(score)) < 1e-3)
			}
		}
	}
}

// FuzzResults: small problems against the definition.
func FuzzResults(f *testing.F) {
	for seed := int64(0); seed < 20; seed++ {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed int64) { newProblem(rand.New(rand.NewSource(seed))).check(t, seed) })
}

// The same for a second, or NNN_FUZZ_SECONDS.
func TestRandomProblems(t *testing.T) {
	seconds := 1.0
	if given, err := strconv.ParseFloat(os.Getenv("NNN_FUZZ_SECONDS"), 64); err == nil {
		seconds = given
	}
	count, seed := 0, time.Now().UnixNano()
	for end := time.Now().Add(time.Duration(seconds * float64(time.Second))); time.Now().Before(end); count++ {
		newProblem(rand.New(rand.NewSource(seed+int64(count)))).check(t, seed+int64(count))
	}
	t.Logf("%d problems from seed %d", count, seed)
}
