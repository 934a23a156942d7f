package nnn

import "math"

// Form says what an engine or a database compares vectors by.
type Form uint32

// The forms.
const (
	InnerProduct Form = 0
	L2           Form = 1 // squared Euclidean distance, or its root
	Cosine       Form = 2
)

// Export makes vectors that carry the bias, so that an index which knows nothing of it searches debiased: pgvector, Milvus, Qdrant, FAISS.
// All rows of an index share its fields, which may be stored beside it. For rows to come widen Norm2, BiasMin and BiasMax by hand: a row
// outside of them is refused.
type Export struct {
	Form             Form
	Columns          int     // elements of a row before the export
	Dim              int     // and after it: the dim of the index
	Norm2            float64 // the largest squared length of a row
	BiasMin, BiasMax float32
}

// NewExport is the export that fits these rows. multiple: what Dim shall be a multiple of; 1 where the engine does not care.
func NewExport(gallery Matrix, bias []float32, form Form, multiple int) (*Export, error) {
	c := call("NewExport")
	v, err := c.view("gallery", gallery)
	if err != nil {
		return nil, err
	}
	if v.rows == 0 {
		return nil, c.refuse("gallery", ErrRange, "it has no rows to take the limits from")
	}
	if err := c.biasOf(v, bias); err != nil {
		return nil, err
	}
	if form > Cosine {
		return nil, c.refuse("form", ErrValue, "%d: InnerProduct, L2 or Cosine is needed", uint32(form))
	}
	if multiple < 1 || multiple > 65536 {
		return nil, c.refuse("multiple", ErrValue, "%d: 1 to 65536 are possible", multiple)
	}
	e := &Export{Form: form, Columns: v.dim, Dim: exportDim(v.dim, form, multiple)}
	if err := c.check(e.measure(v, bias), named{"gallery", v}, named{"bias", row(bias)}); err != nil {
		return nil, err
	}
	return e, nil
}

// biasOf refuses a bias that is not of these gallery rows.
func (c call) biasOf(gallery view, bias []float32) error {
	if len(bias) != gallery.rows {
		return c.refuse("bias", ErrRange, "%d numbers for %d gallery rows: compute it for this gallery", len(bias), gallery.rows)
	}
	return nil
}

// fits checks the export's fields, which may come from a file, and the rows of an argument against them.
func (e *Export) fits(c call, arg string, v view) error {
	if e == nil || e.Form > Cosine || e.Columns < 1 || e.Columns > MaxDim || e.Dim > 1<<20 || e.Dim < exportDim(e.Columns, e.Form, 1) {
		return c.refuse("e", ErrValue, "its fields do not fit together: NewExport makes one")
	}
	if v.dim != e.Columns {
		return c.refuse(arg, ErrDim, "rows of %d elements, but the export is for %d", v.dim, e.Columns)
	}
	return nil
}

// Rows are the vectors of gallery rows with their biases, for the index.
func (e *Export) Rows(gallery Matrix, bias []float32) (Matrix, error) {
	c := call("Export.Rows")
	v, err := c.view("gallery", gallery)
	if err != nil {
		return Matrix{}, err
	}
	if err := e.fits(c, "gallery", v); err != nil {
		return Matrix{}, err
	}
	if err := c.biasOf(v, bias); err != nil {
		return Matrix{}, err
	}
	if err := c.room("gallery", v.rows, e.Dim); err != nil {
		return Matrix{}, err
	}
	out := Matrix{Data: make([]float32, v.rows*e.Dim), Rows: v.rows, Dim: e.Dim}
	err = parallel(v.rows, ranges(v.rows), func(first, count int) error {
		status := e.writeRows(v, bias, first, count, out.Data[first*e.Dim:(first+count)*e.Dim])
		if Status(status) == ErrRange {
			return c.refuse("gallery", ErrRange, "a row is longer than Norm2, or its bias is outside of BiasMin and BiasMax: widen them, "+
				"for all rows of the index")
		}
		return c.check(status, named{"gallery", v}, named{"bias", row(bias)})
	})
	if err != nil {
		return Matrix{}, err
	}
	return out, nil
}

// Queries are the vectors of queries. alpha: 1, or where rows carry means, biases of alpha 1, what they are multiplied by; not for L2.
func (e *Export) Queries(queries Matrix, alpha float32) (Matrix, error) {
	c := call("Export.Queries")
	v, err := c.view("queries", queries)
	if err != nil {
		return Matrix{}, err
	}
	if err := e.fits(c, "queries", v); err != nil {
		return Matrix{}, err
	}
	if err := e.alphaFits(c, alpha); err != nil {
		return Matrix{}, err
	}
	if err := c.room("queries", v.rows, e.Dim); err != nil {
		return Matrix{}, err
	}
	out := Matrix{Data: make([]float32, v.rows*e.Dim), Rows: v.rows, Dim: e.Dim}
	if err := c.check(e.writeQueries(v, alpha, out.Data), named{"queries", v}); err != nil {
		return Matrix{}, err
	}
	return out, nil
}

func (e *Export) alphaFits(c call, alpha float32) error {
	if err := c.finite("alpha", alpha); err != nil {
		return err
	}
	if e.Form == L2 && alpha != 1 {
		return c.refuse("alpha", ErrValue, "%v: the form L2 knows 1 only", alpha)
	}
	return nil
}

// Scores makes what the index answered for one query, inner products, squared distances or cosines, into debiased scores. (Of 1 - x
// subtract from 1 first; square a distance that is a root.) query: as it was before Queries.
func (e *Export) Scores(query []float32, alpha float32, values []float32) ([]float32, error) {
	c := call("Export.Scores")
	if err := e.fits(c, "query", view{dim: len(query)}); err != nil {
		return nil, err
	}
	if err := e.alphaFits(c, alpha); err != nil {
		return nil, err
	}
	if uint64(len(values)) > math.MaxUint32 {
		return nil, c.refuse("values", ErrRange, "%d: 2^32 - 1 at most", len(values))
	}
	out := append([]float32(nil), values...)
	if err := c.check(e.scores(query, alpha, out), named{"query", row(query)}, named{"values", row(values)}); err != nil {
		return nil, err
	}
	return out, nil
}
