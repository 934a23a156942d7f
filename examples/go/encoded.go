package nnn

// Side says what encoded rows are.
type Side uint32

// The sides.
const (
	GallerySide Side = 0 // rows that are retrieved
	QuerySide   Side = 1 // queries, live or of the bank
)

func (s Side) String() string {
	switch s {
	case GallerySide:
		return "GallerySide"
	case QuerySide:
		return "QuerySide"
	}
	return "no side"
}

// Encoded is a Matrix with int8 codes and proven bounds of their errors: Bias, Update and Search of two of them give the bits of the
// matrices themselves, several times as fast. It refers to the matrix, which must not change while it is in use. Encode makes one.
type Encoded struct {
	view view
	mean []float32
	seed uint64
	side Side
}

// Mean is the mean of the rows, for Encode.
func Mean(bank Matrix) ([]float32, error) {
	c := call("Mean")
	v, err := c.view("bank", bank)
	if err != nil {
		return nil, err
	}
	out := make([]float32, v.dim)
	if err := c.check(v.mean(out), named{"bank", v}); err != nil {
		return nil, err
	}
	return out, nil
}

// Encode makes the codes and bounds of rows. Both operands of a call need the same mean, best that of the bank, or nil, and seed of the
// rotation, 0 for none; both only decide how fast calls are.
func Encode(rows Matrix, side Side, mean []float32, seed uint64) (Encoded, error) {
	c := call("Encode")
	v, err := c.view("rows", rows)
	if err != nil {
		return Encoded{}, err
	}
	if side != GallerySide && side != QuerySide {
		return Encoded{}, c.refuse("side", ErrValue, "%d: GallerySide or QuerySide is needed", uint32(side))
	}
	if mean != nil && len(mean) != v.dim {
		return Encoded{}, c.refuse("mean", ErrDim, "%d elements for rows of %d", len(mean), v.dim)
	}
	e := Encoded{view: v, mean: append([]float32(nil), mean...), seed: seed, side: side}
	e.view.kind = certifiedRows
	e.view.i8, e.view.scale, e.view.bounds = make([]int8, v.rows*v.dim), make([]float32, v.rows), make([]bound, v.rows)
	status := v.encode(mean, side, seed, e.view.i8, e.view.scale, e.view.bounds)
	if err := c.check(status, named{"rows", v}, named{"mean", row(mean)}); err != nil {
		return Encoded{}, err
	}
	return e, nil
}

// encodedAlike refuses encoded rows that do not fit together: queries and bank on the one side, the gallery on the other.
func (c call) encodedAlike(first any, secondArg string, second any) error {
	a, is := first.(Encoded)
	if !is {
		return nil
	}
	b := second.(Encoded)
	// The gallery comes first but in Search.
	expected := QuerySide
	if secondArg == "gallery" {
		expected = GallerySide
	}
	if b.side != expected || a.side == expected {
		return c.refuse(secondArg, ErrValue, "the sides are %v and %v: encode the gallery with GallerySide, queries and bank with QuerySide",
			a.side, b.side)
	}
	same := a.seed == b.seed && len(a.mean) == len(b.mean)
	for i := 0; same && i < len(a.mean); i++ {
		same = a.mean[i] == b.mean[i]
	}
	if !same {
		return c.refuse(secondArg, ErrValue, "it was encoded with another mean or seed: encode both with the same")
	}
	return nil
}
