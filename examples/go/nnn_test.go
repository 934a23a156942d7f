package nnn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func unit(rows, dim int, seed int64) Matrix {
	random := rand.New(rand.NewSource(seed))
	data := make([]float32, rows*dim)
	for i := range data {
		data[i] = float32(random.NormFloat64() + 0.2)
	}
	m, err := Normalize(NewMatrix(data, dim))
	if err != nil {
		panic(err)
	}
	return m
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// golden reads the file of results of the C functions, in order.
type golden struct {
	t    *testing.T
	file *bytes.Reader
}

func take[T any](g golden, n int) []T {
	g.t.Helper()
	out := make([]T, n)
	ok(g.t, binary.Read(g.file, binary.LittleEndian, out))
	return out
}

func (g golden) floats(what string, got []float32) {
	g.t.Helper()
	for i, x := range take[float32](g, len(got)) {
		if math.Float32bits(x) != math.Float32bits(got[i]) {
			g.t.Fatalf("%s %d: %v, not %v", what, i, got[i], x)
		}
	}
}

func (g golden) hits(what string, got [][]Hit, top int) {
	g.t.Helper()
	hits, found := take[Hit](g, len(got)*top), take[uint32](g, len(got))
	for q, list := range got {
		expected := hits[q*top : q*top+int(found[q])]
		if len(list) != len(expected) || len(list) > 0 && !reflect.DeepEqual(list, expected) {
			g.t.Fatalf("%s, query %d: %v, not %v", what, q, list, expected)
		}
	}
}

// The results of the C functions, bit for bit, whatever the number of goroutines.
func TestSameBits(t *testing.T) {
	if isa := ISA(); isa == "scalar" || isa == "portable" {
		t.Skip("the bits are those of processors with fused multiply-add")
	}
	file, err := os.ReadFile("../../ffi-tests/golden/bindings.bin")
	ok(t, err)
	for _, threads := range []int{1, 3, 7} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		g := golden{t, bytes.NewReader(file)}
		sizes, numbers := take[uint32](g, 6), take[float32](g, 2)
		rows, bankRows, queryRows := int(sizes[0]), int(sizes[1]), int(sizes[2])
		dim, k, top, alpha, beta := int(sizes[3]), int(sizes[4]), int(sizes[5]), numbers[0], numbers[1]
		gallery := NewMatrix(take[float32](g, rows*dim), dim)
		bank := NewMatrix(take[float32](g, bankRows*dim), dim)
		queries := NewMatrix(take[float32](g, queryRows*dim), dim)
		allow := take[uint64](g, (rows+63)/64)

		table, err := NewNeighbors(rows, k)
		ok(t, err)
		other, err := NewNeighbors(rows, k)
		ok(t, err)
		ok(t, Update(other, gallery, NewMatrix(bank.Data[30*dim:], dim)))
		ok(t, Update(table, gallery, NewMatrix(bank.Data[:30*dim], dim)))
		ok(t, table.Merge(other))
		g.floats("table", table.Table)
		bias, err := Bias(gallery, bank, k, alpha)
		ok(t, err)
		g.floats("bias", bias)
		again, err := table.Bias(k, alpha)
		ok(t, err)
		if !reflect.DeepEqual(bias, again) {
			t.Fatal("the table's bias differs")
		}
		softmax, err := SoftmaxBias(gallery, bank, beta)
		ok(t, err)
		g.floats("softmax bias", softmax)
		scores, err := Scores(queries, gallery)
		ok(t, err)
		g.floats("scores", scores)
		hits, err := Search(queries, gallery, nil, nil, top)
		ok(t, err)
		g.hits("plain", hits, top)
		for q, list := range hits {
			reranked, err := Rerank(list, bias, 3)
			ok(t, err)
			for _, hit := range reranked {
				if hit.Score != scores[q*rows+int(hit.ID)]-bias[hit.ID] {
					t.Fatalf("reranked: %v", hit)
				}
			}
		}
		hits, err = Search(queries, gallery, bias, allow, top)
		ok(t, err)
		g.hits("debiased", hits, top)
		mean, err := Mean(bank)
		ok(t, err)
		var encoded []Encoded
		for i, m := range []Matrix{gallery, bank, queries} {
			e, err := Encode(m, []Side{GallerySide, QuerySide, QuerySide}[i], mean, 7)
			ok(t, err)
			encoded = append(encoded, e)
		}
		certified, err := Bias(encoded[0], encoded[1], k, alpha)
		ok(t, err)
		certifiedTable, err := NewNeighbors(rows, k)
		ok(t, err)
		ok(t, Update(certifiedTable, encoded[0], encoded[1]))
		certifiedHits, err := Search(encoded[2], encoded[0], bias, allow, top)
		ok(t, err)
		if !reflect.DeepEqual(certified, bias) || !reflect.DeepEqual(certifiedTable, table) || !reflect.DeepEqual(certifiedHits, hits) {
			t.Fatal("certified results differ")
		}
		var quantized []Codes
		for _, m := range []Matrix{gallery, bank, queries} {
			codes, err := Quantize(m)
			ok(t, err)
			if !reflect.DeepEqual(codes.Data, take[int8](g, len(codes.Data))) {
				t.Fatal("codes differ")
			}
			g.floats("scales", codes.Scale)
			quantized = append(quantized, codes)
		}
		bias, err = Bias(quantized[0], quantized[1], k, alpha)
		ok(t, err)
		g.floats("int8 bias", bias)
		hits, err = Search(quantized[2], quantized[0], bias, nil, top)
		ok(t, err)
		g.hits("int8 hits", hits, top)
		exact, err := table.Bias(k, alpha)
		ok(t, err)
		g.indexes(gallery, bank, queries, exact, allow, k, top, alpha)
		if g.file.Len() != 0 {
			t.Fatalf("%d bytes are left", g.file.Len())
		}
	}
}

