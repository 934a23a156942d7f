package nnn

import (
	"math"
	"runtime"
)

// Search gives for each query the k gallery rows with the largest <query, row> - bias[row], best first, ties to the lower row.
//
// A nil bias is plain search. allow has one bit per gallery row, bit r%64 of allow[r/64], that says whether row r may be a hit; nil
// allows all. A list is shorter than k where fewer rows are allowed, or have a finite score.
func Search[R Rows](queries, gallery R, bias []float32, allow []uint64, k int) ([][]Hit, error) {
	c := call("Search")
	q, g, err := c.pair("queries", queries, "gallery", gallery)
	if err != nil {
		return nil, err
	}
	if err := c.searchArguments(g, bias, allow, k); err != nil {
		return nil, err
	}
	if k > g.rows {
		k = g.rows
	}
	lists := make([][]Hit, q.rows)
	if k == 0 {
		return lists, nil
	}
	if err := c.room("k", q.rows, k); err != nil {
		return nil, err
	}
	threads := runtime.GOMAXPROCS(0)
	part := func(queries view, first, count int, lists [][]Hit) error {
		hits, found := make([]Hit, queries.rows*k), make([]uint32, queries.rows)
		status := search(queries, g, bias, allow, k, first, count, hits, found)
		if err := c.check(status, named{"queries", queries}, named{"bias", row(bias)}); err != nil {
			return err
		}
		for i := range lists {
			lists[i] = hits[i*k : i*k+int(found[i]) : (i+1)*k]
		}
		return nil
	}
	if q.rows >= 16*threads || g.rows < 4096*threads {
		// Each goroutine has queries of its own: batches of 16 make full use of a gallery row.
		err := parallel(q.rows, shares(q.rows, 16), func(first, count int) error {
			return part(q.part(first, count), 0, g.rows, lists[first:first+count])
		})
		if err != nil {
			return nil, err
		}
		return lists, nil
	}
	size := shares(g.rows, 1)
	parts := make([][][]Hit, (g.rows+size-1)/size)
	err = parallel(g.rows, size, func(first, count int) error {
		parts[first/size] = make([][]Hit, q.rows)
		return part(q, first, count, parts[first/size])
	})
	if err != nil {
		return nil, err
	}
	for i := range lists {
		lists[i] = parts[0][i]
		for _, other := range parts[1:] {
			if lists[i], err = mergeHits(c, lists[i], other[i], k); err != nil {
				return nil, err
			}
		}
	}
	return lists, nil
}

// searchArguments checks what searches have in common.
func (c call) searchArguments(g view, bias []float32, allow []uint64, k int) error {
	if bias != nil && len(bias) != g.rows {
		return c.refuse("bias", ErrRange, "%d numbers for %d gallery rows: compute it for this gallery, or pass nil", len(bias), g.rows)
	}
	if words := (g.rows + 63) / 64; allow != nil && len(allow) < words {
		return c.refuse("allow", ErrCapacity, "%d words of 64 bits for %d gallery rows: %d are needed, or nil", len(allow), g.rows, words)
	}
	if k < 1 {
		return c.refuse("k", ErrK, "%d: 1 at least is needed", k)
	}
	return nil
}

// MergeHits is the k best of two lists over different parts of a gallery. IDs must have been made those of the whole gallery.
func MergeHits(a, b []Hit, k int) ([]Hit, error) {
	c := call("MergeHits")
	if k < 1 {
		return nil, c.refuse("k", ErrK, "%d: 1 at least is needed", k)
	}
	if len(a) > k {
		return nil, c.refuse("a", ErrRange, "%d hits, more than k = %d", len(a), k)
	}
	if len(b) > math.MaxUint32 {
		return nil, c.refuse("b", ErrRange, "%d hits, more than 2^32 - 1", len(b))
	}
	if k > len(a)+len(b) {
		k = len(a) + len(b)
	}
	if k == 0 {
		return nil, nil
	}
	return mergeHits(c, append(make([]Hit, 0, k), a...), b, k)
}

// mergeHits merges into a, which has room for k where it must grow.
func mergeHits(c call, a, b []Hit, k int) ([]Hit, error) {
	if cap(a) < k {
		a = append(make([]Hit, 0, k), a...)
	}
	length := uint32(len(a))
	status := hitsMerge(a[:k], &length, b, k)
	if err := c.check(status); err != nil {
		return nil, err
	}
	return a[:length], nil
}

// Rerank debiases what another engine found: the k best candidates by Score - bias[ID]. Candidates have raw similarities.
func Rerank(candidates []Hit, bias []float32, k int) ([]Hit, error) {
	c := call("Rerank")
	if err := c.candidatesFit(candidates, bias, k); err != nil {
		return nil, err
	}
	if k > len(candidates) {
		k = len(candidates)
	}
	if k == 0 {
		return nil, nil
	}
	hits := make([]Hit, k)
	found, status := rerank(candidates, bias, k, hits)
	if err := c.check(status, named{"bias", row(bias)}); err != nil {
		return nil, err
	}
	return hits[:found], nil
}

// candidatesFit checks what an engine found.
func (c call) candidatesFit(candidates []Hit, bias []float32, k int) error {
	if k < 1 {
		return c.refuse("k", ErrK, "%d: 1 at least is needed", k)
	}
	for i, hit := range candidates {
		if int64(hit.ID) >= int64(len(bias)) {
			return c.refuse("candidates", ErrRange, "candidate %d is row %d, but bias is for %d gallery rows", i, hit.ID, len(bias))
		}
		if c.finite("", hit.Score) != nil {
			return c.refuse("candidates", ErrValue, "the score of candidate %d is %v", i, hit.Score)
		}
	}
	return nil
}

// RerankCertified is Rerank of the exact best candidates of an index over all len(bias) rows, each once. Its hits are those of a search
// of the whole gallery where next is 0; else ask the engine for next candidates. biasMin: at most every bias.
//
// Of an approximate index the proof covers only rows that score at most as the last candidate.
func RerankCertified(candidates []Hit, bias []float32, biasMin float32, k int) (hits []Hit, next int, err error) {
	c := call("RerankCertified")
	if err := c.candidatesFit(candidates, bias, k); err != nil {
		return nil, 0, err
	}
	if len(candidates) > len(bias) {
		return nil, 0, c.refuse("candidates", ErrRange, "%d of %d rows, each of which can be there once", len(candidates), len(bias))
	}
	if err := c.finite("biasMin", biasMin); err != nil {
		return nil, 0, err
	}
	for _, hit := range candidates {
		if bias[hit.ID] < biasMin {
			return nil, 0, c.refuse("biasMin", ErrValue, "%v, but the bias of row %d is %v: no bias may be less", biasMin, hit.ID, bias[hit.ID])
		}
	}
	room := k
	if room > len(candidates) {
		room = len(candidates)
	}
	hits = make([]Hit, room)
	found, next, status := rerankCertified(candidates, bias, biasMin, k, hits)
	if err := c.check(status, named{"bias", row(bias)}); err != nil {
		return nil, 0, err
	}
	return hits[:found], next, nil
}
