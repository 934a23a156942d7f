package nnn

import "math"

// Bias is one number per gallery row: alpha times the mean of its k largest similarities with the bank. Every number takes
// bank.Rows * Dim multiply-adds.
func Bias[R Rows](gallery, bank R, k int, alpha float32) ([]float32, error) {
	c := call("Bias")
	g, b, err := c.pair("gallery", gallery, "bank", bank)
	if err != nil {
		return nil, err
	}
	if b.rows == 0 {
		return nil, c.refuse("bank", ErrK, "it has no rows")
	}
	if err := c.atMost("k", k, b.rows, "as the bank has no more rows"); err != nil {
		return nil, err
	}
	if err := c.finite("alpha", alpha); err != nil {
		return nil, err
	}
	out := make([]float32, g.rows)
	err = parallel(g.rows, ranges(g.rows), func(first, count int) error {
		return c.check(bias(g, b, k, alpha, first, out[first:first+count]), named{"gallery", g}, named{"bank", b})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Neighbors holds, for each gallery row, its K largest similarities with the bank, best first, -Inf where fewer were seen: the state
// behind the biases of every smaller k and every alpha. Shards of a bank, added or merged in any order, give the same bits.
type Neighbors struct {
	Table   []float32 // Rows x K
	Rows, K int
}

// NewNeighbors makes an empty table.
func NewNeighbors(rows, k int) (*Neighbors, error) {
	c := call("NewNeighbors")
	if rows < 0 || uint64(rows) > math.MaxUint32 {
		return nil, c.refuse("rows", ErrRange, "%d: 0 to 2^32 - 1 are possible", rows)
	}
	if err := c.atMost("k", k, maxElements, "in memory"); err != nil {
		return nil, err
	}
	if err := c.room("k", rows, k); err != nil {
		return nil, err
	}
	n := &Neighbors{make([]float32, rows*k), rows, k}
	for i := range n.Table {
		n.Table[i] = float32(math.Inf(-1))
	}
	return n, nil
}

func (n *Neighbors) check(c call, arg string) error {
	if n == nil {
		return c.refuse(arg, ErrRange, "it is nil: NewNeighbors makes one")
	}
	if n.Rows < 0 || n.K < 1 || n.Rows > maxElements/n.K || len(n.Table) != n.Rows*n.K {
		return c.refuse(arg, ErrCapacity, "%d floats are not %d rows of %d", len(n.Table), n.Rows, n.K)
	}
	return nil
}

// Update adds all rows of the bank to the table of the gallery. On an error the table is as it was.
func Update[R Rows](n *Neighbors, gallery, bank R) error {
	c := call("Update")
	if err := n.check(c, "n"); err != nil {
		return err
	}
	g, b, err := c.pair("gallery", gallery, "bank", bank)
	if err != nil {
		return err
	}
	if g.rows != n.Rows {
		return c.refuse("gallery", ErrRange, "%d rows for a table of %d", g.rows, n.Rows)
	}
	if n.Rows == 0 {
		return nil
	}
	// Ranges are written one by one, and none should be where one of them is refused.
	table := append([]float32(nil), n.Table...)
	err = parallel(g.rows, ranges(g.rows), func(first, count int) error {
		part := table[first*n.K : (first+count)*n.K]
		return c.check(update(g, b, n.K, first, count, part), named{"gallery", g}, named{"bank", b})
	})
	if err == nil {
		copy(n.Table, table)
	}
	return err
}

// mergeable refuses a table of another shape, and the table itself.
func (c call) mergeable(rows, k, otherRows, otherK int, itself bool) error {
	if rows != otherRows || k != otherK {
		return c.refuse("other", ErrRange, "%d rows of %d, here %d of %d: merge tables of the same", otherRows, otherK, rows, k)
	}
	if itself {
		return c.refuse("other", ErrRange, "it is the table itself")
	}
	return nil
}

// Merge adds what another table of the same gallery rows has seen, of other bank rows.
func (n *Neighbors) Merge(other *Neighbors) error {
	c := call("Merge")
	if err := n.check(c, "n"); err != nil {
		return err
	}
	if err := other.check(c, "other"); err != nil {
		return err
	}
	if err := c.mergeable(n.Rows, n.K, other.Rows, other.K, n == other); err != nil {
		return err
	}
	return c.check(merge(n, other))
}

// Bias is that of the table's rows for k up to K.
func (n *Neighbors) Bias(k int, alpha float32) ([]float32, error) {
	c := call("Neighbors.Bias")
	if err := n.check(c, "n"); err != nil {
		return nil, err
	}
	if err := c.atMost("k", k, n.K, "as the table holds no more"); err != nil {
		return nil, err
	}
	if err := c.finite("alpha", alpha); err != nil {
		return nil, err
	}
	out := make([]float32, n.Rows)
	if err := c.check(tableBias(n, k, alpha, out)); err != nil {
		return nil, err
	}
	return out, nil
}

// SoftmaxBias is the inverted softmax as a bias: ln(sum over the bank of e^(beta * similarity)) / beta.
func SoftmaxBias[R Plain](gallery, bank R, beta float32) ([]float32, error) {
	c := call("SoftmaxBias")
	g, b, err := c.pair("gallery", gallery, "bank", bank)
	if err != nil {
		return nil, err
	}
	if b.rows == 0 {
		return nil, c.refuse("bank", ErrK, "it has no rows")
	}
	if err := c.finite("beta", beta); err != nil {
		return nil, err
	}
	if beta <= 0 {
		return nil, c.refuse("beta", ErrValue, "%v: a number above 0 is needed", beta)
	}
	out := make([]float32, g.rows)
	err = parallel(g.rows, ranges(g.rows), func(first, count int) error {
		return c.check(softmaxBias(g, b, beta, first, out[first:first+count]), named{"gallery", g}, named{"bank", b})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