// indexes compares certified reranking, coarse indexes and the table with ids.
func (g golden) indexes(gallery, bank, queries Matrix, bias []float32, allow []uint64, k, top int, alpha float32) {
	g.t.Helper()
	numbers := take[uint32](g, 5)
	few, probes := int(numbers[0]), int(numbers[2])
	options := CoarseOptions{Lists: int(numbers[1]), Rounds: int(numbers[3]), Seed: uint64(numbers[4])}
	plain, err := Search(queries, gallery, nil, nil, top)
	ok(g.t, err)
	least := bias[0]
	for _, x := range bias {
		if x < least {
			least = x
		}
	}
	reranked, nexts := make([][]Hit, len(plain)), make([]uint32, len(plain))
	for q, candidates := range plain {
		hits, next, err := RerankCertified(candidates, bias, least, few)
		ok(g.t, err)
		reranked[q], nexts[q] = hits, uint32(next)
	}
	g.hits("certified", reranked, few)
	g.same("next", nexts, take[uint32](g, len(nexts)))
	rows, err := NewCoarse(gallery, options)
	ok(g.t, err)
	ok(g.t, rows.Check())
	g.floats("centroids", rows.Centroids)
	g.same("offsets", rows.Offsets, take[uint32](g, len(rows.Offsets)))
	g.same("ids", rows.IDs, take[uint32](g, len(rows.IDs)))
	hits, pairs, err := rows.Search(queries, bias, allow, top, probes)
	ok(g.t, err)
	g.hits("coarse", hits, top)
	g.same("pairs", []uint32{uint32(pairs)}, take[uint32](g, 1))
	lists, err := NewCoarse(bank, options)
	ok(g.t, err)
	coarse, did, err := lists.Bias(gallery, k, alpha, probes)
	ok(g.t, err)
	g.floats("coarse bias", coarse)
	g.same("short rows and pairs", []uint32{uint32(did.ShortRows), uint32(did.Pairs)}, take[uint32](g, 2))
	live := take[uint64](g, (bank.Rows+63)/64)
	table, err := NewNeighborIDs(gallery.Rows, k)
	ok(g.t, err)
	other, err := NewNeighborIDs(gallery.Rows, k)
	ok(g.t, err)
	ok(g.t, UpdateIDs(other, gallery, NewMatrix(bank.Data[30*bank.Dim:], bank.Dim), 30, nil))
	ok(g.t, UpdateIDs(table, gallery, NewMatrix(bank.Data[:30*bank.Dim], bank.Dim), 0, nil))
	ok(g.t, table.Merge(other))
	g.same("table with ids", table.Table, take[Hit](g, len(table.Table)))
	short, err := table.Expire(few, live, bank.Rows)
	ok(g.t, err)
	g.same("short rows", short, take[uint32](g, int(take[uint32](g, 1)[0])))
	for _, row := range short {
		ok(g.t, Renew(table, int(row), gallery, bank, live))
	}
	g.same("renewed table", table.Table, take[Hit](g, len(table.Table)))
	renewed, err := table.Bias(few, alpha)
	ok(g.t, err)
	g.floats("bias of the table with ids", renewed)
}

