package nnn

import "math"

// NoNeighbor is the ID of padding in a table with ids.
const NoNeighbor = math.MaxUint32

// NeighborIDs is Neighbors that know which bank rows they hold, so that rows of the bank can expire. Known neighbours are exact at all
// times. Keep some more than the k of the bias, so that few rows run short.
type NeighborIDs struct {
	Table   []Hit // Rows x K: similarity and bank row, NoNeighbor where none is known
	Rows, K int
}

// NewNeighborIDs makes an empty table.
func NewNeighborIDs(rows, k int) (*NeighborIDs, error) {
	c := call("NewNeighborIDs")
	if rows < 0 || uint64(rows) > math.MaxUint32 {
		return nil, c.refuse("rows", ErrRange, "%d: 0 to 2^32 - 1 are possible", rows)
	}
	if err := c.atMost("k", k, maxElements, "in memory"); err != nil {
		return nil, err
	}
	if err := c.room("k", rows, k); err != nil {
		return nil, err
	}
	n := &NeighborIDs{make([]Hit, rows*k), rows, k}
	if err := c.check(idsInit(n.Table, rows, k)); err != nil {
		return nil, err
	}
	return n, nil
}

func (n *NeighborIDs) check(c call, arg string) error {
	if n == nil {
		return c.refuse(arg, ErrRange, "it is nil: NewNeighborIDs makes one")
	}
	if n.Rows < 0 || n.K < 1 || n.Rows > maxElements/n.K || len(n.Table) != n.Rows*n.K {
		return c.refuse(arg, ErrCapacity, "%d hits are not %d rows of %d", len(n.Table), n.Rows, n.K)
	}
	return nil
}

// updateIDs adds the bank to table rows of the gallery rows first, ... .
func updateIDs[R Plain](c call, n *NeighborIDs, gallery, bank R, firstID int, live []uint64, first int, table []Hit) error {
	g, b, err := c.pair("gallery", gallery, "bank", bank)
	if err != nil {
		return err
	}
	if g.rows != n.Rows {
		return c.refuse("gallery", ErrRange, "%d rows for a table of %d", g.rows, n.Rows)
	}
	if firstID < 0 || uint64(firstID) > uint64(NoNeighbor-b.rows) {
		return c.refuse("firstID", ErrRange, "%d: 0 to %d are possible for %d bank rows", firstID, NoNeighbor-b.rows, b.rows)
	}
	if words := (b.rows + 63) / 64; live != nil && len(live) < words {
		return c.refuse("live", ErrCapacity, "%d words of 64 bits for %d bank rows: %d are needed, or nil", len(live), b.rows, words)
	}
	rows := len(table) / n.K
	if rows == 0 {
		return nil
	}
	return parallel(rows, ranges(rows), func(start, count int) error {
		part := table[start*n.K : (start+count)*n.K]
		return c.check(idsUpdate(g, b, live, firstID, n.K, first+start, count, part), named{"gallery", g}, named{"bank", b})
	})
}

// UpdateIDs adds rows of the bank, row j with the ID firstID + j. live: one bit per bank row, rows without it are left out; nil: all.
// On an error the table is as it was.
func UpdateIDs[R Plain](n *NeighborIDs, gallery, bank R, firstID int, live []uint64) error {
	c := call("UpdateIDs")
	if err := n.check(c, "n"); err != nil {
		return err
	}
	table := append([]Hit(nil), n.Table...)
	err := updateIDs(c, n, gallery, bank, firstID, live, 0, table)
	if err == nil {
		copy(n.Table, table)
	}
	return err
}

// Merge adds what another table of the same gallery rows has seen, of other bank rows.
func (n *NeighborIDs) Merge(other *NeighborIDs) error {
	c := call("NeighborIDs.Merge")
	if err := n.check(c, "n"); err != nil {
		return err
	}
	if err := other.check(c, "other"); err != nil {
		return err
	}
	if err := c.mergeable(n.Rows, n.K, other.Rows, other.K, n == other); err != nil {
		return err
	}
	return c.check(idsMerge(n.Table, other.Table, n.Rows, n.K))
}

// Expire removes the neighbours that are not live any more. live: one bit per ID, ids of them. It returns the rows that know fewer than
// k neighbours now although the bank has more: Renew them before the bias is taken.
func (n *NeighborIDs) Expire(k int, live []uint64, ids int) ([]uint32, error) {
	c := call("Expire")
	if err := n.check(c, "n"); err != nil {
		return nil, err
	}
	if err := c.atMost("k", k, n.K, "as the table holds no more"); err != nil {
		return nil, err
	}
	if ids < 0 || uint64(ids) > math.MaxUint32 || (ids+63)/64 > len(live) {
		return nil, c.refuse("ids", ErrCapacity, "%d, but live has %d words of 64 bits: one bit for each is needed", ids, len(live))
	}
	for i, hit := range n.Table {
		if hit.ID != NoNeighbor && int64(hit.ID) >= int64(ids) {
			return nil, c.refuse("live", ErrRange, "it is for %d ids, but row %d of the table knows %d: one bit for each is needed", ids, i/n.K, hit.ID)
		}
	}
	short := make([]uint32, n.Rows)
	count, status := idsExpire(n.Table, n.Rows, n.K, k, live, ids, short)
	if err := c.check(status); err != nil {
		return nil, err
	}
	return short[:count], nil
}

// Renew computes one row anew. bank: all rows, at the place of their IDs.
func Renew[R Plain](n *NeighborIDs, row int, gallery, bank R, live []uint64) error {
	c := call("Renew")
	if err := n.check(c, "n"); err != nil {
		return err
	}
	if row < 0 || row >= n.Rows {
		return c.refuse("row", ErrRange, "%d in a table of %d rows", row, n.Rows)
	}
	fresh := make([]Hit, n.K)
	if err := c.check(idsInit(fresh, 1, n.K)); err != nil {
		return err
	}
	err := updateIDs(c, n, gallery, bank, 0, live, row, fresh)
	if err == nil {
		copy(n.Table[row*n.K:], fresh)
	}
	return err
}

// Bias is that of the table's rows for k up to K, in the bits of Neighbors.
func (n *NeighborIDs) Bias(k int, alpha float32) ([]float32, error) {
	c := call("NeighborIDs.Bias")
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
	if err := c.check(idsBias(n.Table, n.Rows, n.K, k, alpha, out)); err != nil {
		return nil, err
	}
	return out, nil
}
