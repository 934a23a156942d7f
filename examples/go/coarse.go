package nnn

import (
	"math"
	"sync/atomic"
)

// Coarse is an index of a bank or a gallery: inverted lists over centroids. Passes and searches score the lists of the best `probes`
// centroids only, those exactly: with all lists they give the bits of Bias and Search.
//
// The fields may be stored; Check tells whether they still are an index. Any content of theirs is safe.
type Coarse[R Plain] struct {
	Centroids []float32 // lists x dim
	Offsets   []uint32  // lists + 1: list i is Listed rows Offsets[i] to Offsets[i+1]
	IDs       []uint32  // the row that each row of Listed was
	Listed    R         // the rows in list order
}

// CoarseOptions: zeros are the defaults.
type CoarseOptions struct {
	Lists  int    // twice the square root of the rows
	Rounds int    // of k-means: 10
	Seed   uint64 // what k-means begins with
}

// NewCoarse makes the lists of rows. The centroids come from a sample of 64 rows a list.
func NewCoarse[R Plain](rows R, options CoarseOptions) (*Coarse[R], error) {
	c := call("NewCoarse")
	v, err := c.view("rows", rows)
	if err != nil {
		return nil, err
	}
	if v.rows == 0 {
		return nil, c.refuse("rows", ErrK, "there are none to index")
	}
	lists, rounds := options.Lists, options.Rounds
	if lists == 0 {
		lists = int(2 * math.Sqrt(float64(v.rows)))
		if lists > v.rows {
			lists = v.rows
		}
	}
	if rounds == 0 {
		rounds = 10
	}
	if err := c.atMost("options.Lists", lists, v.rows, "as there are no more rows"); err != nil {
		return nil, err
	}
	if rounds < 0 || rounds > 10000 {
		return nil, c.refuse("options.Rounds", ErrValue, "%d: 1 to 10000 are possible, or 0 for 10", rounds)
	}
	step := v.rows / 64 / lists
	if step < 1 {
		step = 1
	}
	index := &Coarse[R]{
		Centroids: make([]float32, lists*v.dim), Offsets: make([]uint32, lists+1), IDs: make([]uint32, v.rows),
	}
	sample := v.every(step)
	if err := c.check(train(sample, rounds, options.Seed, index.Centroids), named{"rows", v}); err != nil {
		return nil, err
	}
	assigned := make([]uint32, v.rows)
	err = parallel(v.rows, ranges(v.rows), func(first, count int) error {
		part := v.part(first, count).every(1)
		return c.check(assign(part, index.Centroids, 0, assigned[first:first+count]), named{"rows", v})
	})
	if err != nil {
		return nil, err
	}
	if err := c.check(makeLists(assigned, index.Offsets, index.IDs)); err != nil {
		return nil, err
	}
	switch listed := any(&index.Listed).(type) {
	case *Matrix:
		*listed = Matrix{Data: make([]float32, v.rows*v.dim), Rows: v.rows, Dim: v.dim}
		err = c.check(v.gather(index.IDs, listed.Data, nil, nil))
	case *Codes:
		*listed = Codes{Data: make([]int8, v.rows*v.dim), Scale: make([]float32, v.rows), Rows: v.rows, Dim: v.dim}
		err = c.check(v.gather(index.IDs, nil, listed.Data, listed.Scale))
	}
	if err != nil {
		return nil, err
	}
	return index, nil
}

// every is each step-th row as floats: a view of floats, a copy of what codes stand for.
func (v view) every(step int) view {
	rows := (v.rows + step - 1) / step
	if v.kind == floatRows {
		return view{kind: floatRows, f32: v.f32, rows: rows, dim: v.dim, stride: v.stride * step}
	}
	out := view{kind: floatRows, f32: make([]float32, rows*v.dim), rows: rows, dim: v.dim, stride: v.dim}
	for i := 0; i < rows; i++ {
		scale := float32(1)
		if v.scale != nil {
			scale = v.scale[i*step]
		}
		for j, code := range v.i8[i*step*v.stride : i*step*v.stride+v.dim] {
			out.f32[i*v.dim+j] = float32(code) * scale
		}
	}
	return out
}

// Lists is how many there are.
func (x *Coarse[R]) Lists() int { return len(x.Offsets) - 1 }