func (g golden) same(what string, got, expected any) {
	g.t.Helper()
	if !reflect.DeepEqual(got, expected) {
		g.t.Fatalf("%s: %v, not %v", what, got, expected)
	}
}

// Long galleries are cut by rows, batches of queries by queries: always the hits of one goroutine, which is what the oracle finds.
func TestParts(t *testing.T) {
	gallery, bank := unit(20000, 16, 1), unit(64, 16, 2)
	bias, err := Bias(gallery, bank, 4, 0.75)
	ok(t, err)
	for _, n := range []int{0, 1, 17, 100} {
		queries := unit(n, 16, 3)
		var one [][]Hit
		for _, threads := range []int{1, 2, 4} {
			old := runtime.GOMAXPROCS(threads)
			hits, err := Search(queries, gallery, bias, nil, 7)
			runtime.GOMAXPROCS(old)
			ok(t, err)
			if one == nil {
				one = hits
			}
			if !reflect.DeepEqual(hits, one) {
				t.Fatalf("%d queries, %d goroutines", n, threads)
			}
		}
		for q, list := range one {
			for i, hit := range list {
				if hit.Score != mustScore(t, queries, gallery, q, int(hit.ID))-bias[hit.ID] || i > 0 && list[i-1].Score < hit.Score {
					t.Fatalf("query %d: %v", q, list)
				}
			}
		}
	}
}

func mustScore(t *testing.T, queries, gallery Matrix, q, r int) float32 {
	one := func(m Matrix, i int) Matrix { return NewMatrix(m.Data[i*m.Dim:(i+1)*m.Dim], m.Dim) }
	scores, err := Scores(one(queries, q), one(gallery, r))
	ok(t, err)
	return scores[0]
}

// Views with a stride are read where they are.
func TestStride(t *testing.T) {
	wide := unit(300, 40, 1)
	bank := unit(50, 32, 2)
	view := Matrix{Data: wide.Data[3:], Rows: 300, Dim: 32, Stride: 40}
	var packed []float32
	for r := 0; r < 300; r++ {
		packed = append(packed, wide.Data[r*40+3:r*40+35]...)
	}
	a, err := Bias(view, bank, 4, 0.75)
	ok(t, err)
	b, err := Bias(NewMatrix(packed, 32), bank, 4, 0.75)
	ok(t, err)
	if !reflect.DeepEqual(a, b) {
		t.Fatal("a stride changes the bits")
	}
}

func TestManyGoroutinesMayCall(t *testing.T) {
	gallery, bank := unit(500, 16, 1), unit(64, 16, 2)
	expected, err := Bias(gallery, bank, 4, 0.75)
	ok(t, err)
	var group sync.WaitGroup
	for i := 0; i < 16; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			bias, err := Bias(gallery, bank, 4, 0.75)
			if err != nil || !reflect.DeepEqual(bias, expected) {
				t.Error("differs", err)
			}
			if _, err := Search(bank, gallery, bias, nil, 5); err != nil {
				t.Error(err)
			}
		}()
	}
	group.Wait()
}

func TestErrors(t *testing.T) {
	gallery, bank := unit(100, 16, 1), unit(50, 16, 2)
	bias, err := Bias(gallery, bank, 4, 0.75)
	ok(t, err)
	nan := float32(math.NaN())
	bad := Matrix{Data: append([]float32(nil), gallery.Data...), Rows: 100, Dim: 16}
	bad.Data[33*16+5] = nan
	table, err := NewNeighbors(100, 4)
	ok(t, err)
	short := gallery
	short.Rows = 101
	codes, err := Quantize(gallery)
	ok(t, err)
	fewScales := codes
	fewScales.Scale = fewScales.Scale[:9]
	of := func(_ any, err error) error { return err }
	of3 := func(_, _ any, err error) error { return err }
	ids, err := NewNeighborIDs(100, 4)
	ok(t, err)
	ok(t, UpdateIDs(ids, gallery, bank, 0, nil))
	lists, err := NewCoarse(bank, CoarseOptions{Lists: 5})
	ok(t, err)
	export, err := NewExport(gallery, bias, L2, 4)
	ok(t, err)
	twice := make([]float32, 16)
	for i := range twice {
		twice[i] = 2
	}
	encode := func(m Matrix, side Side, seed uint64) Encoded {
		e, err := Encode(m, side, nil, seed)
		ok(t, err)
		return e
	}
	for _, test := range []struct {
		err         error
		status      Status
		arg, remedy string
	}{
		{of(Bias(gallery, bank, 0, 1)), ErrK, "k", "1 to 50"},
		{of(Bias(gallery, bank, 51, 1)), ErrK, "k", "1 to 50"},
		{of(Bias(gallery, Matrix{Dim: 16}, 1, 1)), ErrK, "bank", "no rows"},
		{of(Bias(gallery, unit(5, 8, 3), 1, 1)), ErrDim, "bank", "one model"},
		{of(Bias(Matrix{Dim: 0}, bank, 1, 1)), ErrDim, "gallery", "1 to 131071"},
		{of(Bias(Matrix{Dim: 1 << 40}, bank, 1, 1)), ErrDim, "gallery", "1 to 131071"},
		{of(Bias(Matrix{Rows: -1, Dim: 16}, bank, 1, 1)), ErrRange, "gallery", "2^32"},
		{of(Bias(short, bank, 1, 1)), ErrCapacity, "gallery", "correct"},
		{of(Bias(Matrix{Data: gallery.Data, Rows: 2, Dim: 16, Stride: 15}, bank, 1, 1)), ErrStride, "gallery", "distance"},
		{of(Bias(Matrix{Data: gallery.Data, Rows: 3, Dim: 16, Stride: math.MaxInt}, bank, 1, 1)), ErrCapacity, "gallery", "correct"},
		{of(Bias(gallery, bank, 1, nan)), ErrValue, "alpha", "finite"},
		{of(Bias(bad, bank, 1, 1)), ErrValue, "gallery", "(33, 5) is NaN: remove"},
		{of(Bias(gallery, bad, 1, 1)), ErrValue, "bank", "(33, 5) is NaN: remove"},
		{of(Bias(fewScales, codes, 1, 1)), ErrCapacity, "gallery", "100 rows"},
		{of(Encode(bad, QuerySide, nil, 1)), ErrValue, "rows", "(33, 5)"},
		{of(Encode(gallery, 2, nil, 1)), ErrValue, "side", "GallerySide"},
		{of(Encode(gallery, 0, bias[:3], 1)), ErrDim, "mean", "3 elements"},
		{of(Bias(encode(gallery, GallerySide, 1), encode(bank, GallerySide, 1), 1, 1)), ErrValue, "bank", "QuerySide"},
		{of(Bias(encode(gallery, GallerySide, 1), encode(bank, QuerySide, 2), 1, 1)), ErrValue, "bank", "seed"},
		{of(Search(encode(gallery, GallerySide, 1), encode(bank, QuerySide, 1), nil, nil, 1)), ErrValue, "gallery", "GallerySide"},
		{of(Search(Encoded{}, Encoded{}, nil, nil, 1)), ErrDim, "queries", "Encode makes"},
		{of(SoftmaxBias(gallery, bank, 0)), ErrValue, "beta", "above 0"},
		{of(Normalize(bad)), ErrValue, "src", "(33, 5)"},
		{of(Quantize(bad)), ErrValue, "src", "(33, 5)"},
		{of(Scores(bad, gallery)), ErrValue, "queries", "(33, 5)"},
		{of(NewNeighbors(-1, 1)), ErrRange, "rows", "0 to"},
		{of(NewNeighbors(1, 0)), ErrK, "k", "1 to"},
		{of(NewNeighbors(1<<31, 1<<40)), ErrOverflow, "k", "memory"},
		{Update(table, bank, bank), ErrRange, "gallery", "table of 100"},
		{Update(table, bad, bank), ErrValue, "gallery", "(33, 5)"},
		{Update(nil, bad, bank), ErrRange, "n", "NewNeighbors"},
		{table.Merge(table), ErrRange, "other", "itself"},
		{table.Merge(&Neighbors{Rows: 3, K: 2}), ErrCapacity, "other", "not 3 rows"},
		{of(table.Bias(5, 1)), ErrK, "k", "no more"},
		{of(table.Bias(1, 1)), ErrK, "", "k is"},
		{of(Search(bank, gallery, bias[:99], nil, 1)), ErrRange, "bias", "this gallery"},
		{of(Search(bank, gallery, append(bias[:99:99], nan), nil, 1)), ErrValue, "bias", "NaN"},
		{of(Search(bank, gallery, bias, []uint64{1}, 1)), ErrCapacity, "allow", "2 are needed"},
		{of(Search(bank, gallery, bias, nil, 0)), ErrK, "k", "1 at least"},
		{of(Search(bad, gallery, bias, nil, 3)), ErrValue, "queries", "NaN"},
		{of(MergeHits([]Hit{{1, 1}, {2, 2}}, nil, 1)), ErrRange, "a", "more than k"},
		{of(MergeHits([]Hit{{1, 1}, {2, 2}}, nil, 2)), ErrValue, "", ""},
		{of(Rerank([]Hit{{1, 100}}, bias, 1)), ErrRange, "candidates", "100 gallery rows"},
		{of(Rerank([]Hit{{nan, 1}}, bias, 1)), ErrValue, "candidates", "NaN"},
		{of(NewNeighborIDs(-1, 1)), ErrRange, "rows", "0 to"},
		{of(NewNeighborIDs(1<<31, 1<<40)), ErrOverflow, "k", "memory"},
		{UpdateIDs(ids, bank, bank, 0, nil), ErrRange, "gallery", "table of 100"},
		{UpdateIDs(ids, bad, bank, 0, nil), ErrValue, "gallery", "(33, 5)"},
		{UpdateIDs(ids, gallery, bank, -1, nil), ErrRange, "firstID", "0 to"},
		{UpdateIDs(ids, gallery, bank, 1<<32-50, nil), ErrRange, "firstID", "50 bank rows"},
		{UpdateIDs(ids, gallery, bank, 0, []uint64{}), ErrCapacity, "live", "1 are needed"},
		{UpdateIDs(nil, gallery, bank, 0, nil), ErrRange, "n", "NewNeighborIDs"},
		{of(ids.Expire(1, []uint64{1}, 65)), ErrCapacity, "ids", "one bit"},
		{of(ids.Expire(1, []uint64{1}, 30)), ErrRange, "live", "one bit"},
		{of(ids.Expire(5, []uint64{1}, 50)), ErrK, "k", "no more"},
		{Renew(ids, 100, gallery, bank, nil), ErrRange, "row", "100 rows"},
		{ids.Merge(ids), ErrRange, "other", "itself"},
		{of(ids.Bias(5, 1)), ErrK, "k", "no more"},
		{of(NewCoarse(Matrix{Dim: 16}, CoarseOptions{})), ErrK, "rows", "none"},
		{of(NewCoarse(gallery, CoarseOptions{Lists: 101})), ErrK, "options.Lists", "1 to 100"},
		{of(NewCoarse(gallery, CoarseOptions{Rounds: -1})), ErrValue, "options.Rounds", "1 to 10000"},
		{of(NewCoarse(bad, CoarseOptions{})), ErrValue, "rows", "(33, 5)"},
		{of3(lists.Bias(unit(5, 8, 3), 1, 1, 1)), ErrDim, "x.Listed", "one model"},
		{of3(lists.Bias(bad, 1, 1, 1)), ErrValue, "gallery", "(33, 5)"},
		{of3(lists.Bias(gallery, 51, 1, 1)), ErrK, "k", "1 to 50"},
		{of3(lists.Bias(gallery, 1, 1, 0)), ErrK, "probes", "1 at least"},
		{of3(lists.Search(bad, nil, nil, 1, 1)), ErrValue, "queries", "(33, 5)"},
		{of3(lists.Search(gallery, bias, nil, 1, 1)), ErrRange, "bias", "this gallery"},
		{(&Coarse[Matrix]{}).Check(), ErrK, "x", "NewCoarse"},
		{(&Coarse[Matrix]{lists.Centroids, lists.Offsets, lists.IDs[:9], lists.Listed}).Check(), ErrCapacity, "x", "one index"},
		{(&Coarse[Matrix]{lists.Centroids, lists.Offsets, make([]uint32, 50), lists.Listed}).Check(), ErrValue, "x", "one index"},
		{of3(RerankCertified([]Hit{{1, 100}}, bias, -9, 1)), ErrRange, "candidates", "100 gallery rows"},
		{of3(RerankCertified([]Hit{{1, 1}, {1, 1}}, bias[:1:1], -9, 1)), ErrRange, "candidates", "1 gallery rows"},
		{of3(RerankCertified([]Hit{{1, 1}}, bias, 9, 1)), ErrValue, "biasMin", "no bias"},
		{of(NewExport(gallery, bias, 3, 1)), ErrValue, "form", "Cosine"},
		{of(NewExport(gallery, bias, L2, 0)), ErrValue, "multiple", "1 to"},
		{of(NewExport(gallery, bias[1:], L2, 1)), ErrRange, "bias", "this gallery"},
		{of(NewExport(bad, bias, L2, 1)), ErrValue, "gallery", "(33, 5)"},
		{of(export.Rows(Matrix{Data: twice, Rows: 1, Dim: 16}, bias[:1])), ErrRange, "gallery", "widen"},
		{of(export.Queries(bank, 2)), ErrValue, "alpha", "L2"},
		{of(export.Queries(unit(5, 8, 3), 1)), ErrDim, "queries", "export is for 16"},
		{of(export.Scores(gallery.Data[:16], 1, []float32{nan})), ErrValue, "values", "NaN"},
		{of((*Export)(nil).Rows(gallery, bias)), ErrValue, "e", "NewExport"},
	} {
		var e *Error
		if !errors.As(test.err, &e) || !errors.Is(test.err, test.status) || e.Arg != test.arg || !strings.Contains(e.Reason, test.remedy) {
			t.Errorf("%v: not (%q, %d, %q)", test.err, test.arg, test.status, test.remedy)
		}
		if errors.Is(test.err, ErrOverflow) != (test.status == ErrOverflow) {
			t.Errorf("%v is ErrOverflow", test.err)
		}
	}
	for _, k := range []int{1 << 31, 1 << 40, maxElements} {
		none := Matrix{Dim: 16}
		wide, err := NewNeighbors(0, k)
		ok(t, err)
		ok(t, Update(wide, none, bank))
		wideIDs, err := NewNeighborIDs(0, k)
		ok(t, err)
		ok(t, UpdateIDs(wideIDs, none, bank, 0, nil))
	}
	for _, x := range table.Table {
		if !math.IsInf(float64(x), -1) {
			t.Fatal("a refused update wrote to the table")
		}
	}
	hits, err := Search(bank, bad, bias, nil, 100)
	ok(t, err)
	if len(hits[0]) != 99 {
		t.Fatalf("a row that is no number is no hit, the others are: %d", len(hits[0]))
	}
}