// lengths checks that the fields fit together, and other rows to them.
func (x *Coarse[R]) lengths(c call, arg string, other R) (rows, listed view, err error) {
	if x == nil || len(x.Offsets) < 2 {
		return rows, listed, c.refuse("x", ErrK, "it has no lists: NewCoarse makes one")
	}
	if rows, listed, err = c.pair(arg, other, "x.Listed", x.Listed); err != nil {
		return
	}
	if len(x.IDs) != listed.rows || len(x.Centroids)/listed.dim != x.Lists() || len(x.Centroids)%listed.dim != 0 {
		err = c.refuse("x", ErrCapacity, "%d ids for %d rows, %d centroid elements for %d lists of %d: take all fields from one index",
			len(x.IDs), listed.rows, len(x.Centroids), x.Lists(), listed.dim)
	}
	return
}

// Check reads all of an index that was stored: whether every row is in one list.
func (x *Coarse[R]) Check() error {
	c := call("Coarse.Check")
	var none R
	if x != nil {
		none = x.Listed
	}
	if _, _, err := x.lengths(c, "x.Listed", none); err != nil {
		return err
	}
	if checkLists(x.Offsets, x.IDs) != 0 {
		return c.refuse("x", ErrValue, "Offsets and IDs are no index of these rows: store and load all fields of one index")
	}
	return nil
}

// probesFit checks the number of lists that are looked at.
func (c call) probesFit(probes int) error {
	if probes < 1 {
		return c.refuse("probes", ErrK, "%d: 1 at least is needed", probes)
	}
	return nil
}

// Probed says what a pass over an index did.
type Probed struct {
	Pairs     uint64 // pairs of rows that were scored
	ShortRows int    // gallery rows that found fewer than k: many of them mean that more probes are needed
}

// Bias is Bias with the indexed rows as the bank, from the lists that each gallery row probes. A row that found fewer than k has alpha
// times the mean of what it found.
func (x *Coarse[R]) Bias(gallery R, k int, alpha float32, probes int) ([]float32, Probed, error) {
	c := call("Coarse.Bias")
	g, b, err := x.lengths(c, "gallery", gallery)
	if err != nil {
		return nil, Probed{}, err
	}
	if err := c.atMost("k", k, b.rows, "as the bank has no more rows"); err != nil {
		return nil, Probed{}, err
	}
	if err := c.probesFit(probes); err != nil {
		return nil, Probed{}, err
	}
	if err := c.finite("alpha", alpha); err != nil {
		return nil, Probed{}, err
	}
	if err := c.room("k", g.rows, k); err != nil {
		return nil, Probed{}, err
	}
	table, err := NewNeighbors(g.rows, k)
	if err != nil {
		return nil, Probed{}, err
	}
	var did Probed
	err = parallel(g.rows, ranges(g.rows), func(first, count int) error {
		var pairs uint64
		part := table.Table[first*k : (first+count)*k]
		status := coarseNeighbors(g, b, x.Centroids, x.Offsets, probes, k, first, count, part, &pairs)
		atomic.AddUint64(&did.Pairs, pairs)
		return c.check(status, named{"gallery", g}, named{"x.Centroids", row(x.Centroids)})
	})
	if err != nil {
		return nil, Probed{}, err
	}
	out := make([]float32, g.rows)
	short, status := coarseBias(table.Table, g.rows, k, alpha, out)
	if err := c.check(status); err != nil {
		return nil, Probed{}, err
	}
	did.ShortRows = short
	return out, did, nil
}

// Search is Search over the indexed rows, of the lists that each query probes; with how many pairs it scored. IDs, bias and allow are
// those of the rows as they were indexed.
func (x *Coarse[R]) Search(queries R, bias []float32, allow []uint64, k, probes int) ([][]Hit, uint64, error) {
	c := call("Coarse.Search")
	q, g, err := x.lengths(c, "queries", queries)
	if err != nil {
		return nil, 0, err
	}
	if err := c.searchArguments(g, bias, allow, k); err != nil {
		return nil, 0, err
	}
	if err := c.probesFit(probes); err != nil {
		return nil, 0, err
	}
	if k > g.rows {
		k = g.rows
	}
	lists := make([][]Hit, q.rows)
	if k == 0 {
		return lists, 0, nil
	}
	if err := c.room("k", q.rows, k); err != nil {
		return nil, 0, err
	}
	var pairs uint64
	err = parallel(q.rows, shares(q.rows, 16), func(first, count int) error {
		var scored uint64
		part := q.part(first, count)
		hits, found := make([]Hit, count*k), make([]uint32, count)
		status := coarseSearch(part, g, x.Centroids, x.Offsets, x.IDs, bias, allow, probes, k, hits, found, &scored)
		if err := c.check(status, named{"queries", q}, named{"x.Centroids", row(x.Centroids)}); err != nil {
			return err
		}
		atomic.AddUint64(&pairs, scored)
		for i := range found {
			lists[first+i] = hits[i*k : i*k+int(found[i]) : (i+1)*k]
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return lists, pairs, nil
}