// biasInGo is the same as a loop that a Go programmer writes.
func biasInGo(gallery, bank Matrix, k int, alpha float32, out []float32) {
	best := make([]float32, k)
	for r := range out {
		for i := range best {
			best[i] = float32(math.Inf(-1))
		}
		a := gallery.Data[r*gallery.Dim : (r+1)*gallery.Dim]
		for j := 0; j < bank.Rows; j++ {
			b := bank.Data[j*bank.Dim : (j+1)*bank.Dim : (j+1)*bank.Dim]
			var sum float32
			for i, x := range a {
				sum += x * b[i]
			}
			for i := k - 1; i >= 0 && sum > best[i]; i-- {
				if i+1 < k {
					best[i+1] = best[i]
				}
				best[i] = sum
			}
		}
		var mean float64
		for _, x := range best {
			mean += float64(x)
		}
		out[r] = float32(float64(alpha) * mean / float64(k))
	}
}

// One processor each: go test -bench . -cpu 1
func BenchmarkBias(b *testing.B) {
	gallery, bank := unit(256, 512, 1), unit(2000, 512, 2)
	b.Run("libnnn", func(b *testing.B) {
		for i := 0; i < b.N; i++ {
			if _, err := Bias(gallery, bank, 16, 0.75); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("certified", func(b *testing.B) {
		mean, _ := Mean(bank)
		g, _ := Encode(gallery, GallerySide, mean, 1)
		e, _ := Encode(bank, QuerySide, mean, 1)
		b.ResetTimer()
		for i := 0; i < b.N; i++ {
			if _, err := Bias(g, e, 16, 0.75); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Go", func(b *testing.B) {
		out := make([]float32, gallery.Rows)
		for i := 0; i < b.N; i++ {
			biasInGo(gallery, bank, 16, 0.75, out)
		}
	})
}

func TestTheLoopInGoAgrees(t *testing.T) {
	gallery, bank := unit(30, 40, 1), unit(50, 40, 2)
	expected := make([]float32, 30)
	biasInGo(gallery, bank, 5, 0.75, expected)
	bias, err := Bias(gallery, bank, 5, 0.75)
	ok(t, err)
	for r, x := range bias {
		if math.Abs(float64(x-expected[r])) > 1e-6 {
			t.Fatalf("row %d: %v, not %v", r, x, expected[r])
		}
	}
}
